"""Where on the queue an order belongs: its job, as relay and reconciler put it there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orders_service.domain.orders import LANE_MAIN, LANE_URGENT
from rosq import NewJob

if TYPE_CHECKING:
    from psycopg.rows import DictRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledOrder:
    """What the queue must know of an open order.

    Attributes:
        fence: The greatest that the order has seen: every later delivery gets a greater one, also from a queue that
            lost its memory.
        username: The account it is bound to; None: any may take it.
        delay_s: Seconds until somebody should look at it; 0: at once.
    """

    id: int
    state: str
    fence: int
    is_urgent: bool
    username: str | None
    delay_s: float

    @classmethod
    def from_row(cls, row: DictRow) -> ScheduledOrder:
        """Read a row of the statements in `schedule.sql`."""
        return cls(**row)

    @property
    def job_id(self) -> str:
        """The job's id: the order's, for its whole life."""
        return str(self.id)

    @property
    def lane(self) -> str:
        """The account's own lane where the order is bound to it."""
        if self.username is not None:
            return f"@{self.username}"
        return LANE_URGENT if self.is_urgent else LANE_MAIN

    @property
    def job(self) -> NewJob:
        """The pointer that goes on the queue."""
        return NewJob(
            job_id=self.job_id,
            data={"order_id": self.id},
            lane=self.lane,
            delay_s=self.delay_s,
            fence_floor=self.fence,
        )
