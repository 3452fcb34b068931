"""A terminal for tests: a real pty, with an emulator that knows what is on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Sequence

_READ_S = 0.05


class Terminal:
    """A process in a terminal of its own. Leaving the `with` block kills it."""

    def __init__(self, command: Sequence[str], env: dict[str, str], *, columns: int = 140, lines: int = 30) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        self._set_size(columns, lines)
        self.before = termios.tcgetattr(theirs)
        #: All that the process ever wrote.
        self.written = b""
        self.process = subprocess.Popen(
            command,
            # The terminal alone says how large it is.
            env={**{key: env[key] for key in env if key not in ("COLUMNS", "LINES")}, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # A session's leader gets its terminal by asking for it; without one, no resize is told.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        # Kept open, so that what the process leaves behind can be looked at after its end.
        self._theirs = theirs

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def lines(self) -> list[str]:
        """What is on the screen now."""
        self._read(0.0)
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def modes(self) -> list[object]:
        """The settings of the terminal: echo, line by line, and so on."""
        found: list[object] = termios.tcgetattr(self._theirs)
        return found

    def press(self, *keys: str) -> None:
        """Type keys, one after another."""
        for key in keys:
            os.write(self._ours, key.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._set_size(columns, lines)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def wait_for(self, *parts: str, without: str | None = None, timeout_s: float = 15.0) -> str:
        """Return the screen once it has all of these; fail after the deadline, showing it."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._read(_READ_S)
            text = "\n".join(self._screen.display)
            if all(part in text for part in parts) and (without is None or without not in text):
                return text
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{text}"
            assert time.monotonic() < deadline_s, f"waited in vain for {parts}, without {without}:\n{text}"

    def wait_for_end(self, timeout_s: float = 10.0) -> int:
        """Return the exit code; what it still writes is read, or it would wait for that."""
        deadline_s = time.monotonic() + timeout_s
        while self.process.poll() is None:
            self._read(_READ_S)
            assert time.monotonic() < deadline_s, "it doesn't end"
        self._read(0.0)
        return self.process.returncode

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self, timeout_s: float) -> None:
        while select.select([self._ours], [], [], timeout_s)[0]:
            with contextlib.suppress(OSError):  # how Linux says that the other side was closed
                data = os.read(self._ours, 65536)
                self.written += data
                self._stream.feed(data)
            timeout_s = 0.0
