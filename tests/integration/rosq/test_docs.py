"""What the pages tell people to type does what they say."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rosq import JobState, Queue
from tests.integration.rosq.conftest import settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.servers import EmbeddedRedis

DOCS = Path(__file__).parents[3] / "docs"
#: The pages of the library, and not of the orders that run on it.
PAGES = [
    "quickstart.md",
    "guarantees.md",
    "from-bull.md",
    *(f"how-to/{page.name}" for page in (DOCS / "how-to").iterdir()),
]


def blocks_of(page: str) -> list[tuple[str, str]]:
    """The Python blocks of a page, with the file name that each has, if any."""
    return re.findall(r"^```python(?: file=(\S+))?\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_quickstart_fits_on_a_screen() -> None:
    assert len((DOCS / "quickstart.md").read_text().splitlines()) <= 50


def test_the_quickstarts_jobs_are_made_run_and_the_worker_leaves_in_order(
    own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    for name, text in blocks_of("quickstart.md"):
        (tmp_path / name).write_text(text)
    environ = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    # The page's programs use the default address: only the port is this test's.
    (tmp_path / "sitecustomize.py").write_text(
        f"import rosq.settings as s\ns.RedisSettings.__init__.__kwdefaults__['port'] = {own_redis.port}\n"
    )
    environ["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"

    said = subprocess.run(
        [sys.executable, tmp_path / "producer.py"], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.split() == ["created"]
    with (
        Queue(settings_of(own_redis), "letters") as queue,
        subprocess.Popen(
            [sys.executable, tmp_path / "worker.py"], env=environ, stdout=subprocess.PIPE, text=True
        ) as run,
    ):
        jobs = ["letter-7", "letter-8"]
        wait_until(
            lambda: [job.state for job in queue.find_jobs(jobs).values()] == [JobState.COMPLETED] * 2, "both letters"
        )
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 0
        assert run.stdout is not None
        assert run.stdout.read().splitlines() == ["sent 7", "sent 8"]


def test_the_readmes_example_runs_as_it_stands_and_leaves_in_order(own_redis: EmbeddedRedis, tmp_path: Path) -> None:
    ((_, text),) = blocks_of("../README.md")
    (tmp_path / "example.py").write_text(text)
    (tmp_path / "sitecustomize.py").write_text(
        f"import rosq.settings as s\ns.RedisSettings.__init__.__kwdefaults__['port'] = {own_redis.port}\n"
    )
    environ = {**os.environ, "PYTHONPATH": f"{DOCS.parent}{os.pathsep}{tmp_path}", "PYTHONUNBUFFERED": "1"}
    with (
        Queue(settings_of(own_redis), "letters") as queue,
        subprocess.Popen(
            [sys.executable, "example.py"], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
        ) as run,
    ):
        wait_until(
            lambda: (job := queue.find_job("letter-7")) is not None and job.state is JobState.DELAYED, "the snooze"
        )
        (tmp_path / "letter-7.txt").write_text("Dear reader")
        wait_until(
            lambda: (job := queue.find_job("letter-7")) is not None and job.state is JobState.COMPLETED, "the letter"
        )
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) == 0
        assert run.stdout is not None
        assert run.stdout.read() == "Dear reader\n"


# That of testing handlers is run by a test of its own, in a pytest of its own.
@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("how-to/") and "test-your" not in page])
def test_the_examples_of_a_how_to_are_python_that_imports(page: str) -> None:
    for _, text in blocks_of(page):
        exec(compile(text, page, "exec"), {"__name__": "example"})


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (DOCS / page).read_text()):
        assert ((DOCS / page).parent / target).exists(), target
