"""Workers of the webhooks' queue: each takes one job at a time, in a thread of its own.

They read a lane for each webhook, in turn, but not one whose address is left in peace for now, and not one that half of
them are busy with already: one address that is slow, or dead, leaves half of them to the others. Several slow ones
together take turns with all the rest.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import logging
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from orders_service import errors
from orders_service.queueing.loops import Condition, pause_s
from orders_service.queueing.threads import call_in_daemon
from orders_service.webhooks.relay import lane_of
from orders_service.webhooks.sending import Later, Sending
from rosq import Release, RetryPolicy, RosqError, Snooze, Worker, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from orders_service.settings import WebhookSettings
    from rosq import Delivery, Queue

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: A try is over long before: a minute for the database's sake, and the time that an address may take.
_RUN_TIMEOUT_S: Final = 120.0
#: The database is away: how it ended, or what there is to send, can't be known now.
_AWAY_PAUSE_S: Final = 5.0
#: A defect: tries are counted in the database, and end there.
_POLICY: Final = RetryPolicy(max_attempts=1_000_000, wait=lambda _: 60.0)


class Senders:
    """The workers of this process.

    Args:
        grace_s: How long a stop waits for what is being sent. Then it is broken off, to be sent once more.
    """

    def __init__(self, queue: Queue, sending: Sending, settings: WebhookSettings, *, grace_s: float) -> None:
        self._queue = queue
        self._sending = sending
        self._grace_s = grace_s
        self._count = settings.senders
        self._limit = max(1, settings.senders // 2)
        self._worker_settings = WorkerSettings(
            lease_s=settings.lease_s, run_timeout_s=_RUN_TIMEOUT_S, grace_s=grace_s, round_s=5.0
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: list[threading.Thread] = []
        self._condition = Condition("webhook_senders")
        #: Guards what follows, which threads read and write.
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._is_stopping = self._is_leaving = False
        self._under_way: set[concurrent.futures.Future[Any]] = set()
        self._nap = threading.Event()
        self._open: list[str] = []
        self._busy: collections.Counter[str] = collections.Counter()
        self._turn = 0

    @property
    def is_running(self) -> bool:
        """Whether they were started."""
        return bool(self._threads)

    def start(self) -> None:
        """Start the threads; called in the event loop that does the sending."""
        self._loop = asyncio.get_running_loop()
        # Of this run alone: two processes, or a restart, never wait for each other's names.
        run = secrets.token_hex(4)
        for number in range(1, self._count + 1):
            thread = threading.Thread(target=self._work, args=(f"webhooks-{run}-{number}",), daemon=True)
            self._threads.append(thread)
            thread.start()

    def read(self, pauses_s: Mapping[int, float]) -> None:
        """Read the lanes of these webhooks from now on, but those that are left in peace."""
        fresh = [lane_of(webhook_id) for webhook_id, left_s in pauses_s.items() if left_s <= 0]
        with self._lock:
            is_news = fresh != self._open
            self._open = fresh
        if is_news:
            self._wake()

    async def stop(self) -> None:
        """Let what is being sent end, up to the grace, and take nothing new. Safe to repeat, and without a start."""
        self.request_stop()
        await call_in_daemon(self._join)

    def request_stop(self) -> None:
        """Take nothing new; asked again, what is being sent is left to be sent once more."""
        with self._lock:
            is_again, self._is_stopping = self._is_stopping, True
            workers = list(self._workers)
        self._nap.set()
        for worker in workers:
            worker.request_stop()
        if is_again:
            self._leave()

    def _join(self) -> None:
        deadline_s = time.monotonic() + self._grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        self._leave()
        for thread in self._threads:
            thread.join()

    def _leave(self) -> None:
        """Break off what is being sent: its job may be somebody else's by now, and two would send one order's news."""
        with self._lock:
            self._is_leaving = True
            under_way = list(self._under_way)
        for one in under_way:
            one.cancel()

    def _work(self, name: str) -> None:
        """Be a worker until a stop; what ends one for a reason of the server's is tried again."""
        failures = 0
        while not self._is_stopping:
            worker = Worker(
                self._queue, self._send, name=name, lanes=self._lanes, policy=_POLICY, settings=self._worker_settings
            )
            with self._lock:
                if self._is_stopping:
                    return
                self._workers.append(worker)
            try:
                worker.run(stop_on=())
                return
            except RosqError as error:
                self._condition.report_trouble(error)
            except Exception as error:
                self._condition.report_defect(error)
            finally:
                with self._lock:
                    self._workers.remove(worker)
            failures += 1
            self._nap.wait(pause_s(failures))

    def _lanes(self) -> list[str]:
        """Return what to read next, each time with another one in front."""
        with self._lock:
            free = [lane for lane in self._open if self._busy[lane] < self._limit]
            self._turn += 1
            first = self._turn % len(free) if free else 0
        return free[first:] + free[:first]

    def _send(self, delivery: Delivery) -> None:
        """Handle a job: what it points to is looked up, and sent where there is something to send."""
        notification_id = delivery.data.get("notification_id") if isinstance(delivery.data, dict) else None
        if not isinstance(notification_id, int):
            return  # none of ours
        try:
            with self._occupying(delivery.lane):
                begun = self._await(self._sending.begin(notification_id))
                if begun is None:
                    return
                delivery.check()
                self._await(self._sending.make(begun))
        except concurrent.futures.CancelledError:
            raise Release from None
        except Later as later:
            raise Snooze(later.pause_s) from None
        except (errors.DatabaseUnavailable, errors.DatabaseUnfit) as error:
            self._condition.report_trouble(error)
            raise Snooze(_AWAY_PAUSE_S) from None
        else:
            self._condition.report_success()

    @contextlib.contextmanager
    def _occupying(self, lane: str) -> Iterator[None]:
        """Raise Release where half of the senders are busy with this lane: all had looked into it at once."""
        with self._lock:
            if self._busy[lane] >= self._limit:
                raise Release
            self._busy[lane] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[lane] -= 1
                is_free_again = self._busy[lane] == self._limit - 1
            if is_free_again:
                # Others may sleep without having looked into its lane.
                self._wake()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what it comes to.

        Raises:
            CancelledError: It was broken off by a stop.
        """
        assert self._loop is not None
        with self._lock:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._under_way.add(future)
            if self._is_leaving:
                future.cancel()
        try:
            return future.result()
        finally:
            with self._lock:
                self._under_way.discard(future)

    def _wake(self) -> None:
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.wake()
