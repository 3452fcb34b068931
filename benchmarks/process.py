"""A process beside the benchmark, a contender's most of all, spoken to line by line."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from typing import Any

from benchmarks.errors import SideFailed

_PR_SET_PDEATHSIG = 1
_START_TIMEOUT_S = 20.0


def die_with_parent() -> None:
    """In a child, before exec: the kernel ends it with the benchmark. Elsewhere than on Linux only its input does."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Side:
    """One process that the benchmark speaks to, and what that has forked. Killed at the end of the `with` block."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self._is_killed = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
            env=environment,
            # Ctrl-C is for the benchmark alone, which ends what it started; and that is a group of its own.
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    @property
    def has_ended(self) -> bool:
        """Whether the process is over, of itself or killed."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it and all that it has forked, as by kill -9; returns when it is dead."""
        if not self._is_killed:
            # Once only: later the number may be another's.
            self._is_killed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def say(self, **order: Any) -> None:
        """Send one line.

        Raises:
            SideFailed: The process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
        except OSError as error:
            raise SideFailed(f"{self.name} has ended. {self._last_words()}") from error

    def hear(self, timeout_s: float, expected: str) -> dict[str, Any]:
        """Return the next line.

        Args:
            expected: A field that it must have.

        Raises:
            SideFailed: None came in time, or another one.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise SideFailed(f"{self.name} said nothing for {timeout_s:.0f} s. {self._last_words()}") from None
        if line is None:
            raise SideFailed(f"{self.name} has ended. {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if expected not in answer:
            raise SideFailed(f"{self.name} said {line.strip()} where {expected} was expected.")
        return answer

    def ask(self, timeout_s: float, **order: Any) -> dict[str, Any]:
        """Give a producer an order and return what it measured."""
        self.say(**order)
        return self.hear(timeout_s, "seconds")

    def wait_ready(self) -> None:
        """Return when it is connected."""
        self.hear(_START_TIMEOUT_S, "is_ready")

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._lines.put(line)
        except ValueError:
            # Closed while it was read: nobody listens any more.
            return
        self._lines.put(None)

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"Its last words: {lines[-1]}" if lines else ""
