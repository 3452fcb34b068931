"""What becomes of a job in hand: a delivery, a run of its handler, and how that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.execution.delivery import Delivery, Hold
from rosq.execution.forked import end_if_forked
from rosq.execution.lease import Lease
from rosq.execution.runner import fail_attempt, run_handler
from rosq.execution.settlement import Outcome, Settlement
from rosq.execution.stop_signals import is_ctrl_c
from rosq.store import codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.connection.alarm import Alarm
    from rosq.execution.consumer import Consumer
    from rosq.execution.hand_out import HandOut
    from rosq.execution.handlers import Dispatcher
    from rosq.execution.heartbeat import Heartbeat
    from rosq.execution.hook_calls import HookCalls
    from rosq.execution.notes import Notes
    from rosq.execution.stop import StopClock
    from rosq.settings import WorkerSettings


class Work:
    """Runs the jobs that a worker has in hand, one at a time; for its read loop.

    Args:
        worker_facts: Which worker it is, for the log.
        alarm: Rings when a handler that rests has to look up.
        notes: Keeps what handlers say of their work.
    """

    def __init__(
        self,
        *,
        worker_facts: Mapping[str, object],
        settings: WorkerSettings,
        dispatcher: Dispatcher,
        consumer: Consumer,
        heartbeat: Heartbeat,
        hook_calls: HookCalls | None,
        stop: StopClock,
        alarm: Alarm,
        notes: Notes,
    ) -> None:
        self._facts = worker_facts
        self._settings = settings
        self._dispatcher = dispatcher
        self._consumer = consumer
        self._heartbeat = heartbeat
        self._run = run_handler if hook_calls is None else hook_calls.run_handler
        self._stop = stop
        self._alarm = alarm
        self._notes = notes
        #: Of the process that works: a child that a handler forks ends where it comes out of it.
        self.process_id = 0
        #: What ends the worker as soon as the job in hand is settled.
        self.interrupt: BaseException | None = None

    def make_delivery(self, handed: HandOut) -> tuple[Delivery, Settlement | None]:
        """What the handler is given; and how it ends at once, where the job's data can't be read."""
        reason = ""
        try:
            carried = codec.unpack(handed.text)
        except ValueError as error:
            carried, reason = codec.Body({}), f"Its data can't be read: {facts.describe(error)}."
        lease = Lease(handed.job_id, handed.asked_s + self._settings.lease_s)
        is_last_attempt = self._dispatcher.policy_of(carried.name).is_last(handed.job_id, handed.attempt)
        delivery = Delivery(Hold(handed, lease, self._stop, self._alarm, self._notes), carried, is_last_attempt)
        if not reason:
            return delivery, None
        return delivery, Settlement(delivery, Outcome.FAIL, error=reason, error_class=errors.InvalidData.__name__)

    def do(self, delivery: Delivery) -> Settlement | None:
        """Run the handler, and say how the delivery ends; None where nothing may be settled."""
        policy = self._dispatcher.policy_of(delivery.name)
        try:
            settlement = self._run(self._handle, delivery, policy, self._facts)
        except BaseException as error:
            # Raised around the handler: by what writes the log, or by Ctrl-C.
            self._note_interrupt(error)
            settlement = fail_attempt(error, delivery, policy)
        self._heartbeat.end_run()
        if settlement is not None:
            return settlement
        is_overrun = self._heartbeat.is_overrun(delivery)
        # Where Redis was away nobody is to blame. Else whoever loses the lease of one job again and again must stop.
        self._consumer.abandon(delivery, is_crash=is_overrun or not self._heartbeat.was_cut_off(delivery))
        self._heartbeat.drop_job()
        if not is_overrun:
            return None
        # The lease may still stand in Redis: told in time, an overrun is a failed attempt like any other.
        limit_s = delivery.run_timeout_s or self._settings.run_timeout_s
        return fail_attempt(errors.LeaseLost(delivery.job_id, f"it ran longer than {limit_s:g} s"), delivery, policy)

    def _handle(self, delivery: Delivery) -> None:
        try:
            self._dispatcher.handle(delivery)
        except BaseException as error:
            end_if_forked(self.process_id, error)
            self._note_interrupt(error)
            raise
        end_if_forked(self.process_id)

    def _note_interrupt(self, error: BaseException) -> None:
        """Ctrl-C, where nobody hears SIGINT but Python itself, ends the worker too once its job's end is noted."""
        if is_ctrl_c(error):
            self.interrupt = error
