"""Recovery: jobs of holders whose lease ran out go back into their lanes, and bells ring for whatever waits."""

from __future__ import annotations

import collections
import logging
from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.connection.translating import is_missing
from rosq.maintenance.service import Swept, always
from rosq.names import RECOVERY_CONSUMER
from rosq.scripts import loader
from rosq.store.keys import GROUP, Keys
from rosq.store.lanes import iterate_lanes, ring_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.connection.wire import ScriptCall, Wire
    from rosq.settings import WorkerSettings
    from rosq.store.standing import StandingSettings

log = logging.getLogger(__name__)

#: Entries of one lane that one command claims: they may carry up to 64 KiB each.
_ENTRIES = 25
#: What `recover.lua` answers of a job that was put back, failed, or was cancelled, and of an entry without a job.
_PUT_BACK, _FAILED, _CANCELLED, _DROPPED = 1, 2, 3, -1


class Recovery:
    """Looks through all lanes, a hundred in a round trip."""

    name = "recovery"

    def __init__(self, *, keys: Keys, wire: Wire, standing: StandingSettings, settings: WorkerSettings) -> None:
        self._keys = keys
        self._wire = wire
        self._standing = standing
        self._lease_ms = settings.lease_ms
        self.period_s = settings.beat_s
        #: While the server was away leases ran out unrenewed, and whoever came back first would take every job from a
        #: holder that is about to come back too.
        self.steady_s = settings.lease_s

    def run_once(self, go_on: Callable[[], bool] = always) -> Swept:
        """Make one pass; see `Service`."""
        outcomes: collections.Counter[int] = collections.Counter()
        # The timer's, where there is no lane at all.
        ring_on(self._wire, self._keys, ())
        for lanes in iterate_lanes(self._wire, self._keys):
            if not go_on():
                break
            outcomes.update(self._recover_lanes(lanes))
            ring_on(self._wire, self._keys, lanes)
        return Swept(
            put_back=outcomes[_PUT_BACK],
            failed=outcomes[_FAILED],
            cancelled=outcomes[_CANCELLED],
            dropped=outcomes[_DROPPED],
        )

    def _recover_lanes(self, lanes: Sequence[str]) -> list[int]:
        outcomes: list[int] = []
        cursors = dict.fromkeys(lanes, "0-0")
        while cursors:
            commands = [
                ("XAUTOCLAIM", self._keys.lane(lane), GROUP, RECOVERY_CONSUMER, self._lease_ms, at, "COUNT", _ENTRIES)
                for lane, at in cursors.items()
            ]
            answers = zip(cursors, self._wire.try_many(commands), strict=True)
            cursors, found = {}, []
            for lane, answer in answers:
                if isinstance(answer, errors.ScriptFailed):
                    if not is_missing(answer):
                        self._tell_failure("A lane couldn't be looked through", answer, lane)
                    continue
                # COUNT 1 looks at ten entries and may return a cursor and nothing: the end is 0-0, never an empty
                # answer.
                if answer[0] != "0-0":
                    cursors[lane] = answer[0]
                # 6.2 lists entries that were deleted while pending as nil and keeps them pending; newer servers clean
                # up.
                found += [(lane, *entry) for entry in answer[1] if entry is not None and entry[1]]
            outcomes += self._recover(found)
        return outcomes

    def _recover(self, found: Sequence[tuple[str, str, list[str]]]) -> list[int]:
        """Put back the jobs of these entries; one that the script fails at doesn't keep the others waiting."""
        keys, kept = self._keys, self._standing.current
        calls: list[ScriptCall] = []
        job_ids = [dict(zip(fields[::2], fields[1::2], strict=True)).get("job_id", "") for _, _, fields in found]
        for (lane, entry_id, _), job_id in zip(found, job_ids, strict=True):
            script_keys = [keys.events, keys.meta, keys.delayed, keys.timer_bell, keys.failed, keys.job(job_id)]
            script_keys += [keys.lane(lane), keys.lane_bell(lane), keys.cancelled, keys.lanes]
            args: list[str | int] = [kept.max_events, job_id, entry_id, kept.max_crashes]
            calls.append((script_keys, [*args, int(kept.crash_pause_s * 1000), lane]))
        answers = self._wire.run_many(loader.load("recover", KEEP_DELIVERIES=kept.keep_deliveries), calls)
        outcomes = []
        for (lane, entry_id, _), job_id, answer in zip(found, job_ids, answers, strict=True):
            if isinstance(answer, errors.ScriptFailed):
                self._tell_failure("A job couldn't be recovered", answer, lane, entry_id)
                continue
            outcomes.append(int(answer))
            if answer > 0:
                self._tell(job_id, int(answer))
        return outcomes

    def _tell(self, job_id: str, outcome: int) -> None:
        log.warning(
            "Took a job from a holder whose lease ran out",
            extra={
                "event": "job_recovered",
                "queue": self._keys.queue,
                "job_id": job_id,
                "is_failed": outcome == _FAILED,
                "is_cancelled": outcome == _CANCELLED,
            },
        )

    def _tell_failure(self, sentence: str, error: errors.ScriptFailed, lane: str, entry_id: str = "") -> None:
        log.error(
            sentence,
            exc_info=error,
            extra={
                "event": "recovery_failed",
                "queue": self._keys.queue,
                "lane": lane,
                "entry_id": entry_id,
                **facts.of_error(error),
            },
        )
