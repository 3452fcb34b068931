"""The heartbeat: a thread with a connection of its own that keeps a worker's name and lease while the handler works."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.clock import boot_time_s
from rosq.connection.alarm import Alarm
from rosq.execution.lease import WHY_LOST
from rosq.job import CancelRequest
from rosq.scripts import loader
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire
    from rosq.execution.consumer import Consumer
    from rosq.execution.delivery import Delivery
    from rosq.execution.hook_calls import HookCalls
    from rosq.execution.stop import StopClock
    from rosq.settings import WorkerSettings

log = logging.getLogger(__name__)

#: Of a lease, the part to wait after a heartbeat that got no answer.
_AGAIN_AFTER = 1 / 15


class Heartbeat:
    """Renews the hold on the name and the lease of the job in hand each third of a lease, and watches the worker's
    stop.

    Args:
        wake_loop: Called when the read loop, or a handler that sleeps, has to look up: a lease or the name was lost.
        release: Called once when a stop's grace is over and the handler hasn't come to an end by itself a moment later.
        hook_calls: Told what this thread notices.
    """

    def __init__(
        self,
        *,
        consumer: Consumer,
        wire: Wire,
        settings: WorkerSettings,
        stop: StopClock,
        wake_loop: Callable[[], None],
        release: Callable[[Delivery, Wire], None],
        hook_calls: HookCalls | None = None,
    ) -> None:
        self._facts = facts.of_worker(consumer.keys.queue, consumer.name)
        self._consumer = consumer
        self._wire = wire
        self._settings = settings
        self._run_timeout_s, self._beat_s = settings.run_timeout_s, settings.beat_s
        self._stop = stop
        self._wake_loop = wake_loop
        self._release = release
        self._hook_calls = hook_calls
        self._alarm = Alarm()
        #: Whose lease is kept: until Redis has answered how it ends.
        self._delivery: Delivery | None = None
        #: The same while its handler runs: to be watched for its time and for a stop.
        self._at_work: Delivery | None = None
        #: When a beat last got no answer, and since when one waits for its own, by `boot_time_s`.
        self._failed_s = -math.inf
        self._asking_since_s: float | None = None
        self._has_held_name = False
        self._is_name_held = False
        self._released_token = ""
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="rosq-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and wait for it, no longer than a call to Redis may take. Safe twice, and before the start."""
        self._is_closing = True
        self._alarm.ring()
        if self._thread.ident is not None:
            self._thread.join(self._settings.exit_s + 1)
        if not self._thread.is_alive():
            self._alarm.close()
            self._wire.close()

    def nudge(self) -> None:
        """Look at the clock again: a stop was requested. Safe in signal handlers."""
        self._alarm.ring()

    def hold_name(self) -> None:
        """The name was taken: keep it."""
        self._has_held_name = self._is_name_held = True

    def hold_job(self, delivery: Delivery) -> None:
        """A job is in hand: keep its lease."""
        self._delivery = self._at_work = delivery
        if (delivery.run_timeout_s or self._run_timeout_s) < self._beat_s:
            # The next look at the clock would come too late for it.
            self._alarm.ring()

    def end_run(self) -> None:
        """The handler has come to its end. The job is still held: what it came to is to be told to Redis, and that may
        take as long as an outage lasts."""
        self._at_work = None

    def drop_job(self) -> None:
        """Redis knows how the job in hand ended, or nobody is going to tell it."""
        self._delivery = self._at_work = None

    def is_overrun(self, delivery: Delivery) -> bool:
        """Whether a delivery has run longer than it may."""
        return boot_time_s() - delivery.hold.handed.started_s > self._limit_s(delivery)

    def was_cut_off(self, delivery: Delivery) -> bool:
        """Whether Redis gave this thread no answer while a delivery ran: then a lease that ran out is nobody's fault.
        If not, this process stood still, or its handler let no other thread run."""
        since_s = self._asking_since_s
        is_waiting = since_s is not None and boot_time_s() - since_s > self._beat_s / 2
        return is_waiting or self._failed_s >= delivery.hold.handed.asked_s

    def _limit_s(self, delivery: Delivery) -> float:
        """Seconds that a delivery may take: its job's own limit, else the worker's."""
        return delivery.run_timeout_s or self._run_timeout_s

    def _run(self) -> None:
        next_beat_s = boot_time_s()
        while not self._is_closing:
            now_s = boot_time_s()
            if now_s >= next_beat_s:
                pause_s = self._settings.beat_s if self._beat() else self._settings.lease_s * _AGAIN_AFTER
                next_beat_s = now_s + pause_s
            self._watch_run_time()
            self._watch_stop()
            self._alarm.wait(self._rest_s(next_beat_s))

    def _rest_s(self, next_beat_s: float) -> float:
        """Seconds until something is to be done."""
        rest_s = next_beat_s - boot_time_s()
        delivery = self._at_work
        if delivery is not None:
            overrun_in_s = delivery.hold.handed.started_s + self._limit_s(delivery) - boot_time_s()
            if overrun_in_s > 0:
                rest_s = min(rest_s, overrun_in_s)
        patience_left_s = self._stop.grace_left_s() + self._patience_s
        if patience_left_s > 0:
            rest_s = min(rest_s, patience_left_s)
        return max(rest_s, 0.001)

    @property
    def _patience_s(self) -> float:
        """Seconds past the grace that a handler has to come to an end by itself."""
        return self._settings.exit_s / 3

    def _beat(self) -> bool:
        """Renew once; False if Redis gave no answer."""
        self._asking_since_s = boot_time_s()
        try:
            if self._has_held_name:
                self._renew()
        except errors.ServerUnreachable as error:
            self._failed_s = boot_time_s()
            log.warning(
                "A heartbeat got no answer",
                extra={"event": "heartbeat_failed", **self._facts, **facts.of_error(error)},
            )
            return False
        except Exception as error:
            # The thread must live on: without it every lease of this worker runs out.
            told = {"event": "heartbeat_failed", **self._facts, **facts.of_error(error)}
            log.exception("A heartbeat failed", extra=told)
            self._wire.close()
            return False
        finally:
            self._asking_since_s = None
        return True

    def _renew(self) -> None:
        consumer, delivery = self._consumer, self._delivery
        keys = [consumer.keys.worker(consumer.name), consumer.keys.workers]
        args: list[str | int] = [consumer.name, consumer.instance, self._settings.lease_ms]
        is_renewing = delivery is not None and delivery.hold.handed.is_real and delivery.hold.lease.lost_reason is None
        if delivery is not None and is_renewing:
            handed = delivery.hold.handed
            keys += [consumer.keys.job(handed.job_id), consumer.keys.lane(handed.lane)]
            args += [str(handed.fence), handed.token, handed.entry_id]
        sent_s = boot_time_s()
        is_held, code, *asked = self._wire.run(loader.load("heartbeat"), keys, args)
        # Whoever took the name a moment ago may have said so before this answer: the next one puts that right.
        was_held, self._is_name_held = self._is_name_held, bool(is_held)
        if was_held and not is_held:
            log.warning("The hold on the worker's name is lost", extra={"event": "name_lost", **self._facts})
            self._wake_loop()
            if self._hook_calls is not None:
                self._hook_calls.name_lost()
        if delivery is None or not is_renewing:
            return
        if code == Code.HELD:
            was_in_doubt = not delivery.hold.lease.is_held()
            delivery.hold.lease.renew(sent_s + self._settings.lease_s)
            if was_in_doubt:
                # A handler that rests wants to know.
                self._wake_loop()
            if asked and not delivery.is_cancel_requested:
                self._ask_to_cancel(delivery, CancelRequest(by=asked[0], reason=asked[1]))
        elif self._at_work is delivery:
            # Otherwise the loop tells how it ended, and is told itself what came of that.
            self._lose(delivery, WHY_LOST[Code(code)])

    def _ask_to_cancel(self, delivery: Delivery, request: CancelRequest) -> None:
        delivery.hold.cancel_request = request
        log.info(
            "The cancelling of the job in hand is asked for",
            extra={
                "event": "cancel_asked",
                **self._facts,
                **facts.of_delivery(delivery),
                "by": request.by,
                "reason": request.reason,
            },
        )
        self._wake_loop()

    def _watch_run_time(self) -> None:
        delivery = self._at_work
        is_leased = delivery is not None and delivery.hold.handed.is_real and delivery.hold.lease.lost_reason is None
        if delivery is not None and is_leased and self.is_overrun(delivery):
            self._lose(delivery, f"it ran longer than {self._limit_s(delivery):g} s")

    def _lose(self, delivery: Delivery, reason: str) -> None:
        delivery.hold.lease.lose(reason)
        log.warning(
            "A lease is lost",
            extra={
                "event": "lease_lost",
                **self._facts,
                **facts.of_delivery(delivery),
                "error": reason,
            },
        )
        # Before the hooks: who is to look up shall not wait for them.
        self._wake_loop()
        if self._hook_calls is not None:
            self._hook_calls.lease_lost(delivery, reason)

    def _watch_stop(self) -> None:
        delivery = self._at_work
        is_patience_over = self._stop.grace_left_s() + self._patience_s <= 0
        if delivery is not None and is_patience_over and self._released_token != delivery.hold.handed.token:
            self._released_token = delivery.hold.handed.token
            # First the holder stops believing, then the job goes back: never the other way round.
            self._lose(delivery, "the worker is stopping and its grace is over")
            if not delivery.hold.handed.is_real:
                return
            try:
                self._release(delivery, self._wire)
            except errors.RosqError as error:
                log.warning(
                    "The job in hand couldn't be released; it comes back when its lease runs out",
                    extra={
                        "event": "release_failed",
                        **self._facts,
                        **facts.of_delivery(delivery),
                        **facts.of_error(error),
                    },
                )
