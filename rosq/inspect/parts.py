"""The parts of a queue at a glance: its lanes, its workers, what is due first."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A lane: how much waits in it, for how long, and how much of it is being worked on."""

    name: str
    waiting: int
    active: int
    #: How long its first waiting job has been in the lane; None if none waits.
    oldest_waiting_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker, and the job that it holds."""

    name: str
    #: busy, idle, or lost: its hold on the name has run out.
    state: str
    host: str | None
    pid: int | None
    last_seen_at: datetime | None
    job_id: str | None = None
    lane: str | None = None
    attempt: int | None = None
    started_at: datetime | None = None
    running_s: float | None = None
    #: Until when its handler rests; None: it works.
    resting_until: datetime | None = None
    #: Below 0: it has run out, and the job is about to be given to another.
    lease_left_s: float | None = None
    #: Whether the lease stands for longer than a lease can: the server's clock was set back.
    is_lease_overlong: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NextDelayed:
    """The delayed job that is due first."""

    job_id: str
    #: None: no calendar has that time, so it won't come.
    due_at: datetime | None
    #: Below 0: overdue.
    due_in_s: float | None
