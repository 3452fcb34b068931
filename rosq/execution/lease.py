"""Whether a holder still holds its job, by the holder's own clock: never longer than the server thinks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rosq.clock import boot_time_s
from rosq.errors import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable


class Lease:
    """The lease of one delivery.

    It is counted from just before the last good heartbeat was sent, by CLOCK_BOOTTIME: a process that was paused or a
    machine that slept finds it gone at once, before any other thread has run. Once lost it stays lost.
    """

    def __init__(self, job_id: str, until_s: float, clock: Callable[[], float] | None = None) -> None:
        self.job_id = job_id
        self._until_s = until_s
        self._clock = clock or boot_time_s
        self._reason: str | None = None
        self._lock = threading.Lock()

    def is_held(self) -> bool:
        """Whether the job is this holder's at this moment."""
        return self.remaining_s() > 0

    def remaining_s(self) -> float:
        """Seconds that are left if no further heartbeat gets through; 0 when it is lost."""
        if self._reason is not None:
            return 0.0
        return max(self._until_s - self._clock(), 0.0)

    @property
    def lost_reason(self) -> str | None:
        """Why it is lost; None while it is held."""
        if self._reason is not None:
            return self._reason
        return None if self._until_s > self._clock() else "no heartbeat got through in time"

    def check(self) -> None:
        """Return if the job is still held.

        Raises:
            LeaseLost: It isn't, or may not be.
        """
        reason = self.lost_reason
        if reason is not None:
            raise LeaseLost(self.job_id, reason)

    def renew(self, until_s: float) -> None:
        """Note a good heartbeat; without effect on a lease that is lost already."""
        with self._lock:
            if self.is_held():
                self._until_s = max(self._until_s, until_s)
            elif self._reason is None:
                self._reason = "no heartbeat got through in time"

    def lose(self, reason: str) -> None:
        """Count the lease as lost from now on."""
        with self._lock:
            if self._reason is None:
                self._reason = reason


class EternalLease(Lease):
    """A lease that always holds, for tests of what must be safe without one."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id, float("inf"))

    def lose(self, reason: str) -> None:
        """Nothing: its holder goes on believing."""
