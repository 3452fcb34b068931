"""All views of a queue in one object, to be sent to whoever helps. No data of jobs are in it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq.inspect.events import EventFilter
from rosq.inspect.jobs.filters import JobFilter
from rosq.inspect.jobs.sources import LISTED
from rosq.inspect.view import View

if TYPE_CHECKING:
    from rosq.inspect.doctor.examination import Diagnosis
    from rosq.inspect.events import EventsView
    from rosq.inspect.inspector import Inspector
    from rosq.inspect.jobs.failures import ErrorsView
    from rosq.inspect.jobs.listing import JobsView
    from rosq.inspect.jobs.pending import PendingList
    from rosq.inspect.overview import Overview
    from rosq.inspect.throughput import Throughput
    from rosq.job import JobState

#: How much of each view is in it.
_JOBS, _EVENTS, _SCAN = 50, 1_000, 2_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(View):
    """What `rosq inspect snapshot` writes. Each part was seen at a time of its own."""

    overview: Overview
    #: The first fifty jobs of each state.
    jobs: dict[JobState, JobsView]
    pending: PendingList
    errors: ErrorsView
    #: The newest thousand.
    events: EventsView
    #: By the hour, of two days.
    throughput: Throughput
    doctor: Diagnosis


def take(inspector: Inspector, queue: str) -> Snapshot:
    """Look at everything, a bounded part of each."""
    overview = inspector.look(queue)
    return Snapshot(
        view="snapshot",
        queue=queue,
        seen_at=overview.seen_at,
        overview=overview,
        jobs={
            state: inspector.list_jobs(queue, JobFilter(states=(state,)), limit=_JOBS, scan=_SCAN) for state in LISTED
        },
        pending=inspector.list_pending(queue, limit=_JOBS),
        errors=inspector.group_errors(queue, since_s=None, by_text=True, scan=_SCAN),
        events=inspector.list_events(queue, EventFilter(), limit=_EVENTS),
        throughput=inspector.view_throughput(queue, step_s=3_600.0, steps=48),
        doctor=inspector.examine(queue, scan=_SCAN),
    )
