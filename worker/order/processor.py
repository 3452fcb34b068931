"""The handler: claims the order that a job points to, goes on from where its journal stands, and tells the queue.

Report first: the order is put down in PostgreSQL before the queue is told, so a crash in between repeats
the report, which changes nothing. Whatever goes wrong is judged in one place, `verdict`; here is only done what it
says.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final, NoReturn

from orders_service.v1 import orders_pb2, rosreestr_users_pb2, worker_pb2
from rosq import Cancel, Fail, JobSignal, LeaseLost, Release, Snooze
from worker.account.strikes import Streaks
from worker.errors import AccountStandsBy, WorkerError
from worker.order import trouble, verdict
from worker.order.collect import collect, look_again
from worker.order.points import NO_SIGNALS, Point
from worker.order.register import register
from worker.order.settle import settle
from worker.order.visit import FINAL_STATES, Done, Held, Later, Visit, decided_by_service, until_next_s
from worker.order.witness import Witness
from worker.portal.errors import PortalError, RequestRefused
from worker.service.errors import AccountUnknown, ServiceDefect, ServiceUnreachable, StaleEpoch
from worker.service.journal import OrderJournal, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Delivery
    from worker.account.account import Account
    from worker.order.points import Signals
    from worker.order.visit import Outcome
    from worker.service.reporter import Reporter
    from worker.settings import Settings

_logger = logging.getLogger(__name__)


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
        self._streaks = Streaks()
        self._witness = Witness()
        # What is done just now, for whatever goes wrong in it.
        self._phase = ""
        # How often each phase did, for trouble that no call of the portal showed.
        self._went_well: Counter[str] = Counter()

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
        self._phase = "claim"
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
        except Exception as exc:
            self._answer_surely(exc, journal, delivery)
        else:
            self._went_well[self._phase] += 1
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
        self._phase, work = _PHASES[order.state]
        _logger.info(
            "order in hand",
            extra={
                "event": "order_in_hand",
                "order_id": order.order_id,
                "phase": self._phase,
                "job_id": delivery.job_id,
                "attempt": delivery.attempt,
            },
        )
        if self._account.is_login_blocked or (self._phase == "register" and not account.can_take_new):
            # Collecting what was paid goes on; nothing more is paid by an account that shouldn't.
            raise AccountStandsBy(account.why_not or None)
        portal = self._account.portal()
        visit = Visit(
            delivery=delivery,
            journal=journal,
            portal=portal,
            account=account,
            settings=self._settings,
            signals=self._signals,
            witness=self._witness,
        )
        with portal.pausing_with(delivery.sleep):
            outcome = work(visit)
        if account.standby_kind and account.can_take_new and order.state == orders_pb2.ORDER_STATE_PROCESSING:
            # It stood by until a time that is over now, and an order went well: nothing is in the way any more.
            self._account.mark(rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED, "", None, sleep=delivery.sleep)
        return outcome

    def _put_down(self, journal: OrderJournal, outcome: Outcome) -> None:
        """Tell PostgreSQL that nobody has the order in hand any more. One that is over never was in hand."""
        if isinstance(outcome, Later) and not outcome.is_put_down and journal.order.state not in FINAL_STATES:
            journal.release(outcome.reason, delay_s=outcome.delay_s)

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
                raise Snooze(outcome.delay_s, order.lane or None)

    def _answer_surely(self, error: Exception, journal: OrderJournal, delivery: Delivery) -> None:
        """Answer the trouble; what goes wrong in that, too, costs the order no attempt."""
        try:
            self._answer(error, journal, delivery)
        except (JobSignal, LeaseLost):
            raise
        except Exception as worse:
            if worse is error:
                raise  # an attempt that is spent
            _logger.exception(
                "trouble couldn't be answered, the order rests",
                extra={"event": "defect", "order_id": journal.order.order_id, "error_type": type(worse).__name__},
            )
            raise Snooze(verdict.DEFECT_PAUSE_S, _lane_of(journal)) from worse

    def _answer(self, error: Exception, journal: OrderJournal, delivery: Delivery) -> None:
        """Do what the verdict on this trouble says. Returning completes the job."""
        step = (error.step if isinstance(error, PortalError) else "") or self._phase
        order_id = journal.order.order_id
        is_somebodys = isinstance(error, WorkerError)
        said = verdict.verdict(
            error,
            verdict.Circumstances(
                step=step,
                orders_in_a_row=1 if is_somebodys else self._streaks.note(step, order_id, self._successes(step)),
                check_interval_s=self._settings.check_interval_s,
                lease_s=self._settings.lease_s,
                exhausted_retry_s=self._settings.exhausted_retry_s,
            ),
        )
        trouble.tell(error, said, step=step, order_id=order_id)
        if isinstance(said, verdict.Attempt):
            self._spend_attempt(error, said.reason, journal, delivery)
        pause_s = said.pause_s
        # An order that is over never was in hand, and the service calls for the look again.
        is_look = journal.order.state in FINAL_STATES
        try:
            match said:
                case verdict.Rest() if is_look:
                    # Nothing counts its strikes: but for a service that is away, it is looked again on another day.
                    if isinstance(error, ServiceUnreachable):
                        raise Snooze(pause_s) from error
                    return
                case verdict.Rest():
                    is_away = isinstance(error, ServiceUnreachable)
                    self._let_rest(said, journal, delivery, is_service_away=is_away)
                case verdict.WaitOut():
                    if is_look:
                        return
                    journal.release(said.reason, delay_s=pause_s)
                    if self._is_over(journal, delivery):
                        return
                    rested_s = trouble.pause(delivery, pause_s)
                    raise Snooze(max(0.0, pause_s - rested_s), _lane_of(journal)) from error
                case verdict.StandBy():
                    if (mark := said.mark) is not None:
                        self._account.mark(mark.kind, mark.reason, mark.retry_in_s, sleep=delivery.sleep)
                    if is_look:
                        return
                    self._leave_to_others(journal, delivery, pause_s)
                case verdict.GiveBack():
                    self._learn_standing(delivery)
                    # In the own lane it would come straight back: there it doesn't belong, as it isn't bound.
                    is_own = delivery.lane == self._settings.own_lane
                    raise Release(said.lane or ("main" if is_own else None)) from error
                case verdict.Elsewhere():
                    if said.lane:
                        raise Release(said.lane) from error
                    raise Snooze(pause_s) from error
                case verdict.Ended():
                    raise Fail(said.reason) from error
                case verdict.WorkerEnds():
                    if said.is_order_ours:
                        self._release_on_the_way_out(journal, said.reason)
                    self._stop(said.reason)
                    raise Release(_lane_of(journal) if said.is_order_ours else None) from error
        except (StaleEpoch, AccountUnknown) as exc:
            self._stop(str(exc))
            raise Release from exc
        except WorkerError as exc:
            # The next claim takes it over all the same, at the latest a lease from now.
            _logger.warning(
                "the order couldn't be put down",
                extra={"event": "put_down_failed", "order_id": order_id, "error": str(exc)},
            )
            raise Snooze(min(pause_s, verdict.STANDBY_REST_S), _lane_of(journal)) from error

    def _successes(self, step: str) -> int:
        return self._account.successes(step) + self._went_well[step]

    def _let_rest(
        self, said: verdict.Rest, journal: OrderJournal, delivery: Delivery, *, is_service_away: bool
    ) -> None:
        order = journal.order
        if order.state not in _PHASES:
            # Its claim failed: it isn't in hand.
            raise Snooze(said.pause_s, _lane_of(journal))
        order = journal.release(
            said.reason,
            delay_s=said.pause_s,
            trouble=Trouble(step=said.step, limit=said.limit),
            # It was asked long enough; and it may be this one call alone that it doesn't answer.
            is_on_the_way_out=is_service_away,
        )
        if not self._is_over(journal, delivery):
            raise Snooze(until_next_s(order, said.pause_s), _lane_of(journal))

    def _leave_to_others(self, journal: OrderJournal, delivery: Delivery, rest_s: float) -> None:
        """Put the order down as its account can't go on: at once for others, later where it is bound to this one."""
        reason = self._account.snapshot.why_not or "the account stands by"
        order = journal.release(reason, delay_s=rest_s if _is_sent(journal) else 0.0)
        if self._is_over(journal, delivery):
            return
        if not order.is_bound:
            raise Release(order.lane)
        raise Snooze(rest_s, order.lane or None)

    def _is_over(self, journal: OrderJournal, delivery: Delivery) -> bool:
        """Whether the service made something final of the order when it was put down; a hold fails the job."""
        final = decided_by_service(journal.order)
        if final is not None:
            self._tell_queue(delivery, journal, final)
        return final is not None

    def _learn_standing(self, delivery: Delivery) -> None:
        """From here on the lanes that are read fit what the account may take."""
        try:
            self._account.refresh(delivery.sleep)
        except StaleEpoch as exc:
            self._stop(str(exc))
        except WorkerError as exc:
            _logger.warning("can't ask how the account stands", extra={"event": "account_unread", "error": str(exc)})

    def _spend_attempt(self, error: Exception, reason: str, journal: OrderJournal, delivery: Delivery) -> NoReturn:
        """The object's own fault: the queue tries again; the last attempt is said to the order."""
        _logger.warning(
            "the order's attempt failed",
            extra={
                "event": "attempt_failed",
                "order_id": journal.order.order_id,
                "attempt": delivery.attempt,
                "error_type": type(error).__name__,
                "error": str(error),
            },
        )
        try:
            if isinstance(error, RequestRefused):
                journal.record_refusal(step=error.step, http_status=error.status, text=error.text)
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
            raise Fail(f"on hold: {reason}" if journal.order.hold_reason else reason) from error
        raise error

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
