"""A simulator as a process of the test."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.integration.worker.simulator.control import Control

if TYPE_CHECKING:
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 15.0


def _die_with_parent() -> None:
    """In the child, before exec: the kernel ends it when the test run is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class SimulatorProcess(Control):
    """`rosreestr-simulator` on a free port, and its own side under `/_simulator`."""

    def __init__(self, log: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.simulator.cli", "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=env,
                preexec_fn=_die_with_parent,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # It comes when clients can connect, and ends when the process does.
        if not line:
            self.process.wait(STOP_TIMEOUT_S)
            raise AssertionError(f"The simulator didn't start: {log.read_text()}")
        self.announced = json.loads(line)
        self.port = int(self.announced["port"])
        super().__init__(str(self.announced["url"]))

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)

    def close(self) -> None:
        """End it, however it is."""
        self.close_control()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
