"""Readings of the account's list: made, reported, and when the next one is due.

Two kinds. A filtered one costs one or two calls and finds the row in nearly every case. An unfiltered one, with the
balance, is what counts towards absence; it is made only as often as it can count. The service judges both; the worker
only reads.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from orders_service.v1 import worker_pb2
from worker.errors import PersonChanged
from worker.order.visit import row_message
from worker.portal.errors import AccountUnusable, Lack, PortalError
from worker.service.errors import ServiceDefect

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from worker.order.visit import Visit
    from worker.portal.pages.applications import Listing

_logger = logging.getLogger(__name__)

#: How many counting readings prove absence (DESIGN section 3); they are spread evenly over its time.
READINGS: Final = 5
#: How the person begins of whom nobody knows who it was.
OLD_SYSTEM: Final = "old-system:"
#: First pause between two looks: the list mostly shows a new row within seconds.
FIRST_PAUSE_S: Final = 15.0
#: Longest pause between two looks, as a part of the time of absence: none of the counting readings is missed by much.
LONGEST_PART: Final = 6


def check_person(visit: Visit) -> None:
    """Make sure that the session is the person's who ordered: another one's list shows nothing of it.

    What the system before this one ordered doesn't say who that was.

    Raises:
        PersonChanged: It is another one's.
    """
    submission = visit.submission
    if submission is None or submission.person_oid.startswith(OLD_SYSTEM):
        return
    if visit.portal.person_oid() != submission.person_oid:
        raise PersonChanged


def look(visit: Visit) -> None:
    """Make a filtered reading, and report it where it shows a row that isn't known."""
    submission = _submission(visit)
    begun_at = visit.journal.as_of
    listing = visit.portal.list_applications(cad_num=submission.portal_cad_num)
    known = set(submission.known_application_ids)
    if any(row.application_id not in known for row in listing.rows_of(visit.order.cad_num)):
        _record(visit, listing, begun_at=begun_at, balance=None)


def record_full_reading(visit: Visit) -> Listing:
    """Read the whole list and then the balance, as what counts towards absence; report it and return the listing.

    In this order: what is charged in between lowers the balance, and the reading proves nothing.
    """
    begun_at = visit.journal.as_of
    listing = visit.portal.list_applications()
    _record(visit, listing, begun_at=begun_at, balance=_find_balance(visit))
    return listing


def is_counting_due(order: worker_pb2.OrderInHand) -> bool:
    """Whether an unfiltered reading that begins now may count: its time has come, a fifth of the absence each."""
    return _elapsed_s(order) >= _next_counting_s(order)


def next_look_s(order: worker_pb2.OrderInHand, *, check_interval_s: float) -> float:
    """Return the seconds until the next look: soon at first, as the list only lags; seldom later.

    At most a sixth of the time of absence, and not past the moment at which a counting reading is due.
    """
    elapsed_s = _elapsed_s(order)
    longest_s = _absent_after_s(order) / LONGEST_PART
    pause_s = min(max(min(check_interval_s, FIRST_PAUSE_S), elapsed_s / 2), longest_s)
    until_counting_s = _next_counting_s(order) - elapsed_s
    if 0 < until_counting_s < pause_s:
        # A moment past it: this clock and the service's rounding must not make it a reading too early.
        return until_counting_s + 0.05
    return pause_s


def _elapsed_s(order: worker_pb2.OrderInHand) -> float:
    # Both by the database's clock.
    return (order.as_of.ToDatetime() - order.open_send.gate_at.ToDatetime()).total_seconds()


def _absent_after_s(order: worker_pb2.OrderInHand) -> float:
    # The send's own: the setting may have been changed since.
    send = order.open_send
    return (send.absent_from.ToDatetime() - send.gate_at.ToDatetime()).total_seconds()


def _next_counting_s(order: worker_pb2.OrderInHand) -> float:
    """Seconds from the gate before which no further reading can count. A lower bound: some may have come late."""
    counted = min(order.open_send.counted_readings, READINGS - 1)
    return _absent_after_s(order) * (counted + 1) / READINGS


def _record(visit: Visit, listing: Listing, *, begun_at: Timestamp, balance: int | None) -> None:
    submission = _submission(visit)
    order = visit.order
    # A row that doesn't say whose it is may be ours: while one is there, nothing is complete.
    unclear = listing.unclear_rows(submission.known_application_ids)
    reading = worker_pb2.ListReading(
        begun_at=begun_at,
        person_oid=listing.person_oid,
        is_unfiltered=listing.is_unfiltered,
        is_complete=listing.is_complete and not unclear,
        balance=balance,
        rows=[row_message(row) for row in listing.rows_of(order.cad_num)],
        rows_in_all=listing.rows_in_all,
    )
    send_id = order.open_send.send_id if order.HasField("open_send") else ""
    visit.journal.record_reading(send_id, reading)
    _logger.info(
        "account's list read",
        extra={
            "event": "list_read",
            "order_id": order.order_id,
            "rows": len(reading.rows),
            "is_unfiltered": reading.is_unfiltered,
            "is_complete": reading.is_complete,
        },
    )


def _find_balance(visit: Visit) -> int | None:
    try:
        return visit.portal.balance()
    except AccountUnusable as exc:
        if exc.lack is not Lack.BALANCE_ITEM:
            raise
        reason: PortalError = exc
    # The used-up package's line is gone: that is no balance of 0, it is none that can be read.
    _logger.warning("the balance can't be read", extra={"event": "balance_unreadable", "error": str(reason)})
    return None


def _submission(visit: Visit) -> worker_pb2.OrderSubmission:
    submission = visit.submission
    if submission is None:
        # The service shows the journal of the account that is to read; no fault of the order's.
        raise ServiceDefect(
            f"Order {visit.order.order_id} is to be read for, and the service shows no submission of it."
        )
    return submission
