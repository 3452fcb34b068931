"""Retention: finished jobs whose time is over, or that are too many, are forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.clock import boot_time_s
from rosq.maintenance.service import Swept, always
from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire
    from rosq.settings import WorkerSettings
    from rosq.store.keys import Keys
    from rosq.store.standing import StandingSettings

#: Jobs that one script forgets.
_BATCH = 100


class Retention:
    """Forgets by age, and what was added past the scripts that keep the counts."""

    name = "retention"
    steady_s = 0.0

    def __init__(self, *, keys: Keys, wire: Wire, standing: StandingSettings, settings: WorkerSettings) -> None:
        self._keys = keys
        self._wire = wire
        self._standing = standing
        self.period_s = settings.beat_s
        # Other services have a right to this thread too: what is left is for the next pass.
        self._longest_s = settings.beat_s / 2

    def run_once(self, go_on: Callable[[], bool] = always) -> Swept:
        """Forget until nothing is left to be forgotten, for half a period at most; see `Service`."""
        kept, until_s, forgotten = self._standing.current, boot_time_s() + self._longest_s, 0
        for finished, keep, keep_s in (
            (self._keys.completed, kept.keep_completed, kept.keep_completed_s),
            (self._keys.failed, kept.keep_failed, kept.keep_failed_s),
            (self._keys.cancelled, kept.keep_cancelled, kept.keep_cancelled_s),
        ):
            while boot_time_s() < until_s and go_on() and (done := self._forget(finished, keep, keep_s)):
                forgotten += done
        return Swept(forgotten_jobs=forgotten)

    def _forget(self, finished: str, keep: int, keep_s: float) -> int:
        """Forget the oldest of one kind, a hundred at most."""
        # Text, as scores are: one may be of a time that no number says.
        before = str(self._wire.server_ms() - int(keep_s * 1000))
        job_ids = self._wire.call("ZRANGEBYSCORE", finished, "-inf", before, "LIMIT", 0, _BATCH)
        excess = min(int(self._wire.call("ZCARD", finished)) - keep, _BATCH)
        if excess > len(job_ids):
            oldest = self._wire.call("ZRANGE", finished, 0, excess - 1, "WITHSCORES")
            job_ids, before = oldest[::2], oldest[-1]
        if not job_ids:
            return 0
        keys = [finished, *(self._keys.job(job_id) for job_id in job_ids)]
        args: list[str | int] = [before, self._standing.current.remember_ms, *job_ids]
        return int(self._wire.run(loader.load("forget_jobs"), keys, args))
