"""Trouble on the way of an order: how it is told in the log, and waited out where every order would meet the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from worker.order import verdict
from worker.service.errors import ServiceDefect, ServiceRefused, ServiceUnreachable

if TYPE_CHECKING:
    from rosq import Delivery

_logger = logging.getLogger(__name__)

#: Seconds of a pause from which on it is told with the job.
_TOLD_REST_S: Final = 5.0


def tell(error: Exception, said: verdict.Verdict, *, step: str, order_id: int) -> None:
    """Say what happened, once. A traceback is for what nobody thought of alone."""
    facts = {
        "order_id": order_id,
        "step": step,
        "verdict": type(said).__name__,
        "error_type": type(error).__name__,
        "error": str(error),
    }
    if isinstance(error, ServiceRefused):
        _logger.info("the orders service refused", extra={"event": "refused", "reason": error.reason, **facts})
    elif isinstance(error, ServiceUnreachable):
        _logger.warning(
            "the orders service stays away, the order is put down", extra={"event": "service_away", **facts}
        )
    elif isinstance(error, ServiceDefect):
        _logger.error("the orders service failed, the order rests", extra={"event": "service_defect", **facts})
    elif isinstance(error, OSError):
        _logger.error("this machine is in trouble", extra={"event": "machine_trouble", **facts})
    elif isinstance(said, verdict.Rest) and said.is_defect:
        _logger.error("a defect, the order rests", exc_info=error, extra={"event": "defect", **facts})
    elif not isinstance(said, verdict.Attempt):
        _logger.warning("trouble, and no fault of the order's", extra={"event": "trouble", **facts})


def pause(delivery: Delivery, seconds: float) -> float:
    """Take nothing else for a while, as every order would meet the same; return how long it was. A stop ends it.

    The order is put down already, and its job would rest as long anyway.
    """
    if seconds >= _TOLD_REST_S:
        delivery.report_rest(seconds, "the account's other orders would meet the same")
    rested_s = 0.0
    while rested_s < seconds and not delivery.is_stop_requested:
        step_s = min(0.5, seconds - rested_s)
        delivery.sleep(step_s)
        rested_s += step_s
    return rested_s
