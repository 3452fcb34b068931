"""When a worker must stop: the times that a request to stop sets."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from rosq.clock import boot_time_s
from rosq.connection.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable


class StopClock:
    """Set by signal handlers, read by two threads: plain attributes, no lock."""

    def __init__(self, grace_s: float, exit_s: float) -> None:
        self._grace_s = grace_s
        self._exit_s = exit_s
        self._release_at_s: float | None = None
        #: Whether the worker is to stop.
        self.is_requested = False

    def request(self) -> None:
        """First time: the job in hand may go on for the grace period. Any further time: the grace is over now."""
        now_s = boot_time_s()
        if self._release_at_s is None:
            self._release_at_s = now_s + self._grace_s
        else:
            self._release_at_s = min(self._release_at_s, now_s)
        # After the time: who sees this asks for that.
        self.is_requested = True

    def grace_left_s(self) -> float:
        """Seconds until the job in hand must be released; infinite while no stop is asked for."""
        return float("inf") if self._release_at_s is None else self._release_at_s - boot_time_s()

    def settle_left_s(self) -> float:
        """Seconds in which it still makes sense to try to settle; infinite while no stop is asked for."""
        return self.grace_left_s() + self._exit_s / 2

    def time_left_s(self) -> float:
        """Seconds until the process must be gone; infinite while no stop is asked for."""
        return self.grace_left_s() + self._exit_s


class ExitWatch:
    """Makes sure that a stopping process is gone by its deadline, whatever hangs: a thread that does nothing else.

    Args:
        leave: Called once when the deadline has passed and `close` wasn't called.
    """

    def __init__(self, stop: StopClock, leave: Callable[[], None]) -> None:
        self._stop = stop
        self._leave = leave
        self._alarm = Alarm()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="rosq-exit-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def nudge(self) -> None:
        """Read the stop clock again. Safe in signal handlers."""
        self._alarm.ring()

    def close(self) -> None:
        """The worker has come to its end in time. Safe twice, and before the start."""
        self._is_closed = True
        self._alarm.ring()
        if self._thread.ident is not None:
            self._thread.join()
        self._alarm.close()

    def _run(self) -> None:
        while not self._is_closed:
            left_s = self._stop.time_left_s()
            if left_s <= 0:
                self._leave()
                return
            self._alarm.wait(None if math.isinf(left_s) else left_s)
