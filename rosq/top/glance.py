"""What is on the screen at one time: which page of which queue is wanted, and what was found."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from rosq.job import JobState

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from rich.text import Text

    from rosq.errors import RosqError
    from rosq.inspect.job.job_view import JobView
    from rosq.inspect.overview import Overview


class Page(enum.StrEnum):
    """The pages, in the order of their keys."""

    QUEUES = "queues"
    JOBS = "jobs"
    WORKERS = "workers"
    LANES = "lanes"
    PENDING = "pending"
    ERRORS = "errors"
    EVENTS = "events"
    #: How much finished, by minute, hour or day: what `rosq inspect throughput` shows. The longer word doesn't fit into
    #: the eighty columns of a terminal.
    PACE = "pace"
    DOCTOR = "doctor"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user wants to see. Two that are equal want the same."""

    page: Page
    #: None: the only one there is, or none was chosen yet.
    queue: str | None = None
    #: Of the jobs page.
    state: JobState = JobState.ACTIVE
    #: Of the pace page: what it counts by, a name of `rosq.inspect.throughput.STEPS_S`.
    step: str = "minute"
    #: Of the doctor's page: which examination is meant. Another number is another one.
    examination: int = 0
    #: Looked for in a row, upper and lower case alike; '' for all.
    filter: str = ""
    #: A job whose details are open.
    job_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a page."""

    #: Tells it from all others of its page, so that the cursor stays on it.
    key: str
    cells: Sequence[str | Text]
    #: What Enter opens; None: nothing.
    opens: Wanted | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page: columns, the rows that the filter left, and how many there are in all."""

    columns: Sequence[str]
    rows: Sequence[Row]
    #: `50 of 1,000,000 shown`.
    note: str
    #: Whether the last column is folded to the width of the screen, and nothing of it is cut.
    is_folded: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What one look found."""

    wanted: Wanted
    #: The queue that was looked at; None where none was chosen, or where it can't be looked at.
    overview: Overview | None
    listing: Listing
    #: Why the queue that was chosen can't be looked at.
    error: RosqError | None = None
    #: The job whose details are open.
    job: JobView | None = None


def matches(pattern: re.Pattern[str] | None, cells: Sequence[str | Text]) -> bool:
    """Whether a row has what the filter looks for."""
    return pattern is None or pattern.search(" ".join(str(cell) for cell in cells)) is not None
