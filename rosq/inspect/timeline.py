"""What the event stream still knows: the events of a job, and the deliveries that they tell of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq.events import Event
from rosq.inspect.view import at_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from rosq.keys import Keys

#: Events that one command reads.
_PAGE = 500
#: Events that are looked through for those of a job: twice what a queue keeps by default.
MAX_EVENTS = 20_000

_ENDS = {Event.COMPLETED, Event.RETRIED, Event.SNOOZED, Event.RELEASED, Event.FAILED}
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
    fence: str
    started_at: datetime
    #: None while it runs, or where nobody knows.
    ended_at: datetime | None = None
    #: running, completed, retried, failed, snoozed, released, crashed; repeated: its answer was lost, and the same
    #: process was handed the job anew.
    outcome: str = "running"
    duration_s: float | None = None
    error: str | None = None


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
    when = at_ms(entry_id.partition("-")[0])
    assert when is not None
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


def read_timeline(client: Any, keys: Keys, job_id: str) -> Timeline:
    """Collect what the newest events say of a job, back to its last beginning."""
    found: list[EventView] = []
    looked_at = 0
    for event in iterate_back(client, keys):
        looked_at += 1
        if event.job_id != job_id:
            continue
        found.append(event)
        if event.event == Event.ENQUEUED:
            break
    found.reverse()
    is_whole = bool(found) and found[0].event in _BEGINNINGS
    return Timeline(events=found, deliveries=_read_deliveries(found), is_whole=is_whole, looked_at=looked_at)


def find_last_events(
    client: Any, keys: Keys, job_ids: Sequence[str], is_wanted: Callable[[EventView], bool] = lambda _: True
) -> dict[str, EventView]:
    """Find the newest event of each of these jobs, in one pass."""
    missing, found = set(job_ids), {}
    if not missing:
        return {}
    for event in iterate_back(client, keys):
        if event.job_id in missing and is_wanted(event):
            found[event.job_id] = event
            missing.discard(event.job_id)
            if not missing:
                break
    return found


def _read_deliveries(events: list[EventView]) -> list[DeliveryView]:
    ended: list[DeliveryView] = []
    open_one: DeliveryView | None = None
    for event in events:
        if event.event == Event.STARTED:
            if open_one is not None:
                ended.append(_end(open_one, event, "repeated"))
            facts = event.facts
            open_one = DeliveryView(worker=facts["worker"], fence=facts["fence"], started_at=event.at)
        elif open_one is not None and event.event == Event.CRASHED:
            ended.append(_end(open_one, event, "crashed"))
            open_one = None
        elif open_one is not None and event.event in _ENDS:
            # Of too many crashes a job fails without a settlement: then no fence is told.
            ended.append(_end(open_one, event, event.event if "fence" in event.facts else "crashed"))
            open_one = None
    return [*ended, open_one] if open_one is not None else ended


def _end(delivery: DeliveryView, event: EventView, outcome: str) -> DeliveryView:
    return dataclasses.replace(
        delivery,
        ended_at=event.at,
        outcome=outcome,
        duration_s=(event.at - delivery.started_at).total_seconds(),
        error=event.facts.get("error"),
    )
