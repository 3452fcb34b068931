"""What keeps a queue in order by time: abandoned jobs, lost wake-ups, dead workers, finished jobs whose time is
over.

One worker does it in each third of a lease, in a thread of its own (`rosq.maintenance.thread`).
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.clock import boot_time_s
from rosq.names import RECOVERY_CONSUMER
from rosq.scripts import loader
from rosq.store.keys import GROUP, Keys

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.settings import QueueSettings, WorkerSettings

log = logging.getLogger(__name__)

#: Entries, jobs and workers that one command handles at most.
_BATCH = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one pass did."""

    put_back: int = 0
    failed: int = 0
    cancelled: int = 0
    #: Entries that had no job any more.
    dropped: int = 0
    forgotten_jobs: int = 0
    forgotten_workers: int = 0


class Recovery:
    """One pass after another."""

    def __init__(self, *, keys: Keys, wire: Wire, queue_settings: QueueSettings, settings: WorkerSettings) -> None:
        self._keys = keys
        self._wire = wire
        self._queue_settings = queue_settings
        self._settings = settings

    def is_due(self) -> bool:
        """Whether a pass should be made now, by this worker.

        Only once this connection has stood for a whole lease: while the server was away leases ran out unrenewed, and
        whoever came back first would take every job from a holder that is about to come back too.
        """
        self._wire.call("PING")
        since_s = self._wire.connected_since_s
        if since_s is None or boot_time_s() - since_s < self._settings.lease_s:
            return False
        # A little less than a beat, so that the same worker may do the next one too.
        life_ms = int(self._settings.beat_s * 900)
        return self._wire.call("SET", self._keys.sweep, "1", "NX", "PX", max(life_ms, 1)) is not None

    def run_once(self) -> Swept:
        """Make one pass over everything; a crash midway leaves the rest to the next pass.

        Raises:
            ServerUnreachable: The pass broke off.
        """
        lanes = sorted(self._wire.call("SMEMBERS", self._keys.lanes))
        outcomes = [outcome for lane in lanes for outcome in self._recover_lane(lane)]
        self._ring_on(lanes)
        kept = self._queue_settings
        forgotten_jobs = self._forget_jobs(self._keys.completed, kept.keep_completed, kept.keep_completed_s)
        forgotten_jobs += self._forget_jobs(self._keys.failed, kept.keep_failed, kept.keep_failed_s)
        forgotten_jobs += self._forget_jobs(self._keys.cancelled, kept.keep_cancelled, kept.keep_cancelled_s)
        return Swept(
            put_back=outcomes.count(1),
            failed=outcomes.count(2),
            cancelled=outcomes.count(3),
            dropped=outcomes.count(-1),
            forgotten_jobs=forgotten_jobs,
            forgotten_workers=self._forget_workers(lanes),
        )

    def _recover_lane(self, lane: str) -> list[int]:
        stream = self._keys.lane(lane)
        outcomes: list[int] = []
        cursor = "0-0"
        while True:
            command = ("XAUTOCLAIM", stream, GROUP, RECOVERY_CONSUMER, self._settings.lease_ms, cursor, "COUNT", _BATCH)
            try:
                answer = self._wire.call(*command)
            except errors.ScriptFailed as error:
                if "NOGROUP" in str(error):
                    return outcomes
                raise
            cursor = answer[0]
            # 6.2 lists entries that were deleted while pending as nil and keeps them pending; newer servers clean up.
            outcomes += [self._try_to_recover(lane, *entry) for entry in answer[1] if entry is not None and entry[1]]
            # COUNT 1 looks at ten entries and may return a cursor and nothing: the end is 0-0, never an empty answer.
            if cursor == "0-0":
                return outcomes

    def _try_to_recover(self, lane: str, entry_id: str, fields: list[str]) -> int:
        """Recover one job; one that the script fails at, since its key is broken, doesn't keep the others waiting."""
        try:
            return self._recover(lane, entry_id, fields)
        except errors.ScriptFailed as error:
            log.exception(
                "A job couldn't be recovered",
                extra={
                    "event": "recovery_failed",
                    "queue": self._keys.queue,
                    "entry_id": entry_id,
                    **facts.of_error(error),
                },
            )
            return 0

    def _recover(self, lane: str, entry_id: str, fields: list[str]) -> int:
        job_id = dict(zip(fields[::2], fields[1::2], strict=True)).get("job_id", "")
        keys = [self._keys.events, self._keys.meta, self._keys.delayed, self._keys.timer_bell, self._keys.failed]
        keys += [self._keys.job(job_id), self._keys.lane(lane), self._keys.lane_bell(lane), self._keys.cancelled]
        kept = self._queue_settings
        args: list[str | int] = [kept.max_events, job_id, entry_id, kept.max_crashes, int(kept.crash_pause_s * 1000)]
        outcome = int(self._wire.run(loader.load("recover", KEEP_DELIVERIES=kept.keep_deliveries), keys, args))
        if outcome > 0:
            log.warning(
                "Took a job from a holder whose lease ran out",
                extra={
                    "event": "job_recovered",
                    "queue": self._keys.queue,
                    "job_id": job_id,
                    "is_failed": outcome == 2,
                    "is_cancelled": outcome == 3,
                },
            )
        return outcome

    def _ring_on(self, lanes: list[str]) -> None:
        keys = [self._keys.delayed, self._keys.timer_bell]
        for lane in lanes:
            keys += [self._keys.lane(lane), self._keys.lane_bell(lane)]
        self._wire.run(loader.load("ring_on"), keys, [])

    def _forget_jobs(self, finished: str, keep: int, keep_s: float) -> int:
        """Forget the oldest finished jobs, a hundred at most: those whose time is over, and those that are too many."""
        before_ms = self._server_ms() - int(keep_s * 1000)
        job_ids = self._wire.call("ZRANGEBYSCORE", finished, "-inf", before_ms, "LIMIT", 0, _BATCH)
        excess = min(int(self._wire.call("ZCARD", finished)) - keep, _BATCH)
        if excess > len(job_ids):
            oldest = self._wire.call("ZRANGE", finished, 0, excess - 1, "WITHSCORES")
            job_ids, before_ms = oldest[::2], int(oldest[-1])
        if not job_ids:
            return 0
        keys = [finished, *(self._keys.job(job_id) for job_id in job_ids)]
        return int(
            self._wire.run(loader.load("forget_jobs"), keys, [before_ms, self._queue_settings.remember_ms, *job_ids])
        )

    def _forget_workers(self, lanes: list[str]) -> int:
        before_ms = self._server_ms() - int(self._queue_settings.forget_worker_s * 1000)
        silent = self._wire.call("ZRANGEBYSCORE", self._keys.workers, "-inf", before_ms, "LIMIT", 0, _BATCH)
        streams = [self._keys.lane(lane) for lane in lanes]
        # Those that left in order are on no list any more, but their consumers are still there.
        names = {*silent, *(name for stream in streams for name in self._list_idle_consumers(stream))}
        forgotten = 0
        for name in sorted(names)[:_BATCH]:
            keys = [self._keys.worker(name), self._keys.workers, *streams]
            forgotten += int(self._wire.run(loader.load("forget_worker"), keys, [name]))
        return forgotten

    def _list_idle_consumers(self, stream: str) -> list[str]:
        try:
            consumers = self._wire.call("XINFO", "CONSUMERS", stream, GROUP)
        except errors.ScriptFailed as error:
            if "NOGROUP" in str(error) or "no such key" in str(error):
                return []
            raise
        facts = [dict(zip(consumer[::2], consumer[1::2], strict=True)) for consumer in consumers]
        idle_ms = self._queue_settings.forget_worker_s * 1000
        return [
            consumer["name"]
            for consumer in facts
            if not consumer["pending"] and consumer["idle"] >= idle_ms and consumer["name"] != RECOVERY_CONSUMER
        ]

    def _server_ms(self) -> int:
        seconds, micros = self._wire.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000
