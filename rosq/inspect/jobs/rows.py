"""Jobs as rows of a list: read by the hundred, without their data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq.connection.reading import read_hashes
from rosq.inspect.ages import left_s, span_s
from rosq.job import JobState
from rosq.names import MAIN_LANE
from rosq.store.fields import read_entry_ms, read_whole, to_datetime
from rosq.store.finder import read_created
from rosq.store.history import read_started_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rosq.inspect.jobs.sources import Found
    from rosq.store.keys import Keys

_FIELDS = (
    "state",
    "lane",
    "attempts",
    "crashes",
    "worker",
    "fence",
    "last_error",
    "error_class",
    "created_at_ms",
    "started_at_ms",
    "finished_at_ms",
    "lease_until_ms",
    "entry_id",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job in a list."""

    job_id: str
    state: JobState
    lane: str
    attempts: int
    crashes: int
    worker: str | None
    last_error: str | None
    #: Of the exception behind it, where there was one.
    error_class: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    #: Below 0: overdue.
    due_in_s: float | None
    lease_left_s: float | None
    #: How long it has been in its state; a delayed job: since it was put on the queue. None where the server's clock
    #: was set back since.
    age_s: float | None


def read_rows(client: Any, keys: Keys, found: Sequence[Found], now: datetime) -> list[JobRow]:
    """Read the jobs that were found; one that has moved on or vanished since is left out.

    One whose key is of another type is a row without facts: it hides no other.
    """
    if not found:
        return []
    pipe = client.pipeline(transaction=False)
    for each in found:
        pipe.hmget(keys.job(each.job_id), _FIELDS)
    rows = []
    for each, values in zip(found, read_hashes(pipe), strict=True):
        fields = dict(zip(_FIELDS, values or [None] * len(_FIELDS), strict=True))
        is_there = fields["state"] == each.state.value and each.entry_id in (None, fields["entry_id"])
        if values is None or is_there:
            state = each.state if is_there else JobState.UNREADABLE
            rows.append(_read_row(each, state, fields, now))
    return rows


def _read_row(found: Found, state: JobState, fields: dict[str, Any], now: datetime) -> JobRow:
    started, finished = to_datetime(read_started_ms(fields)), to_datetime(fields["finished_at_ms"])
    created = read_created(fields)
    since, lease_until = created, None
    if state is JobState.WAITING and found.entry_id:
        since = to_datetime(read_entry_ms(found.entry_id))
    elif state is JobState.ACTIVE:
        since, lease_until = started, to_datetime(fields["lease_until_ms"] or 0.0)
    elif state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED):
        since = finished
    due = to_datetime(found.due_ms)
    return JobRow(
        job_id=found.job_id,
        state=state,
        lane=fields["lane"] or MAIN_LANE,
        attempts=read_whole(fields["attempts"]) or 0,
        crashes=read_whole(fields["crashes"]) or 0,
        worker=fields["worker"],
        last_error=fields["last_error"],
        error_class=fields["error_class"] or None,
        created_at=created,
        started_at=started,
        finished_at=finished,
        due_at=due,
        due_in_s=left_s(due, now),
        lease_left_s=left_s(lease_until, now),
        age_s=span_s(since, now),
    )
