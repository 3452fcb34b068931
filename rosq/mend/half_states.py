"""Half-states: facts about a job that contradict each other, such as an entry without a job.

One walk finds them, page by page, for `rosq doctor`, which tells of them, and for `rosq.mend.repair`, which
mends them. What is wrong is decided by scripts (`scripts/shared/half_states.lua`), each of which sees one instant, so
that a job that moves while it is looked for is never taken for a broken one. `docs/decisions/half-states.md` says how
each kind may come about and why its mend is safe.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from rosq import errors, facts
from rosq.connection.translating import is_missing
from rosq.scripts import loader
from rosq.store import foreign
from rosq.store.keys import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

#: Keys that one step of SCAN looks at, and members that one of ZSCAN does.
_SCAN_COUNT = 100
#: Entries that one command reads: they may carry up to 64 KiB each.
_ENTRIES = 50
#: Jobs or entries that one script judges: about a millisecond of the server's time.
_BATCH = 50
#: What `scripts/locate_jobs.lua` says of a key of another type.
_NO_HASH = ("not a hash", "not a hash")


class HalfState(enum.StrEnum):
    """The kinds; `scripts/shared/half_states.lua` has the same list."""

    #: It says that it waits or runs, but no entry will be handed out, nobody has a lease, and its data are there.
    NO_ENTRY = "no_entry"
    #: It says that it is delayed, but has no due time.
    NO_DUE_TIME = "no_due_time"
    #: An entry in a lane, or handed out, whose job isn't there.
    ENTRY_WITHOUT_JOB = "entry_without_job"
    #: An entry whose job is there and doesn't know of it.
    STRAY_ENTRY = "stray_entry"
    #: A pending list names an entry that was deleted.
    VANISHED_ENTRY = "vanished_entry"
    #: A due time whose job isn't there, or isn't delayed.
    STRAY_DUE_TIME = "stray_due_time"
    #: Listed as completed, failed or cancelled, but not there, or in another state: it would be forgotten although it
    #: is to run.
    STRAY_MEMBER = "stray_member"
    #: Completed, failed or cancelled, but on no list: nothing would ever forget it.
    NOT_LISTED = "not_listed"
    #: A lane with jobs that isn't on the list of lanes: nobody looks there for abandoned jobs.
    LANE_NOT_LISTED = "lane_not_listed"
    #: A lease stands, but its holder's process doesn't hold its worker's name any more.
    LEASE_WITHOUT_WORKER = "lease_without_worker"
    #: A job without data, in its hash as in its entry. Only its producer can put it back.
    DATA_LOST = "data_lost"
    #: Fields of a job's hash hold no such number, time or JSON as they should.
    UNREADABLE_FIELD = "unreadable_field"
    #: Under a job's key lies something that rosq hasn't written.
    MALFORMED = "malformed"
    #: Another key of the queue is of another type than rosq's.
    FOREIGN_KEY = "foreign_key"
    #: A counter, the key schema or the time of a pause in `meta` is none, or a worker's last sign of life no time.
    UNREADABLE_META = "unreadable_meta"


#: What is mended last: an entry that is met later may bring lost data back.
MENDED_LAST = frozenset({HalfState.DATA_LOST})
#: What one look doesn't prove: the holder may live all the same, and its next heartbeat would show it.
UNPROVEN = frozenset({HalfState.LEASE_WITHOUT_WORKER})
#: Kinds that are about an entry.
ENTRY_KINDS = frozenset({HalfState.ENTRY_WITHOUT_JOB, HalfState.STRAY_ENTRY, HalfState.VANISHED_ENTRY})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundHalfState:
    """One half-state, where it was found."""

    kind: HalfState
    #: '' where no job is known: a vanished entry, or a lane by itself.
    job_id: str
    #: The job's lane; of an entry, the entry's.
    lane: str
    entry_id: str = ""
    #: Stays the same as long as nobody renews the job's lease; '' where it doesn't matter.
    mark: str = ""
    #: A key by itself, and what is wrong with it.
    key: str = ""
    seen: str = ""

    @property
    def name(self) -> str:
        """What to call it: what was seen of a key, else the job, the entry, the lane."""
        is_lane = self.kind is HalfState.LANE_NOT_LISTED
        return facts.clean(self.lane if is_lane else self.seen or self.job_id or self.entry_id or self.lane)

    @property
    def identity(self) -> tuple[str, ...]:
        """The same for the same half-state, wherever it was found: each job of a lane shows that the lane isn't
        listed."""
        return (self.kind, self.lane) if self.kind is HalfState.LANE_NOT_LISTED else dataclasses.astuple(self)


class HalfStateTally:
    """What was found, each half-state once: how many of each kind, and the first of them."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._known: set[tuple[str, ...]] = set()
        self.counts: collections.Counter[HalfState] = collections.Counter()
        #: So many of each kind, at most.
        self.samples: dict[HalfState, list[FoundHalfState]] = {}

    def add(self, finding: FoundHalfState) -> bool:
        """Count it; False if it was counted before."""
        if finding.identity in self._known:
            return False
        self._known.add(finding.identity)
        self.counts[finding.kind] += 1
        samples = self.samples.setdefault(finding.kind, [])
        if len(samples) < self._kept:
            samples.append(finding)
        return True


class Stage(enum.StrEnum):
    """What a walk looks at, in this order."""

    #: First: keys of another type are in the way of all that follows.
    TYPES = "types"
    META = "meta"
    KEYS = "keys"
    ENTRIES = "entries"
    PENDING = "pending"
    DELAYED = "delayed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_STAGES = list(Stage)
_BY_LANE = (Stage.ENTRIES, Stage.PENDING)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WalkPlace:
    """How far a walk has come. Stays good whatever comes and goes in between, and on another server too."""

    stage: Stage = Stage.TYPES
    #: Of the stages that go lane by lane; '' before the first one.
    lane: str = ""
    #: Of SCAN and ZSCAN, or the last entry that was seen; '' is the beginning.
    cursor: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WalkPage:
    """What one step of a walk saw."""

    stage: Stage
    findings: list[FoundHalfState]
    #: Jobs, entries or members; other keys of the server, which SCAN passes too, aren't counted.
    looked_at: int
    #: Where to go on; None at the end.
    after: WalkPlace | None


class Walk:
    """Goes through a queue in steps, each of a few commands that take the server about a millisecond. Only reads.

    Raises:
        ServerUnreachable: From every method; repeat it.
        ScriptFailed: From every method: a key of the queue's own, such as a lane, is of another type.
    """

    def __init__(self, keys: Keys, wire: Wire) -> None:
        self._keys = keys
        self._wire = wire

    def step(self, place: WalkPlace) -> WalkPage:
        """Look at the next page from a place on."""
        if place.stage is Stage.TYPES:
            return self._step_types(place)
        if place.stage is Stage.META:
            return self._step_meta(place)
        if place.stage is Stage.KEYS:
            return self._step_keys(place)
        if place.stage in _BY_LANE:
            return self._step_lane(place)
        return self._step_members(place)

    def skip(self, place: WalkPlace) -> WalkPlace | None:
        """Leave out the rest of a stage."""
        number = _STAGES.index(place.stage) + 1
        return WalkPlace(stage=_STAGES[number]) if number < len(_STAGES) else None

    # -- the stages ----------------------------------------------------------------------------------------------------

    def _step_types(self, place: WalkPlace) -> WalkPage:
        cursor, count, found = foreign.step(self._wire, self._keys, place.cursor or "0")
        # A job's key harms that job alone: it is judged with the jobs.
        findings = [
            FoundHalfState(kind=HalfState.FOREIGN_KEY, job_id="", lane="", key=each.key, seen=str(each))
            for each in found
            if not each.key.startswith(self._keys.job_prefix)
        ]
        after = self.skip(place) if cursor == "0" else dataclasses.replace(place, cursor=cursor)
        return WalkPage(stage=place.stage, findings=findings, looked_at=count, after=after)

    def _step_meta(self, place: WalkPlace) -> WalkPage:
        meta, workers = self._keys.meta, self._keys.workers
        fields, scores = self._wire.run(loader.load("examine_meta"), [meta, workers], [])
        seen = [f"field {name} of {meta} is {text[:20]!r}" for name, text in _in_pairs(fields)]
        seen += [f"{workers} has worker {name} at {score}" for name, score in _in_pairs(scores)]
        findings = [
            FoundHalfState(kind=HalfState.UNREADABLE_META, job_id="", lane="", key=meta, seen=each) for each in seen
        ]
        return WalkPage(stage=place.stage, findings=findings, looked_at=0, after=self.skip(place))

    def _step_keys(self, place: WalkPlace) -> WalkPage:
        command = ("SCAN", place.cursor or "0", "MATCH", self._keys.pattern, "COUNT", _SCAN_COUNT)
        cursor, found = self._wire.call(*command)
        job_prefix, lane_prefix = self._keys.job_prefix, self._keys.lane("")
        job_ids = [key.removeprefix(job_prefix) for key in found if key.startswith(job_prefix)]
        lanes = [key.removeprefix(lane_prefix) for key in found if key.startswith(lane_prefix)]
        # What doesn't belong into the sorted sets is found there.
        findings = [*self._examine_jobs(job_ids, is_quick=True), *self._examine_lanes(lanes)]
        after = self.skip(place) if cursor == "0" else dataclasses.replace(place, cursor=cursor)
        return WalkPage(stage=place.stage, findings=findings, looked_at=len(job_ids), after=after)

    def _step_lane(self, place: WalkPlace) -> WalkPage:
        if not place.lane:
            after = self._next_lane(place)
            return WalkPage(stage=place.stage, findings=[], looked_at=0, after=after)
        stream, start = self._keys.lane(place.lane), f"({place.cursor}" if place.cursor else "-"
        if place.stage is Stage.ENTRIES:
            entries = [
                (entry_id, dict(zip(fields[::2], fields[1::2], strict=True)).get("job_id", ""))
                for entry_id, fields in self._wire.call("XRANGE", stream, start, "+", "COUNT", _ENTRIES)
            ]
            findings = self._examine_entries(place.lane, self._list_unmatched(place.lane, entries))
        else:
            entries = [(entry[0], "") for entry in self._list_pending(stream, start)]
            findings = self._examine_entries(place.lane, entries)
        is_over = len(entries) < _ENTRIES
        after = self._next_lane(place) if is_over else dataclasses.replace(place, cursor=entries[-1][0])
        return WalkPage(stage=place.stage, findings=findings, looked_at=len(entries), after=after)

    def _list_unmatched(self, lane: str, entries: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        if not entries:
            return []
        keys = [self._keys.job(job_id) for _, job_id in entries]
        matched = self._wire.run(loader.load("match_entries"), keys, [lane, *(entry_id for entry_id, _ in entries)])
        return [entry for entry, is_known in zip(entries, matched, strict=True) if not is_known]

    def _list_pending(self, stream: str, start: str) -> list[list[Any]]:
        try:
            found: list[list[Any]] = self._wire.call("XPENDING", stream, GROUP, start, "+", _ENTRIES)
        except errors.ScriptFailed as error:
            if is_missing(error):
                return []
            raise
        return found

    def _next_lane(self, place: WalkPlace) -> WalkPlace | None:
        lanes = [lane for lane in self._wire.call("SMEMBERS", self._keys.lanes) if lane > place.lane]
        return WalkPlace(stage=place.stage, lane=min(lanes)) if lanes else self.skip(place)

    def _step_members(self, place: WalkPlace) -> WalkPage:
        key = self._keys.members(place.stage)
        cursor, found = self._wire.call("ZSCAN", key, place.cursor or "0", "COUNT", _SCAN_COUNT)
        job_ids = found[::2]
        after = self.skip(place) if cursor == "0" else dataclasses.replace(place, cursor=cursor)
        return WalkPage(stage=place.stage, findings=self._examine_jobs(job_ids), looked_at=len(job_ids), after=after)

    # -- the judgement -------------------------------------------------------------------------------------------------

    def examine(self, finding: FoundHalfState) -> list[FoundHalfState]:
        """Look again at what a finding about a job, an entry or a lane is about, and tell what is wrong with it now."""
        if finding.kind in ENTRY_KINDS:
            return self._examine_entries(finding.lane, [(finding.entry_id, finding.job_id)])
        return self._examine_jobs([finding.job_id]) if finding.job_id else self._examine_lanes([finding.lane])

    def locate(self, job_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Say of each job in which lane it lies and which worker has it, '' where none has.

        Under a key that is no hash, both are 'not a hash'.
        """
        located: list[tuple[str, str]] = []
        for start in range(0, len(job_ids), _BATCH):
            keys = [self._keys.job(job_id) for job_id in job_ids[start : start + _BATCH]]
            answer = self._wire.run(loader.load("locate_jobs"), keys, [])
            located += zip(answer[::2], answer[1::2], strict=True)
        return located

    def list_job_keys(self, job_id: str, place: tuple[str, str]) -> list[str]:
        """The keys of a job, its lane and the hold of its worker, as scripts want them."""
        lane, worker = place
        return [self._keys.job(job_id), self._keys.lane(lane), self._keys.worker(worker)]

    def _examine_jobs(self, job_ids: Sequence[str], *, is_quick: bool = False) -> list[FoundHalfState]:
        findings: list[FoundHalfState] = []
        for start in range(0, len(job_ids), _BATCH):
            findings += self._examine_some_jobs(job_ids[start : start + _BATCH], is_quick=is_quick)
        return findings

    def _examine_some_jobs(self, job_ids: Sequence[str], *, is_quick: bool) -> list[FoundHalfState]:
        places = dict(zip(job_ids, self.locate(job_ids), strict=True))
        findings = [
            FoundHalfState(kind=HalfState.MALFORMED, job_id=job_id, lane="")
            for job_id, place in places.items()
            if place == _NO_HASH
        ]
        keys = [self._keys.delayed, self._keys.completed, self._keys.failed, self._keys.cancelled, self._keys.lanes]
        args: list[str | int] = [int(is_quick)]
        known = {job_id: place for job_id, place in places.items() if place != _NO_HASH}
        for job_id, place in known.items():
            keys += self.list_job_keys(job_id, place)
            args += [job_id, *place]
        if not known:
            return findings
        answer = self._wire.run(loader.load("examine_jobs"), keys, args)
        for (job_id, (lane, _)), kinds, mark in zip(known.items(), answer[::2], answer[1::2], strict=True):
            for name in kinds.split():
                kind = HalfState(name)
                findings.append(
                    FoundHalfState(kind=kind, job_id=job_id, lane=lane, mark=mark if kind in UNPROVEN else "")
                )
        return findings

    def _examine_entries(self, lane: str, entries: Sequence[tuple[str, str]]) -> list[FoundHalfState]:
        if not entries:
            return []
        keys, args = [self._keys.lane(lane), self._keys.delayed], list[str | int]([lane])
        judged: list[tuple[str, str]] = []
        for (entry_id, job_id), place in zip(entries, self.locate([job_id for _, job_id in entries]), strict=True):
            if place != _NO_HASH:
                judged.append((entry_id, job_id))
                keys += self.list_job_keys(job_id, place)
                args += [entry_id, job_id, *place]
        answer = self._wire.run(loader.load("examine_entries"), keys, args) if judged else []
        return [
            FoundHalfState(kind=HalfState(kind), job_id=job_id, lane=lane, entry_id=entry_id)
            for (entry_id, job_id), kind in zip(judged, answer, strict=True)
            if kind
        ]

    def _examine_lanes(self, lanes: Sequence[str]) -> list[FoundHalfState]:
        """Find lanes that have entries and aren't listed; one that is empty lacks nothing."""
        listed = self._wire.call_many([("SISMEMBER", self._keys.lanes, lane) for lane in lanes])
        unlisted = [lane for lane, is_listed in zip(lanes, listed, strict=True) if not is_listed]
        lengths = self._wire.call_many([("XLEN", self._keys.lane(lane)) for lane in unlisted])
        still = self._wire.call_many([("SISMEMBER", self._keys.lanes, lane) for lane in unlisted])
        return [
            FoundHalfState(kind=HalfState.LANE_NOT_LISTED, job_id="", lane=lane)
            for lane, length, is_listed in zip(unlisted, lengths, still, strict=True)
            if length and not is_listed
        ]


def _in_pairs(flat: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)
