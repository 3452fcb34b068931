"""Settling an unconfirmed order: the account's list is read until it shows what came of the paid call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orders_service.v1 import orders_pb2
from worker.order import reading
from worker.order.points import Point
from worker.order.visit import Later, decided_by_service

if TYPE_CHECKING:
    from worker.order.visit import Outcome, Visit

_logger = logging.getLogger(__name__)


def settle(visit: Visit) -> Outcome:
    """Read the list once as far as it can help now, and say when to come back."""
    reading.check_person(visit)
    reading.look(visit)
    order = visit.order
    if order.state == orders_pb2.ORDER_STATE_UNCONFIRMED and reading.is_counting_due(order):
        reading.record_full_reading(visit)
    return after_reading(visit)


def after_reading(visit: Visit) -> Outcome:
    """Say what comes next for an order whose paid call may have been sent."""
    order = visit.order
    if (outcome := decided_by_service(order)) is not None:
        return outcome
    if order.state == orders_pb2.ORDER_STATE_REGISTERED:
        visit.signals.reached(Point.AFTER_NUMBER)
        _logger.info(
            "order registered at the portal",
            extra={"event": "order_registered", "order_id": order.order_id, "order_number": order.order_number},
        )
        return Later(delay_s=visit.settings.first_check_s, reason="registered; the extract isn't ready yet")
    if order.state == orders_pb2.ORDER_STATE_PROCESSING:
        # Settled as absent (or not sent): it goes its way again from the journal, now that nothing is in doubt.
        return Later(delay_s=0.0, reason="the send is settled: nothing was ordered by it")
    return Later(
        delay_s=reading.next_look_s(order, check_interval_s=visit.settings.check_interval_s),
        reason="the list doesn't show the application yet",
    )
