"""What the event stream still knows: the events of a job, and the deliveries that they tell of.

Not every step has an event of its own: jobs that were put on the queue together share one, and a delivery may be told
of only when it ends. What is missing comes from the job's hash: when it was put on the queue, and its last delivery.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rosq.inspect.ages import span_s
from rosq.inspect.view import at
from rosq.job import Event, JobState
from rosq.store.fields import to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rosq.job import Job
    from rosq.store.keys import Keys

#: Events that one command reads.
_PAGE = 500
#: Events that are looked through for those of a job: twice what a queue keeps by default.
MAX_EVENTS = 20_000

#: How much earlier than its job an event may seem to be.
_CLOCK_MARGIN = timedelta(seconds=5)

_ENDS = {Event.COMPLETED, Event.RETRIED, Event.SNOOZED, Event.RELEASED, Event.FAILED, Event.CANCELLED}
#: What a job may have been that was cancelled while nobody had it.
_AT_REST = (JobState.WAITING, JobState.DELAYED)
_BEGINNINGS = {Event.ENQUEUED, Event.REOPENED, Event.RESTARTED}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One event, as its script wrote it."""

    #: Its id in the stream; ids grow.
    id: str
    at: datetime
    event: str
    job_id: str | None
    #: What else it says, as text; `docs/events.md` has the fields of each.
    facts: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One hand-out of a job, as far as events tell."""

    worker: str
    #: '' where only a crash tells of it.
    fence: str
    #: None where no event tells, and it isn't the last one.
    started_at: datetime | None
    #: None while it runs, or where nobody knows.
    ended_at: datetime | None = None
    #: running, completed, retried, failed, snoozed, released, cancelled, crashed; repeated: its answer was lost, and
    #: the same process was handed the job anew.
    outcome: str = "running"
    duration_s: float | None = None
    error: str | None = None
    #: Of the exception; None where it isn't known.
    error_class: str | None = None
    #: Where it came from; only where it was asked for, is known and still kept.
    trace: str | None = None
    #: How many in a row it stands for, of which it is the last; and when the first of them began.
    count: int = 1
    first_started_at: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A job's events, oldest first."""

    events: list[EventView]
    deliveries: list[DeliveryView]
    #: Whether it begins at the beginning: events are kept for a while only.
    is_whole: bool
    #: How many events, of all jobs, were looked through.
    looked_at: int


def read_entry(entry_id: str, fields: dict[str, str]) -> list[EventView]:
    """Read an entry of the event stream: one event, or several of the same instant. A worker that settles a job and is
    handed the next one tells both in one entry, and a producer that puts a few jobs on the queue at once names them."""
    when = at(int(entry_id.partition("-")[0]) / 1000)
    own = ("event", "job_id", "job_ids", "next", "next_fence")
    rest = {key: value for key, value in fields.items() if key not in own}
    job_ids: list[str | None] = [fields.get("job_id")]
    if "job_ids" in fields:
        job_ids = [*fields["job_ids"].split(" ")]
    name = fields.get("event", "unknown")
    told = [EventView(id=entry_id, at=when, event=name, job_id=job_id, facts=rest) for job_id in job_ids]
    if "next" in fields:
        facts = {"worker": fields.get("worker", ""), "fence": fields.get("next_fence", "")}
        told.append(EventView(id=entry_id, at=when, event=Event.STARTED.value, job_id=fields["next"], facts=facts))
    return told


def iterate_back(client: Any, keys: Keys, max_events: int = MAX_EVENTS) -> Iterator[EventView]:
    """Go through the newest events, newest first, page by page."""
    end, left = "+", max_events
    while left > 0:
        entries = client.xrevrange(keys.events, end, "-", count=min(_PAGE, left))
        for entry_id, fields in entries:
            yield from reversed(read_entry(entry_id, fields))
        if len(entries) < min(_PAGE, left):
            return
        left -= len(entries)
        end = f"({entries[-1][0]}"


def read_timeline(client: Any, keys: Keys, job_id: str, job: Job | None = None) -> Timeline:
    """Collect what the newest events say of a job, back to its last beginning.

    Args:
        job: The job as it stands; None where the queue doesn't know it, and its events are all there is.
    """
    found: list[EventView] = []
    looked_at = 0
    is_past = False
    # Events older than the job are of an earlier one of its id. The clock may have been set back since.
    begun = None if job is None or job.created_at is None else job.created_at - _CLOCK_MARGIN
    for event in iterate_back(client, keys):
        looked_at += 1
        if begun is not None and event.at < begun:
            is_past = True
            break
        if event.job_id != job_id:
            continue
        found.append(event)
        if event.event == Event.ENQUEUED:
            break
    found.reverse()
    is_whole = is_past or (bool(found) and found[0].event in _BEGINNINGS)
    deliveries = _add_last(_read_deliveries(found, job), job)
    return Timeline(events=found, deliveries=deliveries, is_whole=is_whole, looked_at=looked_at)


def _read_deliveries(events: list[EventView], job: Job | None) -> list[DeliveryView]:
    ended: list[DeliveryView] = []
    open_one: DeliveryView | None = None
    for event in events:
        facts = event.facts
        if event.event == Event.STARTED:
            if open_one is not None:
                ended.append(_end(open_one, event, "repeated"))
            open_one = DeliveryView(
                worker=facts.get("worker", "unknown"), fence=facts.get("fence", ""), started_at=event.at
            )
            continue
        outcome = _outcome_of(event)
        if outcome is None:
            continue
        ended.append(_end(open_one or _begin(event, job), event, outcome))
        open_one = None
    return [*ended, open_one] if open_one is not None else ended


def _outcome_of(event: EventView) -> str | None:
    """How a delivery ended by an event; None where it tells of no end."""
    if event.event == Event.CRASHED:
        return "crashed"
    if event.event in _ENDS:
        if "fence" in event.facts:
            return event.event
        # Without a settlement a job fails of too many crashes, or is cancelled: after a crash, or before it ran.
        return None if event.facts.get("was") in _AT_REST else "crashed"
    return None


def _begin(end: EventView, job: Job | None) -> DeliveryView:
    """The delivery that an event ends, where no event told of its beginning."""
    fence = end.facts.get("fence", "")
    started_at = to_datetime(end.facts.get("started_at_ms"))
    if started_at is None and job is not None and fence == str(job.fence):
        started_at = job.started_at
    return DeliveryView(worker=end.facts.get("worker", "unknown"), fence=fence, started_at=started_at)


def _add_last(deliveries: list[DeliveryView], job: Job | None) -> list[DeliveryView]:
    """Add the delivery that runs, where no event told of it."""
    if job is None or job.state is not JobState.ACTIVE or any(each.outcome == "running" for each in deliveries):
        return deliveries
    running = DeliveryView(worker=job.worker or "unknown", fence=str(job.fence), started_at=job.started_at)
    return [*deliveries, running]


def _end(delivery: DeliveryView, event: EventView, outcome: str) -> DeliveryView:
    started_at = delivery.started_at
    return dataclasses.replace(
        delivery,
        ended_at=event.at,
        outcome=outcome,
        duration_s=span_s(started_at, event.at),
        error=event.facts.get("error"),
    )
