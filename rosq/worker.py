"""The worker: takes one job at a time and settles it. One file: the loop and its ends change the same few fields."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from rosq import errors, facts
from rosq.clock import boot_time_s
from rosq.connection.alarm import Alarm
from rosq.connection.translating import translate
from rosq.execution.callables import check_callable
from rosq.execution.consumer import Consumer
from rosq.execution.ends import Ends
from rosq.execution.fetching import Fetched
from rosq.execution.forked import end_if_forked
from rosq.execution.handlers import Dispatcher
from rosq.execution.heartbeat import Heartbeat
from rosq.execution.hook_calls import HookCalls
from rosq.execution.lane_order import LaneOrder
from rosq.execution.notes import Notes
from rosq.execution.outage import Outage
from rosq.execution.settlement import Outcome, Settlement
from rosq.execution.stop import ExitWatch, StopClock
from rosq.execution.stop_signals import StopSignals, list_unheard
from rosq.execution.work import Work
from rosq.execution.worker_name import WorkerName
from rosq.maintenance.promoter import promote_due
from rosq.maintenance.thread import MaintenanceThread, make_services
from rosq.names import MAIN_LANE, check_name
from rosq.settings import WorkerSettings

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rosq.connection.wire import Wire
    from rosq.execution.delivery import Delivery
    from rosq.execution.fetching import Answer
    from rosq.execution.handlers import Handlers, Policies
    from rosq.hooks import Hook
    from rosq.maintenance.service import Swept
    from rosq.queue import Queue
    from rosq.scripts.loader import Code

log = logging.getLogger(__name__)

#: After releasing a job into a lane that it reads itself, a worker waits this long, so that someone else is first.
_AFTER_YOU_S = 0.2
#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_RELEASED = Outcome.RELEASE


@functools.singledispatch
def make_consumer(queue: Queue, *, name: str, settings: WorkerSettings) -> Consumer:
    """Return a worker's side of a queue. For a class of queues that hand out jobs in another way, register another."""
    return Consumer(
        keys=queue.keys,
        wire=queue.make_wire(f"rosq-worker:{name}"),
        name=name,
        standing=queue.standing,
        settings=settings,
    )


class Worker:
    """Runs jobs of a queue, one at a time, under a name that it holds exclusively.

    A worker never holds a job that it isn't working on; an idle one sleeps in one blocking call. While Redis is away it
    waits and comes back by itself. Killed at any instant, its job comes back: at once to its restart if that can prove
    the death, else to anyone when the lease has run out.

    Args:
        queue: Where jobs come from.
        handler: Called with each delivery; see `rosq.execution.delivery.Handler`. Or a mapping of job names to them.
        name: Held exclusively: a second worker of the name waits or leaves.
        lanes: The lanes to read, or a callable that returns them before each fetch: the worker's own lane first. After
            a job of the first lane the others are looked into first, so that it doesn't starve them. None at all is
            fine: the worker then only watches the time, until `wake`.
        policy: How often a job may fail, and how long it rests. Or a mapping of job names to policies; that of the
            empty name is for all others.
        settings: Times.
        lock_file: A path on this machine, of this name alone, by which a restart proves that its predecessor is dead.
        on_hold: Called each time the name was taken or taken again, before the first fetch. What it raises ends the
            worker.
        is_waiting_for_name: False raises WorkerNameTaken where another process has the name.
        leave_process: Called in a thread of its own when a stop's deadline has passed and `run` hasn't returned. By
            default the process ends at once with exit code 1, provided that `run` was called in its main thread.
        hooks: Told what happens, in place of the queue's; None takes the queue's. See `rosq.hooks`.
    """

    def __init__(
        self,
        queue: Queue,
        handler: Handlers,
        *,
        name: str,
        lanes: Sequence[str] | Callable[[], Sequence[str]] = (MAIN_LANE,),
        policy: Policies | None = None,
        settings: WorkerSettings | None = None,
        lock_file: Path | None = None,
        on_hold: Callable[[], None] | None = None,
        is_waiting_for_name: bool = True,
        leave_process: Callable[[], None] | None = None,
        hooks: Iterable[Hook] | None = None,
    ) -> None:
        self.queue = queue
        self.name = check_name("worker", name)
        self.settings = settings or WorkerSettings()
        self._facts = facts.of_worker(queue.name, self.name)
        dispatcher = Dispatcher(handler, policy, self._facts)
        for what, called in (("on_hold", on_hold), ("leave_process", leave_process)):
            if called is not None:
                check_callable(what, called, 0)
        self._lanes = LaneOrder(lanes)
        self._on_hold = on_hold
        self._hook_calls = HookCalls.make(queue.hooks if hooks is None else hooks, queue.name, self.name)
        self._alarm = Alarm()
        self._stop = StopClock(self.settings.grace_s, self.settings.exit_s)
        self._consumer = make_consumer(queue, name=self.name, settings=self.settings)
        self._held_name = WorkerName(
            self._consumer, self._facts, lock_file, self.settings.round_s, is_waiting=is_waiting_for_name
        )
        #: What handlers say of their work.
        self._notes = Notes(queue.keys, self._consumer.wire, queue.standing)
        heartbeat_wire = queue.make_wire(f"rosq-heartbeat:{self.name}", longest_s=max(self.settings.beat_s, 0.5))
        self._heartbeat = Heartbeat(
            consumer=self._consumer,
            wire=heartbeat_wire,
            settings=self.settings,
            stop=self._stop,
            wake_loop=self._alarm.ring,
            release=self._release_for_handler,
            hook_calls=self._hook_calls,
        )
        self._work = Work(
            worker_facts=self._facts,
            settings=self.settings,
            dispatcher=dispatcher,
            consumer=self._consumer,
            heartbeat=self._heartbeat,
            hook_calls=self._hook_calls,
            stop=self._stop,
            alarm=self._alarm,
            notes=self._notes,
        )
        self._ends = Ends(self._facts, self._hook_calls)
        maintenance_wire = queue.make_wire(f"rosq-maintenance:{self.name}", longest_s=max(self.settings.beat_s, 0.5))
        self._maintenance = MaintenanceThread(
            keys=queue.keys,
            wire=maintenance_wire,
            standing=queue.standing,
            services=make_services(queue.keys, maintenance_wire, queue.standing, self.settings),
            settings=self.settings,
            worker_facts=self._facts,
            tell=self._tell_maintenance,
        )
        self._exit_watch = ExitWatch(self._stop, leave_process or self._leave_main_process)
        self._outage = Outage(self._facts, self.settings.max_backoff_s, self._hook_calls)
        self._has_been_connected = False
        self._is_holding = False
        self._is_main_thread = False
        self._is_used = False
        self._process_id = 0
        #: The end of the last delivery, until Redis has confirmed it.
        self._settlement: Settlement | None = None
        self._round_ended_s = boot_time_s()

    def run(self, *, stop_on: Iterable[signal.Signals] | None = None) -> None:
        """Work until a stop is requested. Returns when the job in hand is settled or given back and the name given up.

        Args:
            stop_on: Signals that each count as a `request_stop`, whatever the handler is doing; see
                `rosq.StopSignals`. Only in the main thread. By default SIGTERM and SIGINT there, each where nobody has
                a handler of his own for it, and none in any other thread. Who gives none has them himself: his
                handlers call `request_stop`. What they raise while a job is in hand counts as a failure of that job.

        Raises:
            ServerUnfit: The server evicts keys, is too old, or holds a newer key schema.
            ServerRefused: It refused this client from the start.
            WorkerNameTaken: Another process has the name, and waiting wasn't asked for.
            RuntimeError: This worker ran before; make a new one.
        """
        if self._is_used:
            raise RuntimeError("This worker has run already; make a new one.")
        numbers = list_unheard() if stop_on is None else frozenset(stop_on)
        with StopSignals(numbers, lambda _: self.request_stop()) if numbers else contextlib.nullcontext():
            self._is_used = True
            self._process_id = self._work.process_id = os.getpid()
            self._is_main_thread = threading.current_thread() is threading.main_thread()
            try:
                self._heartbeat.start()
                self._maintenance.start()
                self._exit_watch.start()
                self._work_until_stopped()
            except BaseException as error:
                end_if_forked(self._process_id, error)
                raise
            finally:
                self._come_to_an_end()

    def request_stop(self) -> None:
        """Ask the worker to stop: it finishes the job in hand, or releases it when the grace is over. Asked again, it
        releases at once. Safe in signal handlers and from any thread, before the start and after the end."""
        self._stop.request()
        self._alarm.ring()
        self._heartbeat.nudge()
        self._exit_watch.nudge()

    def wake(self) -> None:
        """Make an idle worker look for jobs now: its lanes may have changed. Safe from any thread."""
        self._alarm.ring()

    def last_round_age_s(self) -> float:
        """Seconds since the read loop finished a round, by which its health is judged: an idle loop finishes one every
        `round_s`. While a handler works it grows, up to the run timeout; while Redis is away it grows without end."""
        return boot_time_s() - self._round_ended_s

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _work_until_stopped(self) -> None:
        while self._settlement is not None or not self._stop.is_requested:
            if self._stop.is_requested and self._stop.settle_left_s() <= 0:
                log.warning(
                    "The deadline has passed before Redis answered; the job comes back when its lease runs out",
                    extra={"event": "settle_given_up", **self._facts},
                )
                return
            try:
                self._round()
            except errors.ServerUnreachable as error:
                self._back_off(error)
            except (errors.ScriptFailed, errors.QueueDamaged) as error:
                self._go_on_after(error)
            else:
                self._outage.note_round()
                self._round_ended_s = boot_time_s()

    def _round(self) -> None:
        """Settle what is to be settled, get the next job and work on it. How it ended is told with the next round:
        told again and again until an answer comes."""
        # What was rung for so far is looked at now.
        self._alarm.clear()
        settlement = self._settlement
        if settlement is None and not self._is_holding and not self._hold_name():
            return
        lanes = self._lanes.find_next(self._process_id)
        is_fetching = not self._stop.is_requested and not self._lanes.is_stepping_back(settlement)
        answer = self._consumer.exchange(settlement, lanes, is_fetching=is_fetching)
        if settlement is not None:
            self._settlement = None
            self._heartbeat.drop_job()
            self._tell(settlement, answer.code)
        self._take(answer)
        if answer.fetched is Fetched.NONE:
            self._rest(answer, lanes)

    def _take(self, answer: Answer, *, is_wanted: bool = True) -> None:
        """Work on what was fetched, if anything was and it is still wanted."""
        if answer.hand_out is None:
            self._take_nothing(answer)
            return
        self._outage.note_answer()
        delivery, settlement = self._work.make_delivery(answer.hand_out)
        if self._stop.is_requested or not is_wanted:
            # It was on its way when the stop was asked for, or its lane given up: nothing new is begun.
            self._settlement = Settlement(delivery, _RELEASED)
            return
        if settlement is not None:
            self._settlement = settlement
            return
        self._lanes.last = delivery.lane
        self._heartbeat.hold_job(delivery)
        if answer.is_due:
            self._promote_beside(delivery)
        self._settlement = self._work.do(delivery)
        if self._work.interrupt is not None:
            raise self._work.interrupt

    def _take_nothing(self, answer: Answer) -> None:
        if answer.fetched is Fetched.ERROR:
            # Settled, but nothing fetched: a script ran into a key that it couldn't touch.
            raise translate(ResponseError(answer.error), self._consumer.wire.address)
        self._outage.note_answer()
        if answer.fetched is Fetched.UNHELD:
            self._is_holding = False
        elif answer.fetched is Fetched.NONE:
            self._lanes.last = None
        elif answer.fetched is Fetched.OCCUPIED:
            self._held_name.wait_for_last_job(answer.rest_s, self._alarm)
        elif not self._stop.is_requested:
            self._alarm.wait(_AFTER_YOU_S)

    def _rest(self, answer: Answer, lanes: list[str]) -> None:
        """Nothing is there: promote what is due, or sleep, and work on what ends the sleep."""
        if answer.is_due:
            promote_due(self.queue.keys, self._consumer.wire, self.queue.settings.max_events)
            return

        def sleep() -> Answer | None:
            return self._consumer.sleep(lanes, self.settings.round_s, answer.next_due_s, self._alarm)

        woken = sleep() if self._hook_calls is None else self._hook_calls.around_sleep(sleep)
        if woken is not None:
            # It was asked for before the sleep, and that is long ago. What was left pending here is one's own, whatever
            # its lane.
            given_up = set(lanes).difference(self._lanes.find_next(self._process_id))
            self._take(woken, is_wanted=woken.hand_out is None or woken.hand_out.lane not in given_up)

    def _promote_beside(self, delivery: Delivery) -> None:
        """Promote due jobs before working: others may be idle. The job in hand comes first, so an error only postpones
        it."""
        try:
            promote_due(self.queue.keys, self._consumer.wire, self.queue.settings.max_events)
        except (errors.ServerUnreachable, errors.ScriptFailed) as error:
            log.warning(
                "Delayed jobs couldn't be promoted now",
                extra={"event": "promote_failed", **self._facts, **facts.of_error(error)},
            )

    def _tell(self, settlement: Settlement, code: Code) -> None:
        if self._ends.tell(settlement, code):
            self._consumer.abandon(settlement.delivery, is_crash=False)

    def _back_off(self, error: errors.ServerUnreachable) -> None:
        # To a child the connections are closed, wherever it was forked off.
        end_if_forked(self._process_id)
        if isinstance(error, errors.ServerRefused) and not self._has_been_connected:
            raise error
        self._rest_for(self._outage.note_failure(error, self._stop.time_left_s()))

    def _go_on_after(self, error: errors.ScriptFailed | errors.QueueDamaged) -> None:
        """Redis refused something for good: what a step touches isn't what it should be.

        Where that is something that all jobs need, it is waited for, with the job in hand and what became of it: no job
        is to blame. Else, if it was to settle a job, that job is left as it is: its own state says what becomes of it,
        and the others go on.
        """
        pause_s = self._outage.next_pause_s(self._stop.time_left_s())
        damage = error if isinstance(error, errors.QueueDamaged) else self._find_damage()
        if damage is not None:
            self._ends.tell_damage(damage, pause_s)
        else:
            settlement, self._settlement = self._settlement, None
            self._ends.tell_failure(settlement, error, pause_s)
            if settlement is not None:
                self._heartbeat.drop_job()
                # It comes back to whoever fetches it next, and mustn't do so for ever.
                self._consumer.abandon(settlement.delivery, is_crash=True)
        self._rest_for(pause_s)

    def _find_damage(self) -> errors.QueueDamaged | None:
        lanes = [*self._lanes.read]
        if self._settlement is not None:
            lanes += [self._settlement.delivery.lane, self._settlement.lane or MAIN_LANE]
        return self._consumer.find_damage(lanes)

    def _rest_for(self, pause_s: float) -> None:
        # Nothing but the time or a stop ends this rest: a lost lease changes nothing about Redis being away.
        until_s = boot_time_s() + pause_s
        while (left_s := until_s - boot_time_s()) > 0:
            if self._alarm.wait(left_s) and self._stop.is_requested:
                return

    # -- the name ------------------------------------------------------------------------------------------------------

    def _hold_name(self) -> bool:
        """Take the name, or wait for it a while. True once it is held and the outside has been told."""
        holder = self._held_name.take()
        self._has_been_connected = True
        self._outage.note_answer()
        if holder is not None:
            self._held_name.wait_for(holder, self._alarm)
            return False
        self._heartbeat.hold_name()
        self._consumer.find_own_pending()
        log.info("Holding the worker's name", extra={"event": "name_held", **self._facts})
        if self._hook_calls is not None:
            self._hook_calls.name_held()
        if self._on_hold is not None:
            self._on_hold()
            end_if_forked(self._process_id)
        self._is_holding = True
        return True

    def _tell_maintenance(self, swept: Swept) -> None:
        if self._hook_calls is not None:
            self._hook_calls.after_maintenance(swept)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _release_for_handler(self, delivery: Delivery, wire: Wire) -> None:
        """Give the job back over the heartbeat's connection, since the handler doesn't come to an end."""
        settlement = Settlement(delivery=delivery, outcome=Outcome.RELEASE)
        self._ends.tell_release(settlement, self._consumer.settle_over(wire, settlement))

    def _come_to_an_end(self) -> None:
        self._heartbeat.close()
        self._maintenance.close()
        try:
            if self._stop.settle_left_s() > 0:
                if self._settlement is not None:
                    answer = self._consumer.exchange(self._settlement, [], is_fetching=False)
                    self._tell(self._settlement, answer.code)
                if self._is_holding and self._consumer.is_in_doubt:
                    self._give_back_unseen()
                self._held_name.leave(self._lanes.read)
        except errors.RosqError as error:
            log.warning(
                "The worker's name couldn't be given up; it comes free when its hold runs out",
                extra={"event": "leave_failed", **self._facts, **facts.of_error(error)},
            )
        finally:
            self._consumer.close()
            self._notes.close()
            self._held_name.unlock()
            self._exit_watch.close()
            self._alarm.close()

    def _give_back_unseen(self) -> None:
        """Release a job that was handed out as the sleep was broken off, rather than let its lease run out."""
        handed = self._consumer.exchange(None, []).hand_out
        if handed is not None:
            settlement = Settlement(self._work.make_delivery(handed)[0], _RELEASED)
            self._tell(settlement, self._consumer.exchange(settlement, [], is_fetching=False).code)

    def _leave_main_process(self) -> None:
        log.critical("The worker didn't stop in time", extra={"event": "stop_overdue", **self._facts})
        if self._is_main_thread:
            os._exit(1)
