"""One run of the handler, turned into what should become of the job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rosq import facts
from rosq.delays import check_delay
from rosq.errors import LeaseLost
from rosq.execution.settlement import Outcome, Settlement
from rosq.names import check_name
from rosq.signals import Cancel, Fail, JobSignal, Release, Snooze

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.execution.delivery import Delivery, Handler
    from rosq.execution.policy import SafePolicy

#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_COMPLETED = Outcome.COMPLETE

log = logging.getLogger(__name__)


def run_handler(
    handler: Handler, delivery: Delivery, policy: SafePolicy, worker_facts: Mapping[str, object]
) -> Settlement | None:
    """Call the handler and say how the delivery ends. Nothing that a handler raises comes out of here.

    Args:
        worker_facts: Which worker it is, for the log.

    Returns:
        None where the lease is lost: nothing may be settled then, whatever the handler did.
    """
    settlement = Settlement(delivery, _COMPLETED)
    try:
        handler(delivery)
    except BaseException as error:
        settlement = _judge(error, delivery, policy, worker_facts)
    reason = delivery.lease.lost_reason
    if reason is None:
        return settlement
    log.warning(
        "The lease was lost while the handler worked; its job is left alone",
        extra={"event": "lease_lost", **worker_facts, **facts.of_delivery(delivery), "error": reason},
    )
    return None


def fail_attempt(error: BaseException, delivery: Delivery, policy: SafePolicy) -> Settlement:
    """How a delivery ends whose run has failed: the job's attempt is spent, unless its cancelling was asked for."""
    error_class = facts.name_class(error)
    settlement = Settlement(
        delivery=delivery,
        outcome=Outcome.FAIL,
        error=f"{error_class}: {facts.describe(error)}",
        error_class=error_class,
        trace=facts.shorten_trace(error),
    )
    if delivery.is_cancel_requested:
        # It mustn't run again, and that it broke off is what was asked for.
        settlement.outcome = Outcome.CANCEL
    elif not delivery.is_last_attempt and not policy.is_fatal(delivery.job_id, delivery.attempt, error):
        settlement.outcome = Outcome.RETRY
        settlement.delay_s = policy.pause_s(delivery.job_id, delivery.attempt, error)
    return settlement


def _judge(
    error: BaseException, delivery: Delivery, policy: SafePolicy, worker_facts: Mapping[str, object]
) -> Settlement:
    # By its class, as `except` does it: an object may lie about its class.
    kind = type(error)
    if issubclass(kind, JobSignal):
        try:
            said = _obey(error, delivery)
        except Exception as broken:
            # It says what can't be, such as a snooze without an end.
            error, said = broken, None
        if said is not None:
            return said
    elif issubclass(kind, KeyboardInterrupt | SystemExit) and delivery.is_stop_requested:
        # The stop was asked for, and this is how it reached the handler.
        return Settlement(delivery, Outcome.RELEASE)
    elif issubclass(kind, LeaseLost) and delivery.lease.lost_reason is not None:
        # What became of the job says the lease, here and in the log.
        return Settlement(delivery, Outcome.RELEASE)
    settlement = fail_attempt(error, delivery, policy)
    # The traceback belongs here; whether a person must look, the line about the settled job says.
    told = {**worker_facts, **facts.of_delivery(delivery), **facts.of_error(error)}
    log.warning("The handler failed", exc_info=error, extra={"event": "handler_failed", **told})
    return settlement


def _obey(signal: BaseException, delivery: Delivery) -> Settlement | None:
    """What a signal says, or None where it says nothing that is known.

    Raises:
        ValueError, InvalidName: It was made or changed so that it says what can't be.
    """
    if isinstance(signal, Snooze):
        delay_s, lane = check_delay("delay_s of a snooze", signal.delay_s), _check_lane(signal.lane)
        return Settlement(delivery=delivery, outcome=Outcome.SNOOZE, lane=lane, delay_s=delay_s)
    if isinstance(signal, Release):
        return Settlement(delivery=delivery, outcome=Outcome.RELEASE, lane=_check_lane(signal.lane))
    if isinstance(signal, Cancel):
        return Settlement(delivery=delivery, outcome=Outcome.CANCEL, reason=facts.describe(signal.reason))
    if isinstance(signal, Fail):
        # Why it fails is a sentence; where it was raised from an error, that one's class and place are kept beside it.
        return Settlement(
            delivery=delivery,
            outcome=Outcome.FAIL,
            error=facts.describe(signal.reason),
            error_class=facts.name_class(signal.__cause__),
            trace=facts.shorten_trace(signal.__cause__),
        )
    return None


def _check_lane(lane: str | None) -> str | None:
    return None if lane is None else check_name("lane", lane)
