"""Processes that write down, apart from Redis, when they believed that a job was theirs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[4]


class Side:
    """A process, and what it wrote down."""

    def __init__(self, log: Path, port: int, **options: Any) -> None:
        self._log = log
        config = {"port": port, "log": str(log), **options}
        command = [sys.executable, "-m", "tests.integration.rosq.cut_off.process", json.dumps(config)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
        )

    def lines(self, what: str, job_id: str | None = None) -> list[dict[str, Any]]:
        text = self._log.read_text() if self._log.exists() else ""
        found = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [line for line in found if line["what"] == what and job_id in (None, line.get("job_id"))]

    def wait(self, what: str, job_id: str | None = None, timeout_s: float = 30.0) -> dict[str, Any]:
        return wait_until(lambda: self.lines(what, job_id), f"{what} {job_id or ''}", timeout_s, 0.002)[0]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def beliefs(self) -> list[tuple[float, float, str]]:
        """From when until when it held each delivery, as far as it knew: from the hand-out, which the fence says."""
        return [(line["fence"] / 1e6, line["passed_at"], line["job_id"]) for line in self.lines("watched")]


@contextlib.contextmanager
def processes() -> Iterator[list[Side]]:
    """A list for those that end with the schedule."""
    sides: list[Side] = []
    try:
        yield sides
    finally:
        for side in sides:
            side.kill()
