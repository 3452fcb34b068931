"""That this process was asked to stop, outside of the queue's own loop."""

from __future__ import annotations

import time
from typing import Final

_SLICE_S: Final = 0.1


class Stopping(Exception):
    """The process was asked to stop while something waited."""


class StopFlag:
    """Set once, by a signal handler or any thread.

    A plain attribute: the lock of `threading.Event` isn't reentrant, and a signal handler that interrupts its waiter in
    the same thread could hang.
    """

    def __init__(self) -> None:
        self.is_set = False

    def request(self) -> None:
        """Ask to stop. Safe in signal handlers."""
        self.is_set = True

    def wait(self, seconds: float) -> None:
        """Return after so long, or soon after a stop was asked for."""
        until_s = time.monotonic() + seconds
        while not self.is_set and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLICE_S))

    def sleep(self, seconds: float) -> None:
        """Like `wait`, but a stop raises Stopping."""
        self.wait(seconds)
        if self.is_set:
            raise Stopping
