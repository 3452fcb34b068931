"""Mending half-states: jobs, entries and lists that contradict each other (`rosq.maintenance.half_states`).

Any worker's sweep makes a slice of it at a time, so that a queue of a million jobs is gone through within hours and
nobody notices; `rosq repair` does it at once. A mend is one script, which first looks again, so whoever mends the same
thing at the same time does no harm, and what is under way is never touched.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
from typing import TYPE_CHECKING

from rosq import errors
from rosq.clock import boot_time_s
from rosq.maintenance.half_states import ENTRY_KINDS, UNMENDABLE, UNPROVEN, Finding, HalfState, Place, Walk
from rosq.names import MAIN_LANE
from rosq.scripts import loader
from rosq.settings import QueueSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rosq.connection.wire import Wire
    from rosq.maintenance.half_states import Page
    from rosq.store.keys import Keys

log = logging.getLogger(__name__)

#: Steps of the walk that one call makes at most; of those that had nothing to look at, which cost less, more.
_STEPS = 10
_EMPTY_STEP = 0.2
#: Suspects that one call looks at a second time, and that are kept at all: a pass that finds more finds them again.
_SECOND_LOOKS = 50
_MAX_SUSPECTS = 1_000
#: Milliseconds that what is noted for the next call stays when there is none: nothing of ours lies about for ever.
_NOTES_LIFE_MS = 7 * 86_400_000
#: What is noted instead of a place between two passes.
_RESTING = "resting"

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
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What one call did, by kind; kinds of which there was nothing are left out."""

    #: Seen for the first time; those that can be mended are looked at again later.
    found: Mapping[HalfState, int]
    mended: Mapping[HalfState, int]
    #: Jobs, entries and members.
    looked_at: int
    #: Whether the walk is at its end; it begins anew after a rest.
    is_pass_over: bool


class Repair:
    """Mends one queue.

    Args:
        by: Who does it, and
        reason: why; both are written into the events.
        rest_s: Seconds between the first look at a half-state and its mend, in the background.
        lease_rest_s: The same for a lease whose worker is gone, which may be mended only if no heartbeat came in all
            that time: give far more than the time between two heartbeats of any worker of the queue.
        pass_rest_s: Seconds between two passes through the queue, in the background.

    Raises:
        ServerUnreachable: From every method; what was under way may have happened or not, and may be repeated.
        ScriptFailed: From every method: a key of the queue's own is of another type.
    """

    def __init__(
        self,
        *,
        keys: Keys,
        wire: Wire,
        max_events: int,
        by: str,
        reason: str,
        rest_s: float = 30.0,
        lease_rest_s: float = 3_600.0,
        pass_rest_s: float = 300.0,
    ) -> None:
        self.walk = Walk(keys, wire)
        self._keys = keys
        self._wire = wire
        self._max_events = max_events
        self._by = by
        self._reason = reason
        self._rest_s = rest_s
        self._lease_rest_s = lease_rest_s
        self._pass_rest_s = pass_rest_s

    def run_once(self, longest_s: float = 1.0) -> Repaired:
        """Look at what is suspected for a second time and mend it, then go on with the walk for a bounded while.

        How far it has come is noted in Redis, so that any worker goes on where the last one stopped. A crash midway
        leaves a slice to be looked at again.

        Args:
            longest_s: Seconds after which nothing further is begun.
        """
        until_s = boot_time_s() + longest_s
        mended = self._mend_suspects(until_s)
        found: collections.Counter[HalfState] = collections.Counter()
        place = start = self._read_place()
        looked_at, steps = 0, 0.0
        while place is not None and steps < _STEPS and boot_time_s() < until_s:
            page = self.walk.step(place)
            found.update(self._suspect(page.findings))
            looked_at += page.looked_at
            place = page.after
            steps += 1 if page.looked_at else _EMPTY_STEP
        if start is not None:
            self._note_place(place)
        return Repaired(found=found, mended=mended, looked_at=looked_at, is_pass_over=place is None)

    def go_through(self) -> Iterator[Page]:
        """Look at the whole queue, page by page; mends nothing. The caller mends what it gets."""
        place: Place | None = Place()
        while place is not None:
            page = self.walk.step(place)
            yield page
            place = page.after

    def mend(self, finding: Finding) -> bool:
        """Mend one half-state, if it is one still.

        Returns:
            Whether anything was changed; False where it can't be mended, has been already, or came right by itself.
        """
        if finding.kind in UNMENDABLE:
            return False
        keys = [self._keys.events, self._keys.delayed, self._keys.completed, self._keys.failed, self._keys.cancelled]
        keys.append(self._keys.lanes)
        if finding.kind in ENTRY_KINDS or finding.job_id:
            [place] = self.walk.locate([finding.job_id])
        else:
            place = (finding.lane, "")
        keys += self.walk.list_job_keys(finding.job_id, place)
        args: list[str | int] = [self._max_events, finding.kind, finding.job_id, *place, self._by, self._reason]
        if finding.kind in ENTRY_KINDS:
            keys += [self._keys.lane(finding.lane), self._keys.lane_bell(finding.lane)]
            args += [finding.entry_id, finding.lane]
        elif _SCRIPTS[finding.kind] == "mend_job":
            keys += [self._keys.lane_bell(place[0] or MAIN_LANE), self._keys.timer_bell]
            args.append(finding.mark)
        step = loader.load(_SCRIPTS[finding.kind], KEEP_DELIVERIES=QueueSettings().keep_deliveries)
        return bool(self._wire.run(step, keys, args))

    # -- what is kept between two calls --------------------------------------------------------------------------------

    def _suspect(self, findings: list[Finding]) -> list[HalfState]:
        """Note for a second look what was seen for the first time."""
        if not findings:
            return []
        now_ms = self._server_ms()
        room = max(_MAX_SUSPECTS - int(self._wire.call("ZCARD", self._keys.suspects)), 0)
        mendable = [finding for finding in findings if finding.kind not in UNMENDABLE][:room]
        commands: list[tuple[str | int, ...]] = []
        for finding in mendable:
            rest_s = self._lease_rest_s if finding.kind in UNPROVEN else self._rest_s
            commands.append(("ZADD", self._keys.suspects, "NX", now_ms + int(rest_s * 1000), finding.to_text()))
        added = self._wire.call_many([*commands, ("PEXPIRE", self._keys.suspects, _NOTES_LIFE_MS)])
        return [finding.kind for finding, is_new in zip(mendable, added, strict=False) if is_new]

    def _mend_suspects(self, until_s: float) -> collections.Counter[HalfState]:
        mended: collections.Counter[HalfState] = collections.Counter()
        command = ("ZRANGEBYSCORE", self._keys.suspects, "-inf", self._server_ms(), "LIMIT", 0, _SECOND_LOOKS)
        for text in self._wire.call(*command):
            if boot_time_s() >= until_s:
                break
            try:
                finding = Finding.from_text(text)
                if self.mend(finding):
                    mended[finding.kind] += 1
                    self._tell(finding)
            except (errors.ScriptFailed, ValueError):
                # Its key is broken, or a newer rosq has noted it: that doesn't keep the others waiting.
                log.exception(
                    "A half-state couldn't be mended",
                    extra={"event": "mend_failed", "queue": self._keys.queue, "finding": text},
                )
            # Whatever is still wrong is found again by the next pass.
            self._wire.call("ZREM", self._keys.suspects, text)
        return mended

    def _tell(self, finding: Finding) -> None:
        log.warning(
            "Mended a half-state",
            extra={
                "event": "half_state_mended",
                "queue": self._keys.queue,
                "kind": finding.kind.value,
                "job_id": finding.job_id,
                "lane": finding.lane,
            },
        )

    def _read_place(self) -> Place | None:
        """Where to go on; None while the walk rests between two passes."""
        text = self._wire.call("GET", self._keys.repair)
        if text == _RESTING:
            return None
        try:
            return Place.from_text(text) if text else Place()
        except ValueError:
            # Another rosq goes through the queue in another way.
            return Place()

    def _note_place(self, place: Place | None) -> None:
        if place is None:
            self._wire.call("SET", self._keys.repair, _RESTING, "PX", max(int(self._pass_rest_s * 1000), 1))
        else:
            self._wire.call("SET", self._keys.repair, place.to_text(), "PX", _NOTES_LIFE_MS)

    def _server_ms(self) -> int:
        seconds, micros = self._wire.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000
