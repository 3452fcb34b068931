"""Mending half-states: jobs, entries and lists that contradict each other (`rosq.mend.half_states`).

`rosq repair` does it, beside living workers too. A mend is one script, which first looks again, so whoever mends the
same thing at the same time does no harm, and what is under way is never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.mend.half_states import ENTRY_KINDS, FoundHalfState, HalfState, Walk, WalkPlace
from rosq.names import MAIN_LANE
from rosq.scripts import loader
from rosq.store import foreign
from rosq.store.keys import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rosq.connection.wire import Wire
    from rosq.mend.half_states import WalkPage
    from rosq.settings import QueueSettings
    from rosq.store.keys import Keys

_SCRIPTS: Mapping[HalfState, str] = {
    HalfState.NO_ENTRY: "mend_job",
    HalfState.NO_DUE_TIME: "mend_job",
    HalfState.LEASE_WITHOUT_WORKER: "mend_job",
    HalfState.ENTRY_WITHOUT_JOB: "mend_entry",
    HalfState.STRAY_ENTRY: "mend_entry",
    HalfState.VANISHED_ENTRY: "mend_entry",
    HalfState.STRAY_DUE_TIME: "mend_members",
    HalfState.STRAY_MEMBER: "mend_members",
    HalfState.NOT_LISTED: "mend_finished",
    HalfState.LANE_NOT_LISTED: "mend_lane",
    HalfState.UNREADABLE_FIELD: "mend_fields",
    HalfState.DATA_LOST: "mend_lost",
}


class Repair:
    """Mends one queue.

    Args:
        kept: What the queue keeps: histories and events are cut to that.
        by: Who does it, and
        reason: why; both are written into the events.

    Raises:
        ServerUnreachable: From every method; what was under way may have happened or not, and may be repeated.
        ScriptFailed: From every method: a key of the queue's own is of another type.
    """

    def __init__(
        self,
        *,
        keys: Keys,
        wire: Wire,
        kept: QueueSettings,
        by: str,
        reason: str,
    ) -> None:
        self.walk = Walk(keys, wire)
        self._keys = keys
        self._wire = wire
        self._kept = kept
        self._by = by
        self._reason = reason

    def go_through(self) -> Iterator[WalkPage]:
        """Look at the whole queue, page by page; mends nothing. The caller mends what it gets."""
        place: WalkPlace | None = WalkPlace()
        while place is not None:
            page = self.walk.step(place)
            yield page
            place = page.after

    def mend(self, finding: FoundHalfState) -> bool:
        """Mend one half-state, if it is one still.

        Returns:
            Whether anything was changed; False where it was mended already, or came right by itself.
        """
        if finding.kind is HalfState.MALFORMED:
            return self._put_aside(self._keys.job(finding.job_id))
        if finding.kind is HalfState.FOREIGN_KEY:
            return self._put_aside(finding.key)
        if finding.kind is HalfState.UNREADABLE_META:
            return self._mend_meta()
        keys = [self._keys.events, self._keys.delayed, self._keys.completed, self._keys.failed, self._keys.cancelled]
        keys.append(self._keys.lanes)
        if finding.kind in ENTRY_KINDS or finding.job_id:
            [place] = self.walk.locate([finding.job_id])
        else:
            place = (finding.lane, "")
        keys += self.walk.list_job_keys(finding.job_id, place)
        args: list[str | int] = [self._kept.max_events, finding.kind, finding.job_id, *place, self._by, self._reason]
        if finding.kind in ENTRY_KINDS:
            keys += [self._keys.lane(finding.lane), self._keys.lane_bell(finding.lane)]
            args += [finding.entry_id, finding.lane]
        elif _SCRIPTS[finding.kind] == "mend_job":
            keys += [self._keys.lane_bell(place[0] or MAIN_LANE), self._keys.timer_bell]
            args.append(finding.mark)
        elif finding.kind is HalfState.UNREADABLE_FIELD:
            keys += [self._keys.lane(MAIN_LANE), self._keys.lane_bell(MAIN_LANE)]
        elif finding.kind is HalfState.DATA_LOST:
            keys.append(foreign.name_aside(self._wire, self._keys, self._keys.job(finding.job_id)))
        step = loader.load(_SCRIPTS[finding.kind], KEEP_DELIVERIES=self._kept.keep_deliveries)
        return bool(self._wire.run(step, keys, args))

    def _put_aside(self, key: str) -> bool:
        """Give a key another name, under which whoever wrote it finds it."""
        return foreign.put_aside(
            self._wire, self._keys, key, max_events=self._kept.max_events, by=self._by, reason=self._reason
        )

    def _mend_meta(self) -> bool:
        keys = [self._keys.meta, self._keys.workers, self._keys.events]
        args: list[str | int] = [self._kept.max_events, SCHEMA_VERSION, self._by, self._reason]
        return bool(self._wire.run(loader.load("mend_meta"), keys, args))
