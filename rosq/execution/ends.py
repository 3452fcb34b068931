"""How deliveries ended, told to the log and to hooks."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from rosq import facts
from rosq.execution.settlement import Outcome
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.errors import QueueDamaged, RosqError
    from rosq.execution.hook_calls import HookCalls
    from rosq.execution.settlement import Settlement

log = logging.getLogger(__name__)

#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_HELD, _FAILED = Code.HELD, Outcome.FAIL
#: The log line's event for each end of a delivery. Spelled out: the page of log lines is held against them.
_TOLD = {
    Outcome.COMPLETE: "job_completed",
    Outcome.FAIL: "job_failed",
    Outcome.RETRY: "job_retried",
    Outcome.SNOOZE: "job_snoozed",
    Outcome.RELEASE: "job_released",
    Outcome.CANCEL: "job_cancelled",
}


class Ends:
    """Says what came of settlements that Redis has answered.

    Args:
        worker_facts: Which worker it is, for the log.
    """

    def __init__(self, worker_facts: Mapping[str, object], hook_calls: HookCalls | None) -> None:
        self._facts = worker_facts
        self._hook_calls = hook_calls

    def tell(self, settlement: Settlement, code: Code) -> bool:
        """Say what came of a settlement of the read loop; True where it was refused: the job is another's by now."""
        delivery, is_refused = settlement.delivery, False
        if code is not _HELD:
            settlement, is_refused = _as_it_came(settlement, code), code.is_refusal
        if self._hook_calls is not None:
            self._hook_calls.after_settle(settlement, is_refused=is_refused)
        if is_refused:
            log.warning(
                "The job was settled too late: it isn't ours any more",
                extra={"event": "settle_refused", **self._facts, **facts.of_delivery(delivery)},
            )
            return True
        level = logging.ERROR if settlement.outcome is _FAILED else logging.INFO
        if log.isEnabledFor(level):
            told = {
                "event": _TOLD[settlement.outcome],
                **self._facts,
                **facts.of_delivery(delivery),
                "delay_s": settlement.delay_s,
                "error": settlement.error,
            }
            log.log(level, "Settled a job", extra=told)
        return False

    def tell_release(self, settlement: Settlement, code: Code) -> None:
        """Say what came of the heartbeat's release of a job whose handler doesn't come to an end."""
        # It is asked once: what is settled already the handler's own end has settled, and that is told by the loop.
        if self._hook_calls is not None and code not in (Code.ALREADY_SETTLED, Code.SETTLED_OTHERWISE):
            self._hook_calls.after_settle(_as_it_came(settlement, code), is_refused=code.is_refusal)

    def tell_failure(self, settlement: Settlement | None, error: RosqError, pause_s: float) -> None:
        """Say that Redis refused for good to settle that job, or another step of the read loop."""
        if settlement is None:
            log.error(
                "A step failed for good; trying the next",
                extra={"event": "step_failed", **self._facts, "delay_s": pause_s, **facts.of_error(error)},
            )
            return
        log.error(
            "A job can't be settled; it is left as it is",
            extra={
                "event": "settle_failed",
                **self._facts,
                **facts.of_delivery(settlement.delivery),
                "delay_s": pause_s,
                **facts.of_error(error),
            },
        )

    def tell_damage(self, damage: QueueDamaged, pause_s: float) -> None:
        """Say that something is in the way of all jobs."""
        log.error(
            "The queue is damaged; waiting until it is mended",
            extra={"event": "queue_damaged", **self._facts, "delay_s": pause_s, **facts.of_error(damage)},
        )


def _as_it_came(settlement: Settlement, code: Code) -> Settlement:
    """What came of a settlement, where that isn't what the handler meant: its job was called off meanwhile."""
    if code is not Code.CANCELLED:
        return settlement
    return dataclasses.replace(settlement, outcome=Outcome.CANCEL, delay_s=0.0)
