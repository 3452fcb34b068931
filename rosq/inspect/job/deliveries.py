"""A job's deliveries: from its history, and from events for what the history doesn't have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.inspect.ages import span_s
from rosq.inspect.job.timeline import DeliveryView
from rosq.job import DeliveryOutcome
from rosq.store.fields import read_whole

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
    fences = [(each, read_whole(each.fence)) for each in told]
    # Without a fence it can't be told from those that are there.
    missing = [
        each
        for each, fence in fences
        if (not history if fence is None else fence not in known and not _is_within(fence, spans))
    ]
    views = [*missing, *(_view(record, with_trace) for record in history)]
    return sorted(views, key=lambda view: read_whole(view.fence) or 0)


def _is_within(fence: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(low < fence < high for low, high in spans)


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
