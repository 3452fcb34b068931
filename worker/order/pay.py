"""The gate and the paid call: the one stretch of code where money is spent.

In this order, and with nothing else in between: the portal's pause, a connection opened for this call alone, the gate
in PostgreSQL, the call. Whatever goes wrong before the gate's answer closes the connection; whatever goes wrong after
it leaves an order that is settled from the account's list.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.errors import PaidCallNotSent, WorkerError
from worker.order.points import Point
from worker.order.reading import look
from worker.order.settle import after_reading
from worker.order.visit import decided_by_service
from worker.portal.finish import Answered, FinishRequest, Lost, NotSent
from worker.service.errors import SendUnknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.order.visit import Outcome, Visit
    from worker.portal.finish import PaidCall

_logger = logging.getLogger(__name__)


def pay(visit: Visit) -> Outcome:
    """Pass the gate, send the paid call once, and read what came of it.

    A crash before the gate's commit costs nothing: the order goes on from its journal. A crash after it leaves the
    order unconfirmed, and the call sent at most once: the next holder reads the list.
    """
    submission = visit.submission
    assert submission is not None, "nothing is paid without an intent"
    send_id = str(uuid.uuid4())
    request = FinishRequest(
        super_package_guid=submission.super_package_guid,
        person_oid=submission.person_oid,
        access_key=submission.access_key,
    )
    with visit.portal.prepare_finish(request) as call:
        call.open()
        visit.signals.reached(Point.BEFORE_GATE)
        with _closed_unless_passed(visit, call, send_id):
            visit.journal.pass_gate(
                send_id,
                absent_after_s=visit.settings.absent_after_s,
                is_portal_on_loopback=visit.settings.portal.is_loopback,
                patience_s=visit.settings.gate_patience_s,
            )
        visit.signals.reached(Point.AFTER_GATE)
        result = call.send(visit.delivery.lease.is_held)
    if not isinstance(result, NotSent):
        visit.signals.reached(Point.AFTER_FINISH)
    return _report(visit, send_id, result)


def _report(visit: Visit, send_id: str, result: NotSent | Answered | Lost) -> Outcome:
    order_id = visit.order.order_id
    if isinstance(result, NotSent):
        _logger.warning(
            "the paid call wasn't sent",
            extra={"event": "paid_call_not_sent", "order_id": order_id, "reason": result.reason},
        )
        order = visit.journal.record_not_sent(send_id, result.reason)
        if (outcome := decided_by_service(order)) is not None:
            return outcome
        raise PaidCallNotSent(f"The paid call wasn't sent: {result.reason}")
    status = result.status or 0
    number = (result.expected_number or "") if isinstance(result, Answered) else ""
    try:
        visit.journal.record_answer(
            send_id,
            http_status=status,
            text=result.text if isinstance(result, Answered) else result.reason,
            expected_number=number,
        )
    except WorkerError as exc:
        # The list shows the row all the same; only what finish said about it is lost, so it is said here.
        _logger.error(
            "the answer to the paid call couldn't be stored",
            extra={
                "event": "paid_call_answer_unstored",
                "order_id": order_id,
                "status": status,
                "order_number": number,
                "error": str(exc),
            },
        )
        raise
    visit.delivery.check()
    look(visit)
    return after_reading(visit)


@contextmanager
def _closed_unless_passed(visit: Visit, call: PaidCall, send_id: str) -> Iterator[None]:
    """Whatever ends this block early: the connection is closed first, then the journal learns that nothing was sent."""
    is_passed = False
    try:
        yield
        is_passed = True
    finally:
        if not is_passed:
            call.close()
            _tell_not_sent(visit, send_id)


def _tell_not_sent(visit: Visit, send_id: str) -> None:
    """The gate's commit may have happened, its answer lost: without this word that costs the time of absence."""
    try:
        visit.journal.record_not_sent(
            send_id, "The gate wasn't answered, so the paid call's connection was closed unused."
        )
    except SendUnknown:
        return  # the usual case: the gate wasn't passed at all
    except WorkerError as exc:
        _logger.warning(
            "couldn't say that the paid call wasn't sent: its absence will be read from the list",
            extra={"event": "paid_call_not_sent_unstored", "order_id": visit.order.order_id, "error": str(exc)},
        )
