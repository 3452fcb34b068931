"""rosq where there is only what macOS has: imported, and all of its unit tests run."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rosq
from tests import macos

ROOT = Path(rosq.__file__).parents[1]
#: In the child, which runs the other tests of this folder.
_IS_INSIDE = "ROSQ_WITHOUT_LINUX" in os.environ
outside = pytest.mark.skipif(_IS_INSIDE or sys.platform != "linux", reason="for where all is there that Linux has")


def run(code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ROSQ_WITHOUT_LINUX": "1"}
    command = [sys.executable, "-m", "tests.macos", code]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=170, check=False)


@outside
def test_what_is_taken_away_is_what_macos_lacks() -> None:
    assert {"sched_getaffinity", "pipe2", "eventfd"} <= set(macos.lacking("os"))
    assert "CLOCK_BOOTTIME" in macos.lacking("time")
    assert "epoll" in macos.lacking("select")
    assert "SIGRTMIN" in macos.lacking("signal")
    # And what it has stays.
    assert not {"sched_yield", "register_at_fork", "pipe"} & set(macos.lacking("os"))
    assert "poll" not in macos.lacking("select")


@outside
def test_rosq_and_its_commands_are_imported_without_it() -> None:
    code = "import pkgutil, rosq; [__import__(each.name) for each in pkgutil.walk_packages(rosq.__path__, 'rosq.')]"

    done = run(code)

    assert done.returncode == 0, done.stderr


@outside
def test_the_unit_tests_hold_without_it() -> None:
    code = "import pytest; raise SystemExit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', 'tests/unit/rosq']))"

    done = run(code)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not _IS_INSIDE, reason="for the process without it")
def test_here_it_is_taken_away() -> None:
    assert not hasattr(os, "pipe2")
    assert not hasattr(os, "sched_getaffinity")
    assert not hasattr(time, "CLOCK_BOOTTIME")
    assert not hasattr(select, "epoll")
    assert not hasattr(signal, "SIGRTMIN")
