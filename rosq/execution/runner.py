"""One run of the handler, turned into what should become of the job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rosq import facts
from rosq.errors import LeaseLost
from rosq.execution.settlement import Outcome, Settlement
from rosq.signals import Cancel, Fail, JobSignal, Release, Snooze

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.execution.delivery import Delivery, Handler
    from rosq.retry import RetryPolicy

#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_COMPLETED = Outcome.COMPLETE

log = logging.getLogger(__name__)


def run_handler(
    handler: Handler, delivery: Delivery, policy: RetryPolicy, worker_facts: Mapping[str, object]
) -> Settlement | None:
    """Call the handler and say how the delivery ends.

    Args:
        worker_facts: Which worker it is, for the log.

    Returns:
        None where the lease is lost: nothing may be settled then, whatever the handler did.
    """
    settlement = Settlement(delivery, _COMPLETED)
    try:
        handler(delivery)
    except JobSignal as signal:
        settlement = _obey(signal, delivery, policy)
    except LeaseLost as error:
        if delivery.lease.is_held():
            # Someone else's lease: to this job it is a failure like any other.
            settlement = _fail(error, delivery, policy)
    except Exception as error:
        # The traceback belongs here; whether a person must look, the line about the settled job says.
        told = {**worker_facts, **facts.of_delivery(delivery), **facts.of_error(error)}
        log.warning("The handler failed", exc_info=True, extra={"event": "handler_failed", **told})
        settlement = _fail(error, delivery, policy)
    reason = delivery.lease.lost_reason
    if reason is None:
        return settlement
    log.warning(
        "The lease was lost while the handler worked; its job is left alone",
        extra={"event": "lease_lost", **worker_facts, **facts.of_delivery(delivery), "error": reason},
    )
    return None


def _obey(signal: JobSignal, delivery: Delivery, policy: RetryPolicy) -> Settlement:
    if isinstance(signal, Snooze):
        return Settlement(delivery=delivery, outcome=Outcome.SNOOZE, lane=signal.lane, delay_s=signal.delay_s)
    if isinstance(signal, Release):
        return Settlement(delivery=delivery, outcome=Outcome.RELEASE, lane=signal.lane)
    if isinstance(signal, Cancel):
        return Settlement(delivery=delivery, outcome=Outcome.CANCEL, reason=signal.reason)
    if isinstance(signal, Fail):
        # Why it fails is a sentence; where it was raised from an error, that one's class and place are kept beside it.
        return Settlement(
            delivery=delivery,
            outcome=Outcome.FAIL,
            error=facts.clean(signal.reason),
            error_class=facts.name_class(signal.__cause__),
            trace=facts.shorten_trace(signal.__cause__),
        )
    return _fail(signal, delivery, policy)


def _fail(error: Exception, delivery: Delivery, policy: RetryPolicy) -> Settlement:
    error_class = facts.name_class(error)
    text = f"{error_class}: {facts.describe(error)}"
    if delivery.is_cancel_requested:
        # It mustn't run again, and that it broke off is what was asked for.
        return Settlement(
            delivery=delivery,
            outcome=Outcome.CANCEL,
            error=text,
            error_class=error_class,
            trace=facts.shorten_trace(error),
        )
    is_final = delivery.is_last_attempt or policy.is_fatal(error)
    return Settlement(
        delivery=delivery,
        outcome=Outcome.FAIL if is_final else Outcome.RETRY,
        delay_s=0.0 if is_final else policy.pause_s(delivery.attempt, error),
        error=text,
        error_class=error_class,
        trace=facts.shorten_trace(error),
    )
