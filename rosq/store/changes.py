"""What changes a job that lies in the queue: its script's keys and arguments, and what the answer means.

Producers do it to one job (`rosq.queue`), operators to many (`rosq.steering`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from rosq.errors import InvalidData
from rosq.job import Changed, Fate, JobState, read_state
from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.settings import QueueSettings
    from rosq.store.keys import Keys

#: A script's keys and arguments.
Call: TypeAlias = "tuple[list[str], list[str | int]]"

#: Letters of who and why that are kept.
_TEXT_MAX = 500
#: What a job is after a script has done it.
_BECOMES = {
    ("cancel", Fate.DONE): JobState.CANCELLED,
    ("cancel", Fate.ASKED): JobState.ACTIVE,
    ("retry", Fate.DONE): JobState.WAITING,
    ("promote", Fate.DONE): JobState.WAITING,
}
_FATES = {1: Fate.DONE, 2: Fate.ASKED, 0: Fate.MOVED_ON, -1: Fate.MOVED_ON, -2: Fate.UNKNOWN, -3: Fate.DATA_LOST}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who changes something, and why: it stands in the events."""

    by: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job as it was seen when the change was decided on."""

    job_id: str
    #: None where it doesn't matter.
    state: JobState | None
    lane: str
    #: As the job's hash spells it; '' where it isn't finished.
    finished_at_ms: str = ""


def check_who(what: str, by: str, reason: str) -> Who:
    """Check who and why, and cut what is too long.

    Args:
        what: What is done, for the message: "cancels job 1".

    Raises:
        InvalidData: One of them is missing.
    """
    if not by.strip() or not reason.strip():
        raise InvalidData(f"Say who {what}, and why.")
    return Who(by=by.strip()[:_TEXT_MAX], reason=reason.strip()[:_TEXT_MAX])


def load_step(name: str, kept: QueueSettings) -> loader.Script:
    """Return a script that changes a job, with what the queue keeps as its constants."""
    return loader.load(
        name,
        KEEP_DELIVERIES=kept.keep_deliveries,
        KEEP_CANCELLED=kept.keep_cancelled,
        KEEP_CANCELLED_MS=int(kept.keep_cancelled_s * 1000),
        REMEMBER_MS=kept.remember_ms,
    )


def spell(job: Seen) -> tuple[str, str, str]:
    """A job's id, its lane, and the state in which it must be; '' for any."""
    return job.job_id, job.lane, "" if job.state is None else job.state.value


def move(keys: Keys, max_events: int, job: Seen, to_lane: str, who: Who | None) -> Call:
    """What moves a job that waits or is delayed into another lane (`move.lua`)."""
    script_keys = [keys.events, keys.lanes, keys.job(job.job_id), keys.lane(job.lane)]
    script_keys += [keys.lane(to_lane), keys.lane_bell(to_lane)]
    args: list[str | int] = [max_events, job.job_id, job.lane, to_lane]
    return script_keys, args if who is None else [*args, who.by, who.reason]


def cancel(keys: Keys, max_events: int, job: Seen, who: Who) -> Call:
    """What cancels a job, or asks its handler to stop (`cancel.lua`)."""
    script_keys = [keys.events, keys.meta, keys.delayed, keys.cancelled, keys.job(job.job_id), keys.lane(job.lane)]
    return script_keys, [max_events, *spell(job), who.by, who.reason]


def read_change(script: str, job_id: str, answer: int | Sequence[int | str]) -> Changed:
    """Read what a script that changes one job answers: a code, and the state of a job that was left as it is."""
    code, *found = [answer] if isinstance(answer, int) else answer
    fate = _FATES[int(code)]
    state = read_state(str(found[0])) if found else _BECOMES.get((script, fate))
    return Changed(job_id=job_id, fate=fate, state=state)
