"""What the queue tells about jobs: values, never live objects."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, overload

from rosq.names import MAIN_LANE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


#: What a job carries: whatever JSON can say.
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JobData: TypeAlias = "Mapping[str, JsonValue]"


class JobState(enum.StrEnum):
    """The states of a job; `docs/job-life.md` has every way from one to another."""

    #: In a lane, to be taken by the next worker that reads it.
    WAITING = "waiting"
    #: In the hands of one worker, under a lease.
    ACTIVE = "active"
    #: Due at a time: a delayed start, a retry, a snooze, the pause after a crash.
    DELAYED = "delayed"
    #: Its handler returned. Kept for a while, then forgotten.
    COMPLETED = "completed"
    #: Its attempts or crashes are spent, or the handler said so. Kept for longer, then forgotten.
    FAILED = "failed"
    #: Cancelled, before it ran or while it did. Kept as long as a failed one, then forgotten.
    CANCELLED = "cancelled"
    #: Over, and forgotten or removed: nothing is left but that its id counts as a duplicate, for a while.
    FORGOTTEN = "forgotten"
    #: Under its key lies something that rosq hasn't written. `rosq doctor` names it, `rosq repair` puts it aside.
    UNREADABLE = "unreadable"


_STATES = {state.value: state for state in JobState}


def read_state(text: str | None) -> JobState:
    """The state of a job, from its hash: one that rosq doesn't know is unreadable."""
    return _STATES.get(text or "", JobState.UNREADABLE)


class Event(enum.StrEnum):
    """The events of a queue's stream; `docs/events.md` has when each is written and its fields."""

    ENQUEUED = "enqueued"
    REOPENED = "reopened"
    MOVED = "moved"
    PROMOTED = "promoted"
    STARTED = "started"
    COMPLETED = "completed"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    RELEASED = "released"
    SETTINGS_CHANGED = "settings_changed"
    FAILED = "failed"
    CANCEL_ASKED = "cancel_asked"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    DROPPED = "dropped"
    REPAIRED = "repaired"
    PUT_ASIDE = "put_aside"
    RESTARTED = "restarted"
    ADVANCED = "advanced"
    REMOVED = "removed"
    DRAINED = "drained"
    FORGOTTEN = "forgotten"
    PAUSED = "paused"
    RESUMED = "resumed"
    WORKER_JOINED = "worker_joined"
    WORKER_LEFT = "worker_left"


class EnqueueOutcome(enum.StrEnum):
    """What `enqueue` did."""

    CREATED = "created"
    #: A job of this id with this content exists already; nothing was changed.
    DUPLICATE = "duplicate"
    #: A job of this id exists with other content; nothing was changed.
    CONFLICT = "conflict"


class ReopenOutcome(enum.StrEnum):
    """What `reopen` did."""

    REOPENED = "reopened"
    #: The job is waiting, active or delayed; nothing was changed.
    LIVE = "live"


class Fate(enum.StrEnum):
    """What became of a job that was to be changed."""

    DONE = "done"
    #: It runs. Its handler is asked to stop, by this call or an earlier one.
    ASKED = "asked"
    #: It is over, runs, or isn't where or as it was seen; nothing was changed.
    MOVED_ON = "moved_on"
    #: The queue doesn't know it.
    UNKNOWN = "unknown"
    #: It can't be started again: its data went with its entry.
    DATA_LOST = "data_lost"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The answer to a change of one job, such as a `cancel` or a `move`."""

    job_id: str
    fate: Fate
    #: Where it stands now, as far as the answer says so.
    state: JobState | None = None

    def __bool__(self) -> bool:
        """Whether this call has changed it."""
        return self.fate is Fate.DONE


# Not frozen as the others are: to set the fields of a frozen one takes Python 0.75 µs in place of 0.2, of the two that
# a job of `enqueue_many` takes before anything can be sent.
@dataclasses.dataclass(slots=True, kw_only=True)
class NewJob:
    """A job to be put on the queue. Leave it alone while it is being put there."""

    job_id: str
    data: JobData
    lane: str = MAIN_LANE
    #: Seconds until it is due, ten years at most; 0 means at once.
    delay_s: float = 0.0
    #: In place of a delay: when it is due, with a time zone, within ten years. What is past means at once.
    due_at: datetime | None = None
    #: Every fence of this job will be greater. Give the greatest one that the outside has seen of it.
    fence_floor: int = 0
    #: Which of a worker's handlers it is for; empty for a worker that has one for all. Part of the job's content.
    name: str = ""
    #: What travels with the job beside its data, such as a trace. Another set of headers is no other content.
    headers: Mapping[str, str] | None = None
    #: Seconds that one run may take, in place of the worker's own limit.
    run_timeout_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """The answer to an `enqueue`."""

    job_id: str
    outcome: EnqueueOutcome
    #: Where the job stands now: of a duplicate or conflict, where the existing one stands.
    state: JobState


class EnqueuedMany(Sequence[Enqueued]):
    """The answers to an `enqueue_many`, in the order of the jobs.

    Each is made when it is looked at: of thousands most callers look at few, and as many objects at a time make Python
    look through all of its memory for what can be given back. Equal to any sequence of the same answers.
    """

    __slots__ = ("_job_ids", "_others")

    def __init__(self, job_ids: Sequence[str], others: Mapping[int, tuple[EnqueueOutcome, JobState]]) -> None:
        """Take the jobs' ids, and by its place what became of each that wasn't created and put into its lane."""
        self._job_ids = job_ids
        self._others = others

    def __len__(self) -> int:
        return len(self._job_ids)

    @overload
    def __getitem__(self, index: int) -> Enqueued: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Enqueued]: ...

    def __getitem__(self, index: int | slice) -> Enqueued | Sequence[Enqueued]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        outcome, state = self._others.get(at, (EnqueueOutcome.CREATED, JobState.WAITING))
        return Enqueued(job_id=self._job_ids[at], outcome=outcome, state=state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    def __repr__(self) -> str:
        return repr([*self])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The answer to a `reopen`."""

    job_id: str
    outcome: ReopenOutcome
    state: JobState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a handler logged."""

    #: By the server's clock.
    at: datetime
    text: str


class DeliveryOutcome(enum.StrEnum):
    """How a delivery ended."""

    #: It is under way.
    RUNNING = "running"
    COMPLETED = "completed"
    #: Its handler failed, and attempts were left.
    RETRIED = "retried"
    FAILED = "failed"
    SNOOZED = "snoozed"
    RELEASED = "released"
    SETTINGS_CHANGED = "settings_changed"
    #: Taken from a holder that didn't settle it.
    CRASHED = "crashed"
    #: Its job was cancelled while it ran.
    CANCELLED = "cancelled"
    #: An answer was lost, and the same process was handed the job anew.
    REPEATED = "repeated"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One delivery of a job, or several in a row that ended the same quiet way: snoozed, released or repeated."""

    outcome: DeliveryOutcome
    #: Of the last one, where it stands for several; so is all that follows but for `first_started_at`.
    worker: str
    fence: int
    #: By the server's clock, like all times here.
    started_at: datetime
    #: None while it is under way.
    ended_at: datetime | None
    #: How many in a row it stands for.
    count: int = 1
    #: When the first of them began.
    first_started_at: datetime
    #: The exception's class; None where it ended without one.
    error_class: str | None = None
    #: The error in one sentence, shortened.
    error: str | None = None
    #: Where it came from, shortened; None where it isn't known, or was dropped to keep the history small.
    trace: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stood when it was looked at."""

    job_id: str
    #: Empty of a forgotten one.
    data: JobData
    state: JobState
    #: It will run, or runs: it has an entry that will be delivered, a due time, or a lease. A hash alone isn't alive.
    is_live: bool
    lane: str
    #: Failures of its handler.
    attempts: int
    #: How often in a row it was taken from a holder that didn't settle it.
    crashes: int
    #: Of its last delivery, or the floor that it was given; 0 if neither.
    fence: int
    last_error: str | None
    created_at: datetime | None
    #: When a delayed job is due.
    due_at: datetime | None
    #: When the last delivery began, and to whom.
    started_at: datetime | None
    worker: str | None
    finished_at: datetime | None
    #: Until when its holder has it, by the server's clock; only while active.
    lease_until: datetime | None
    #: What the producer gave besides the data; see `NewJob`.
    name: str
    headers: Mapping[str, str]
    run_timeout_s: float | None
    #: The class of the exception behind `last_error`; None where it had none.
    error_class: str | None = None
    #: Its deliveries, oldest first, with the one that is under way; see `QueueSettings.keep_deliveries`.
    history: tuple[DeliveryRecord, ...] = ()
    #: How many deliveries are in it no more.
    history_dropped: int = 0
    #: Who asked for its cancelling, why, and when it was asked for; None where nobody did. A job that was completed or
    #: failed before it came to that keeps them.
    cancel_by: str | None = None
    cancel_reason: str | None = None
    cancel_asked_at: datetime | None = None
    #: What its handler reported last, and when; None where nothing was.
    progress: JsonValue = None
    progress_at: datetime | None = None
    #: What its handlers logged, oldest first, as far as it is kept.
    log: tuple[LogLine, ...] = ()
    #: Until when its handler rests, and why: see `Delivery.sleep`. None, and empty, where it works, or nobody has it.
    resting_until: datetime | None = None
    resting_why: str = ""
    #: Names of fields that hold something that rosq hasn't written: here they are left out; `rosq repair` mends them.
    unreadable: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Who asked for a job's cancelling, and why."""

    by: str
    reason: str
