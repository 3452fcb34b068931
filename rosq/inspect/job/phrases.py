"""Parts of sentences on a job: how far it is, who asked, how often, how many are before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.inspect.words import counted, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.inspect.job.timeline import EventView
    from rosq.inspect.jobs.place import Place
    from rosq.job import Job, JsonValue

#: More than these aren't named.
_NAMED = 5


def show_progress(job: Job | None, *, with_data: bool) -> tuple[JsonValue, bool]:
    """What may be shown of a job's progress, and whether something is hidden: all but a bare number may be as personal
    as data."""
    if job is None or job.progress_at is None:
        return None, False
    is_shown = with_data or (isinstance(job.progress, int | float) and not isinstance(job.progress, bool))
    return (job.progress, False) if is_shown else (None, True)


def asked_by(job: Job) -> str:
    """Who asked for the cancelling of a job, when and why."""
    when = f" at {stamp(job.cancel_asked_at)}" if job.cancel_asked_at else ""
    return f"{job.cancel_by} asked for its cancelling{when} ({job.cancel_reason})"


def ahead(place: Place) -> str:
    """How many jobs come before it."""
    if not place.is_exact:
        return f"More than {place.ahead:,} jobs are"
    return counted(place.ahead, "job is", "jobs are")


def times(count: int) -> str:
    """How often."""
    return "once" if count == 1 else counted(count, "time")


def name_some(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def told_by(event: EventView) -> str:
    """Who did it by hand, and why; '' where nobody did."""
    by, reason = event.facts.get("by"), event.facts.get("reason")
    return f" by {by} ({reason})" if by else ""
