"""Whether a holder still holds its job, by the holder's own clock: never longer than the server thinks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rosq.clock import boot_time_s
from rosq.errors import LeaseLost
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from collections.abc import Callable


#: Why a lease is lost, by what a script answers whose call needs it.
WHY_LOST = {
    Code.ALREADY_SETTLED: "the job was settled",
    Code.LOST: "another delivery has the job, or nobody",
    Code.GONE: "the queue doesn't know the job any more",
}


class Lease:
    """The lease of one delivery, as its holder knows it: held, in doubt, or lost.

    **Held** it is for a lease from just before the last good heartbeat was sent, by CLOCK_BOOTTIME: a process that was
    paused or a machine that slept finds that time over at once, before any other thread has run. From then on it is
    **in doubt**: somebody else may have the job, or nobody, and only Redis knows. The next heartbeat that gets through
    says which. Redis goes by fence and token, so whoever comes back after an outage that nobody used to take the job
    holds it again. **Lost** it is once Redis, or the worker, has said so, or `check` has told its caller; then it stays
    lost.
    """

    def __init__(self, job_id: str, until_s: float, clock: Callable[[], float] | None = None) -> None:
        self.job_id = job_id
        self._until_s = until_s
        self._clock = clock or boot_time_s
        self._reason: str | None = None
        self._lock = threading.Lock()

    def is_held(self) -> bool:
        """Whether the job is this holder's at this moment; False while that is in doubt."""
        return self.remaining_s() > 0

    def remaining_s(self) -> float:
        """Seconds that are left if no further heartbeat gets through; 0 when it is in doubt or lost."""
        if self._reason is not None:
            return 0.0
        return max(self._until_s - self._clock(), 0.0)

    @property
    def lost_reason(self) -> str | None:
        """Why it is lost for good; None while it is held or in doubt."""
        return self._reason

    def check(self) -> None:
        """Return if the job is still held. Whoever is told that it may not be is told for good.

        Raises:
            LeaseLost: It isn't, or may not be.
        """
        if not self.is_held():
            with self._lock:
                # A heartbeat may have got through just now.
                if self._reason is None and not self.is_held():
                    self._reason = "no heartbeat got through in time"
        self.check_not_lost()

    def check_not_lost(self) -> None:
        """Return if the job is held, or that is in doubt: for what harms nobody if it isn't, or asks Redis itself.

        Raises:
            LeaseLost: It isn't.
        """
        if self._reason is not None:
            raise LeaseLost(self.job_id, self._reason)

    def renew(self, until_s: float) -> None:
        """Note a good heartbeat; without effect on a lease that is lost."""
        with self._lock:
            self._until_s = max(self._until_s, until_s)

    def lose(self, reason: str) -> None:
        """Count the lease as lost from now on."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
