"""Whether keys fit together: the half-states of a bounded part of a queue, in words, with what to do about each."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from rosq.inspect.words import counted
from rosq.mend.half_states import UNPROVEN, HalfState, HalfStateTally, Stage, Walk, WalkPlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

#: How many of a kind are named.
_NAMED = 5
#: Steps of a stage that are made at most, for each that would be enough if the server held nothing else.
_STEPS_FACTOR = 4
_STEP_SIZE = 50

_REPAIR = "`rosq repair --why …` mends it."
_PUT_ASIDE = "Find out what writes there; `rosq repair --why …` puts them aside, as rosq:{QUEUE}:aside:…."
#: What is said of each kind, and what to do about it.
TOLD: Mapping[HalfState, tuple[str, str]] = {
    HalfState.NO_ENTRY: ("jobs say that they wait or run, but nothing will ever start them", _REPAIR),
    HalfState.NO_DUE_TIME: ("jobs say that they are delayed, but have no due time", _REPAIR),
    HalfState.ENTRY_WITHOUT_JOB: ("entries of lanes have no job", _REPAIR),
    HalfState.STRAY_ENTRY: ("entries of lanes have a job that doesn't know of them", _REPAIR),
    HalfState.VANISHED_ENTRY: ("entries are pending with somebody, but were deleted", _REPAIR),
    HalfState.STRAY_DUE_TIME: ("due times have no job, or one that isn't delayed", _REPAIR),
    HalfState.STRAY_MEMBER: (
        "jobs are listed as finished, but aren't there, or aren't finished: they would be forgotten",
        _REPAIR,
    ),
    HalfState.NOT_LISTED: ("jobs are finished, but on no list of finished jobs: nothing ever forgets them", _REPAIR),
    HalfState.LANE_NOT_LISTED: ("lanes with jobs aren't on the list of lanes: nobody looks after them", _REPAIR),
    HalfState.LEASE_WITHOUT_WORKER: (
        "jobs have a lease, but whoever had it doesn't hold its worker's name any more",
        "The lease runs out by itself, and another worker takes the job. If it never does, `rosq repair --why …`.",
    ),
    HalfState.DATA_LOST: (
        "jobs have lost their data",
        "Only their producer can put them back (`Queue.reopen`); `rosq repair --why …` lets them fail.",
    ),
    HalfState.UNREADABLE_FIELD: (
        "jobs have fields that hold something that rosq hasn't written",
        "Find out what writes there; `rosq repair --why …` takes it out.",
    ),
    HalfState.MALFORMED: (
        "jobs' keys are of another type, or have no state that rosq knows",
        _PUT_ASIDE,
    ),
    HalfState.FOREIGN_KEY: (
        "keys are of another type than rosq's, and what it kept there is gone",
        _PUT_ASIDE + " What can be made anew from the other keys is.",
    ),
    HalfState.UNREADABLE_META: (
        "facts about the queue as a whole can't be read",
        "Find out what writes there; `rosq repair --why …` takes it out.",
    ),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToldKind:
    """One kind of half-state, in words."""

    #: Whether one look proves it.
    is_proven: bool
    seen: str
    advice: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check came to."""

    told: list[ToldKind]
    #: In words.
    looked_at: str
    #: What was looked at in part only.
    cut: list[str]
    #: Whether keys of another type kept from looking at the rest.
    is_blocked: bool


def check(keys: Keys, wire: Wire, *, scan: int) -> Checked:
    """Look for half-states among so many jobs, entries and members of each kind at most. Only reads.

    Raises:
        ServerUnreachable: No answer; repeat it.
        ScriptFailed: A key of the queue's own is of another type.
    """
    walk = Walk(keys, wire)
    tally = HalfStateTally(_NAMED)
    looked_at: collections.Counter[Stage] = collections.Counter()
    steps: collections.Counter[Stage] = collections.Counter()
    cut: list[str] = []
    place: WalkPlace | None = WalkPlace()
    while place is not None:
        page = walk.step(place)
        for finding in page.findings:
            tally.add(finding)
        looked_at[page.stage] += page.looked_at
        steps[page.stage] += 1
        is_enough = looked_at[page.stage] >= scan or steps[page.stage] > _STEPS_FACTOR * (scan / _STEP_SIZE + 50)
        is_last = page.after is None or page.after.stage is not page.stage or is_enough
        if page.stage is Stage.TYPES and is_last and tally.counts[HalfState.FOREIGN_KEY]:
            break
        if is_enough and page.after is not None and page.after.stage is page.stage:
            cut.append(f"{looked_at[page.stage]:,} {_STAGE_WORDS[page.stage]}")
            place = walk.skip(page.after)
        else:
            place = page.after
    jobs = looked_at.pop(Stage.KEYS, 0)
    looked_at.pop(Stage.TYPES, 0)
    return Checked(
        told=tell(tally),
        looked_at=f"{counted(jobs, 'job')} looked at; entries and places: {looked_at.total():,}",
        cut=cut,
        is_blocked=bool(tally.counts[HalfState.FOREIGN_KEY]),
    )


_STAGE_WORDS: Mapping[Stage, str] = {
    Stage.TYPES: "keys",
    Stage.KEYS: "job keys",
    Stage.ENTRIES: "entries of lanes",
    Stage.PENDING: "pending ones",
    Stage.DELAYED: "delayed ones",
    Stage.COMPLETED: "completed ones",
    Stage.FAILED: "failed ones",
    Stage.CANCELLED: "cancelled ones",
}


def tell(tally: HalfStateTally) -> list[ToldKind]:
    """Say what was found, kind by kind, with a few names each."""
    told: list[ToldKind] = []
    for kind, (what, advice) in TOLD.items():
        count = tally.counts[kind]
        if count:
            names = ", ".join(finding.name for finding in tally.samples[kind][:_NAMED])
            more = f" … {count:,} in all" if count > _NAMED else ""
            seen = f"{what[0].upper()}{what[1:]} ({kind}): {names}{more}."
            told.append(ToldKind(is_proven=kind not in UNPROVEN, seen=seen, advice=advice))
    return told
