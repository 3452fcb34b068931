"""Deliveries that no queue has handed out, for tests of what handlers and their helpers do with one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq import Delivery
from rosq.clock import boot_time_s
from rosq.connection.alarm import Alarm
from rosq.execution.delivery import Hold
from rosq.execution.hand_out import HandOut
from rosq.execution.lease import Lease
from rosq.execution.stop import StopClock
from rosq.store.codec import Body

if TYPE_CHECKING:
    from rosq.execution.notes import Notes


def make_delivery(
    job_id: str = "1",
    data: Any = None,
    *,
    lane: str = "main",
    fence: int = 1000,
    is_last_attempt: bool = False,
    lease: Lease | None = None,
    stop: StopClock | None = None,
    alarm: Alarm | None = None,
    notes: Notes | None = None,
) -> Delivery:
    """Make one whose lease holds, and of which no stop is asked, unless it is said otherwise."""
    now_s = boot_time_s()
    handed = HandOut(job_id, "{}", lane, fence, "token", 1, 0, "1-1", now_s, now_s)
    held = lease or Lease(job_id, now_s + 3600)
    hold = Hold(handed, held, stop or StopClock(10.0, 5.0), alarm or Alarm(), notes)
    return Delivery(hold, Body(data if data is not None else {}), is_last_attempt)


def forge(delivery: Delivery, **fields: Any) -> Delivery:
    """The same as if it had been handed out otherwise: with another fence or token."""
    hold = delivery.hold
    forged = dataclasses.replace(hold, handed=hold.handed._replace(**fields))
    carried = Body(delivery.data, delivery.name, delivery.headers, delivery.run_timeout_s)
    return Delivery(forged, carried, delivery.is_last_attempt)
