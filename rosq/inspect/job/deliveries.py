"""A job's deliveries: from its history, and from events for what the history doesn't have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.inspect.ages import span_s
from rosq.inspect.job.timeline import DeliveryView
from rosq.job import DeliveryOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.job import DeliveryRecord, Job


def merge(job: Job | None, told: Sequence[DeliveryView], *, with_trace: bool) -> list[DeliveryView]:
    """List a job's deliveries, oldest first.

    Args:
        job: None, or one without a history, leaves what events tell.
        told: What events tell.
        with_trace: Whether traces are wanted.
    """
    history = job.history if job is not None else ()
    known = {record.fence for record in history}
    # One record may stand for several deliveries in a row: all between the record before it and itself.
    spans = [
        (before.fence if before is not None else 0, record.fence)
        for before, record in zip([None, *history], history, strict=False)
        if record.count > 1
    ]
    missing = [
        each
        for each in told
        if not each.fence.isdigit()
        or (int(each.fence) not in known and not any(low < int(each.fence) < high for low, high in spans))
    ]
    if history:
        # Without a fence it can't be told from those that are there.
        missing = [each for each in missing if each.fence.isdigit()]
    views = [*missing, *(_view(record, with_trace) for record in history)]
    return sorted(views, key=lambda view: int(view.fence) if view.fence.isdigit() else 0)


def _view(record: DeliveryRecord, with_trace: bool) -> DeliveryView:
    is_over = record.outcome is not DeliveryOutcome.RUNNING and record.ended_at is not None
    return DeliveryView(
        worker=record.worker,
        fence=str(record.fence),
        started_at=record.started_at,
        ended_at=record.ended_at,
        outcome=record.outcome.value,
        duration_s=span_s(record.started_at, record.ended_at) if is_over else None,
        error=record.error,
        error_class=record.error_class,
        trace=record.trace if with_trace else None,
        count=record.count,
        first_started_at=record.first_started_at,
    )
