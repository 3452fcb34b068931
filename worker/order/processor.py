"""The handler: claims the order that a job points to, goes on from where its journal stands, and tells the queue.

Report first: the order is put down in PostgreSQL before the queue is told, so a crash in between repeats
the report, which changes nothing. What the portal's own trouble costs is time, never an attempt; attempts are spent on
the order's own faults only.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NoReturn

from orders_service.v1 import orders_pb2, rosreestr_users_pb2, worker_pb2
from rosq import Cancel, Fail, JobSignal, LeaseLost, Release, Snooze
from worker.errors import WorkerError
from worker.order import trouble
from worker.order.collect import collect, look_again
from worker.order.points import NO_SIGNALS, Point
from worker.order.register import register
from worker.order.settle import settle
from worker.order.visit import FINAL_STATES, Done, Held, Later, Visit, decided_by_service
from worker.portal.errors import RequestRefused
from worker.service.errors import (
    AbsentAfterTooShort,
    AccountCannotTake,
    AccountUnknown,
    BoundToOtherAccount,
    ObjectBusy,
    OrderOnHold,
    OrderUnknown,
    ReadingNeeded,
    ServiceDefect,
    ServiceRefused,
    ServiceUnreachable,
    StaleEpoch,
    StaleFence,
)
from worker.service.journal import OrderJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Delivery
    from worker.account.account import Account
    from worker.order.points import Signals
    from worker.order.visit import Outcome
    from worker.service.reporter import Reporter
    from worker.settings import Settings

_logger = logging.getLogger(__name__)

#: Seconds of a pause from which on it is told with the job.
_TOLD_REST_S = 5.0

#: While the orders service is away: how long a job rests that couldn't even be claimed.
SERVICE_PAUSE_S: Final = 10.0
#: How long an order rests over which the service itself failed: a person must look, and no attempt is spent.
DEFECT_PAUSE_S: Final = 60.0
#: How long an order rests that the service refused a step of: its state is looked at afresh then.
REFUSED_PAUSE_S: Final = 5.0
#: An account-wide pause is slept at most so long at a time.
LONGEST_PAUSE_S: Final = 300.0

_PHASES: Final = {
    orders_pb2.ORDER_STATE_PROCESSING: ("register", register),
    orders_pb2.ORDER_STATE_UNCONFIRMED: ("settle", settle),
    orders_pb2.ORDER_STATE_REGISTERED: ("collect", collect),
    orders_pb2.ORDER_STATE_COMPLETED: ("look", look_again),
    orders_pb2.ORDER_STATE_FAILED: ("look", look_again),
}


class Processor:
    """Called by the queue's worker for each delivery.

    Args:
        stop: Called when this process must not go on, with one sentence that says why.
    """

    def __init__(
        self,
        settings: Settings,
        reporter: Reporter,
        account: Account,
        *,
        stop: Callable[[str], None],
        signals: Signals = NO_SIGNALS,
    ) -> None:
        self._settings = settings
        self._reporter = reporter
        self._account = account
        self._stop = stop
        self._signals = signals
        self._delivery: Delivery | None = None

    def __call__(self, delivery: Delivery) -> None:
        """Work on the order once. Returning completes the job."""
        self._delivery = delivery
        try:
            self._process(delivery)
        finally:
            self._delivery = None

    @property
    def is_at_work(self) -> bool:
        """Whether an order is in hand whose lease holds. For any thread."""
        delivery = self._delivery
        return delivery is not None and delivery.lease.is_held()

    def _process(self, delivery: Delivery) -> None:
        order_id = _read_order_id(delivery)
        journal = OrderJournal(
            self._reporter,
            delivery,
            account=self._account.username,
            epoch=self._account.snapshot.epoch,
            order_id=order_id,
        )
        try:
            outcome = self._visit(delivery, journal)
            self._put_down(journal, outcome)
        except Cancel as cancelled:
            said = f": {cancelled.reason}" if cancelled.reason else ""
            self._release_on_the_way_out(journal, f"the job was cancelled{said}")
            raise
        except JobSignal:
            # What is left: a stop whose grace is over.
            self._release_on_the_way_out(journal, "the worker stops")
            raise Release(_lane_of(journal)) from None
        except LeaseLost:
            raise
        except ServiceRefused as refused:
            self._answer_refusal(refused, journal, delivery)
        except ServiceUnreachable as exc:
            _logger.warning(
                "the orders service stays away, the order is put down",
                extra={"event": "service_away", "order_id": order_id, "error": str(exc)},
            )
            raise Snooze(SERVICE_PAUSE_S, _lane_of(journal)) from exc
        except ServiceDefect as exc:
            _logger.error(
                "the orders service failed, the order rests",
                extra={"event": "service_defect", "order_id": order_id, "error": str(exc)},
            )
            raise Snooze(DEFECT_PAUSE_S, _lane_of(journal)) from exc
        except Exception as exc:
            self._spend_attempt(exc, journal, delivery)
        else:
            self._tell_queue(delivery, journal, outcome)

    def _visit(self, delivery: Delivery, journal: OrderJournal) -> Outcome:
        order = journal.claim()
        if order.state in FINAL_STATES and not _is_to_be_looked_for(order):
            return Done()
        self._signals.reached(Point.AFTER_CLAIM)
        delivery.check()
        account = self._account.refresh(delivery.sleep)
        if order.state not in _PHASES:
            # A newer service's: neither the order's fault nor anything to guess about.
            raise ServiceDefect(
                f"Order {order.order_id} stands at a state that this worker doesn't know ({order.state}): update it."
            )
        phase, work = _PHASES[order.state]
        _logger.info(
            "order in hand",
            extra={
                "event": "order_in_hand",
                "order_id": order.order_id,
                "phase": phase,
                "job_id": delivery.job_id,
                "attempt": delivery.attempt,
            },
        )
        if self._account.is_login_blocked or (phase == "register" and not account.can_take_new):
            # Collecting what was paid goes on; nothing more is paid by an account that shouldn't.
            return trouble.stand_by(account)
        try:
            portal = self._account.portal()
            visit = Visit(
                delivery=delivery,
                journal=journal,
                portal=portal,
                account=account,
                settings=self._settings,
                signals=self._signals,
            )
            with portal.pausing_with(delivery.sleep):
                outcome = work(visit)
        except trouble.ACCOUNT_TROUBLE as exc:
            mark = trouble.mark_for(exc, exhausted_retry_s=self._settings.exhausted_retry_s)
            self._account.mark(mark.kind, mark.reason, mark.retry_in_s, sleep=delivery.sleep)
            return trouble.stand_by(self._account.snapshot)
        except trouble.PORTAL_TROUBLE as exc:
            return trouble.wait_out(exc)
        except OSError as exc:
            # The portal's and the service's are translated: this is our disk.
            _logger.error("this machine is in trouble", extra={"event": "machine_trouble", "error": str(exc)})
            return Later(delay_s=trouble.DEFAULT_WAIT_S, reason=f"the worker's machine: {exc}")
        if account.standby_kind and account.can_take_new and order.state == orders_pb2.ORDER_STATE_PROCESSING:
            # It stood by until a time that is over now, and an order went well: nothing is in the way any more.
            self._account.mark(rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED, "", None, sleep=delivery.sleep)
        return outcome

    def _put_down(self, journal: OrderJournal, outcome: Outcome) -> None:
        """Tell PostgreSQL that nobody has the order in hand any more. One that is over never was in hand."""
        if isinstance(outcome, Later) and not outcome.is_put_down and journal.order.state not in FINAL_STATES:
            is_at_once = outcome.is_for_others and not _is_sent(journal)
            journal.release(outcome.reason, delay_s=0.0 if is_at_once else outcome.delay_s)

    def _tell_queue(self, delivery: Delivery, journal: OrderJournal, outcome: Outcome) -> None:
        """Answer the delivery. The order's lane is as the service answered last."""
        match outcome:
            case Done():
                return
            case Held(reason=reason):
                raise Fail(f"on hold: {reason}")
            case Later():
                order = journal.order
                if (final := decided_by_service(order)) is not None:
                    # What the service made of it when it was put down.
                    self._tell_queue(delivery, journal, final)
                    return
                if outcome.is_for_others and not order.is_bound:
                    raise Release(order.lane)
                rest_s = _pause(delivery, min(outcome.pause_s, LONGEST_PAUSE_S))
                raise Snooze(max(0.0, outcome.delay_s - rest_s), order.lane or None)

    def _answer_refusal(self, refused: ServiceRefused, journal: OrderJournal, delivery: Delivery) -> NoReturn:
        """What each refusal means for the job. The order itself is another's, or put down here."""
        extra = {
            "event": "refused",
            "order_id": journal.order.order_id,
            "reason": refused.reason,
            "error": str(refused),
        }
        _logger.info("the orders service refused", extra=extra)
        own_lane = self._settings.own_lane
        match refused:
            case StaleFence():
                # Somebody works on it; should he die, the job comes back to us with a greater fence.
                raise Snooze(self._settings.lease_s) from refused
            case StaleEpoch() | AccountUnknown():
                self._stop(str(refused))
                raise Release from refused
            case BoundToOtherAccount(account=account) if account:
                raise Release(f"@{account}") from refused
            case OrderOnHold():
                raise Fail(f"on hold: {refused}") from refused
            case OrderUnknown():
                raise Fail(str(refused)) from refused
            case AccountCannotTake():
                self._learn_standing(delivery)
                # In the own lane it would come straight back: there it doesn't belong, as it isn't bound.
                raise Release(
                    refused.metadata.get("lane") or ("main" if delivery.lane == own_lane else None)
                ) from refused
            case AbsentAfterTooShort():
                self._release_on_the_way_out(journal, str(refused))
                self._stop(str(refused))
                raise Release(_lane_of(journal)) from refused
        # A missing reading is made by the next visit, and may prove nothing yet; another order of the object takes as
        # long as the portal does. No hurry.
        is_slow = isinstance(refused, ReadingNeeded | ObjectBusy)
        pause_s = self._settings.check_interval_s if is_slow else REFUSED_PAUSE_S
        if journal.order.state not in _PHASES:
            # Its claim was refused: it isn't in hand.
            raise Snooze(pause_s, _lane_of(journal)) from refused
        try:
            order = journal.release(str(refused), delay_s=pause_s)
        except (ServiceRefused, ServiceUnreachable) as exc:
            _logger.info(
                "the order couldn't be put down", extra={**extra, "event": "put_down_failed", "error": str(exc)}
            )
            raise Snooze(pause_s, _lane_of(journal)) from refused
        raise Snooze(pause_s, order.lane or None) from refused

    def _learn_standing(self, delivery: Delivery) -> None:
        """From here on the lanes that are read fit what the account may take."""
        try:
            self._account.refresh(delivery.sleep)
        except StaleEpoch as exc:
            self._stop(str(exc))
        except WorkerError as exc:
            _logger.warning("can't ask how the account stands", extra={"event": "account_unread", "error": str(exc)})

    def _spend_attempt(self, exc: Exception, journal: OrderJournal, delivery: Delivery) -> NoReturn:
        """The order's own fault, or a defect of ours: the queue tries again; the last attempt is said to the order."""
        reason = str(exc) if isinstance(exc, WorkerError | RequestRefused) else f"{type(exc).__name__}: {exc}"
        _logger.log(
            logging.WARNING if isinstance(exc, WorkerError | RequestRefused) else logging.ERROR,
            "the order's attempt failed",
            exc_info=None if isinstance(exc, WorkerError | RequestRefused) else exc,
            extra={
                "event": "attempt_failed",
                "order_id": journal.order.order_id,
                "attempt": delivery.attempt,
                "error_type": type(exc).__name__,
                "error": reason,
            },
        )
        try:
            if isinstance(exc, RequestRefused):
                journal.record_refusal(step=exc.step, http_status=exc.status, text=exc.text)
            if delivery.is_last_attempt:
                journal.fail(reason)
            else:
                journal.release(reason, delay_s=0.0)
        except (WorkerError, JobSignal) as report:
            # The job's own record says the same, and the reconciler reads it there.
            _logger.warning(
                "the failed attempt couldn't be reported",
                extra={"event": "attempt_unreported", "order_id": journal.order.order_id, "error": str(report)},
            )
        if delivery.is_last_attempt:
            # A person may lift the hold before the queue is told: then this isn't the order's failure any more.
            raise Fail(f"on hold: {reason}" if journal.order.hold_reason else reason) from exc
        raise exc

    def _release_on_the_way_out(self, journal: OrderJournal, reason: str) -> None:
        if journal.order.state not in _PHASES or journal.order.state in FINAL_STATES:
            return
        try:
            journal.release(reason, delay_s=0.0, is_on_the_way_out=True)
        except WorkerError as exc:
            # The next claim takes it over all the same, at the latest a lease from now.
            _logger.warning(
                "the order couldn't be put down",
                extra={"event": "put_down_failed", "order_id": journal.order.order_id, "error": str(exc)},
            )


def _is_to_be_looked_for(order: worker_pb2.OrderInHand) -> bool:
    """Whether a finished order is here only so that its account's list is read once more."""
    return order.state in (orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED) and order.is_look_due


def _read_order_id(delivery: Delivery) -> int:
    data = delivery.data
    order_id = data.get("order_id") if isinstance(data, dict) else None
    if not isinstance(order_id, int) or isinstance(order_id, bool) or order_id <= 0:
        raise Fail(f'the job doesn\'t point to an order: it must be like {{"order_id": 123}}, not {data!r:.200}')
    return order_id


def _lane_of(journal: OrderJournal) -> str | None:
    """Where the job belongs; None: where it is. That of an order that is over is in the lane of who is to look."""
    return None if journal.order.state in FINAL_STATES else journal.order.lane or None


def _is_sent(journal: OrderJournal) -> bool:
    """Whether the gate was ever passed: then the order stays bound when it is put down."""
    order = journal.order
    return order.state != orders_pb2.ORDER_STATE_PROCESSING or (
        order.HasField("submission") and order.submission.was_sent
    )


def _pause(delivery: Delivery, seconds: float) -> float:
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
