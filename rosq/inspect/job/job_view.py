"""One job: what is known of it, what happened to it, what comes next."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from rosq.inspect import overview as overviews
from rosq.inspect.job import deliveries
from rosq.inspect.job.explain import Explainer, Explanation
from rosq.inspect.job.phrases import show_progress
from rosq.inspect.job.timeline import DeliveryView, EventView, read_timeline
from rosq.inspect.view import DEFAULT_LOG_LINES, View
from rosq.store.finder import find_jobs

if TYPE_CHECKING:
    from datetime import datetime

    from rosq.inspect.job.timeline import Timeline
    from rosq.job import Job, JobData, JsonValue, LogLine
    from rosq.store.keys import Keys


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobView(View):
    """What `rosq inspect job` shows."""

    job_id: str
    #: `unknown` where only its events are left.
    state: str
    is_live: bool
    is_inconsistent: bool
    lane: str | None
    attempts: int
    crashes: int
    fence: int
    worker: str | None
    last_error: str | None
    error_class: str | None
    created_at: datetime | None
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    lease_until: datetime | None
    #: Until when its handler rests, and why; None, and empty, where it works.
    resting_until: datetime | None
    resting_why: str
    data_bytes: int
    #: Only where it was asked for: it may hold what isn't for everyone.
    data: JobData | None
    #: Who asked for its cancelling, why and when; None where nobody did.
    cancel_by: str | None
    cancel_reason: str | None
    cancel_asked_at: datetime | None
    #: What its handler reported last. Anything but a bare number only where data were asked for, like them.
    progress: JsonValue
    is_progress_hidden: bool
    progress_at: datetime | None
    #: The last lines that its handlers logged; None where data weren't asked for. `log_lines` are there.
    log: list[LogLine] | None
    log_lines: int
    #: Names of fields of its hash that hold something that rosq hasn't written.
    unreadable: list[str]
    #: One sentence each: where it stands, and what comes next.
    verdict: str
    reasons: list[str]
    next: str
    next_at: datetime | None
    #: From the job's history, and from events for what that doesn't have.
    deliveries: list[DeliveryView]
    #: How many of them the history has dropped; events may still tell of some.
    deliveries_dropped: int
    events: list[EventView]
    #: False: older events of it are no longer kept.
    is_timeline_whole: bool
    events_looked_at: int


def explain(client: Any, keys: Keys, address: str, job_id: str) -> Explanation:
    """Explain one job."""
    return _look(client, keys, address, job_id)[1]


def view_job(
    client: Any,
    keys: Keys,
    address: str,
    job_id: str,
    *,
    with_data: bool,
    with_trace: bool,
    log_lines: int = DEFAULT_LOG_LINES,
) -> JobView:
    """Tell all that is known of one job."""
    job, told, timeline = _look(client, keys, address, job_id)
    progress, is_hidden = show_progress(job, with_data=with_data)
    return JobView(
        view="job",
        queue=keys.queue,
        seen_at=told.seen_at,
        job_id=job_id,
        state=told.state,
        is_live=job is not None and job.is_live,
        is_inconsistent=told.is_inconsistent,
        lane=job.lane if job else None,
        attempts=job.attempts if job else 0,
        crashes=job.crashes if job else 0,
        fence=job.fence if job else 0,
        worker=job.worker if job else None,
        last_error=job.last_error if job else None,
        error_class=job.error_class if job else None,
        created_at=job.created_at if job else None,
        due_at=job.due_at if job else None,
        started_at=job.started_at if job else None,
        finished_at=job.finished_at if job else None,
        lease_until=job.lease_until if job else None,
        resting_until=job.resting_until if job else None,
        resting_why=job.resting_why if job else "",
        data_bytes=len(json.dumps(job.data, ensure_ascii=False, separators=(",", ":")).encode()) if job else 0,
        data=job.data if job and with_data else None,
        cancel_by=job.cancel_by if job else None,
        cancel_reason=job.cancel_reason if job else None,
        cancel_asked_at=job.cancel_asked_at if job else None,
        progress=progress,
        is_progress_hidden=is_hidden,
        progress_at=job.progress_at if job else None,
        log=list(job.log[len(job.log) - min(log_lines, len(job.log)) :]) if job and with_data else None,
        log_lines=len(job.log) if job else 0,
        unreadable=list(job.unreadable) if job else [],
        verdict=told.verdict,
        reasons=told.reasons,
        next=told.next,
        next_at=told.next_at,
        deliveries=deliveries.merge(job, timeline.deliveries, with_trace=with_trace),
        deliveries_dropped=job.history_dropped if job else 0,
        events=timeline.events,
        is_timeline_whole=timeline.is_whole,
        events_looked_at=timeline.looked_at,
    )


def _look(client: Any, keys: Keys, address: str, job_id: str) -> tuple[Job | None, Explanation, Timeline]:
    overview = overviews.look(client, keys, address)
    job = find_jobs(client, keys, [job_id]).get(job_id)
    timeline = read_timeline(client, keys, job_id, job)
    return job, Explainer(client, keys, overview, timeline).explain(job_id, job), timeline
