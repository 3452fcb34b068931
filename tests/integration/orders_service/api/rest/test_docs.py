"""The examples of docs/api.md do what the page says, one after the other, by the shell that it shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.orders_service.serving import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Database
    from tests.servers import RedisServer

PAGE = Path(__file__).parents[5] / "docs/api.md"


def examples() -> Iterator[tuple[str, Any]]:
    """Each block of shell, with the answer that stands below it; None: none does."""
    for found in re.finditer(r"```sh\n(.*?)```\n(?:```json\n(.*?)```)?", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        yield found[1], json.loads(found[2]) if found[2] else None


def last_of(text: str) -> Any:
    """The last of several JSON texts that stand one after the other."""
    decoder, value = json.JSONDecoder(), None
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        text = text[end:]
    return value


def missing(shown: Any, answered: Any, path: str = "") -> Iterator[str]:
    """What the page shows and the service didn't answer."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            if not isinstance(answered, dict) or name not in answered:
                yield f"{path}.{name}"
            else:
                yield from missing(value, answered[name], f"{path}.{name}")
    elif isinstance(shown, list) and shown:
        if not answered:
            yield f"{path}[0]"
        else:
            yield from missing(shown[0], answered[0], f"{path}[0]")
    elif shown != answered and not (shown == "…" and answered):
        yield f"{path}: {answered!r}"


@pytest.fixture
def own_service(
    fresh_database: Database, redis_server: RedisServer, queue_name: str, tmp_path: Path
) -> Iterator[Service]:
    """A service that the page has for itself: its orders are numbered from 1."""
    running = Service({**fresh_database.env(), **redis_server.env(), "ROSQ_QUEUE": queue_name}, tmp_path)
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()


def test_the_examples_of_the_page_do_what_it_says(own_service: Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("curl or bash isn't here")
    tried = 0
    for command, shown in examples():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "API": f"http://127.0.0.1:{own_service.rest_port}"},
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        answered = last_of(done.stdout)
        if shown is not None:
            assert list(missing(shown, answered)) == [], (command, answered)
            tried += 1
    assert tried >= 8
