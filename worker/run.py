"""One run of a worker: what it is wired of, and what it does until it is asked to stop."""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rosq import Queue, RedisSettings, RetryPolicy, StopSignals, Worker, WorkerSettings
from worker.account.account import Account
from worker.account.standby import StandbyWatcher
from worker.alive import AliveFile
from worker.errors import WorkerError
from worker.order.points import NO_SIGNALS
from worker.order.processor import Processor
from worker.service.errors import AccountUnknown, ServiceUnreachable
from worker.service.reporter import Reporter
from worker.stopping import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.crypto import Secretbox
    from worker.order.points import Signals
    from worker.settings import Settings

_logger = logging.getLogger(__name__)

#: How long a start waits for the orders service before it gives up with code 3.
START_PATIENCE_S: Final = 10.0
#: The object's own faults only: a request that is refused for it, a broken paper. Whatever else happens spends none.
RETRIES: Final = RetryPolicy()
#: A read loop whose last round is older, with no order in hand, isn't well.
WELL_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What tests put in other than production: who is told of the points of an order's way, and which queue it is."""

    signals: Signals = NO_SIGNALS
    make_queue: Callable[[RedisSettings, str], Queue] = Queue


def run(settings: Settings, secretbox: Secretbox, wiring: Wiring) -> None:
    """Run one worker until it is asked to stop. Sets the process's handlers of SIGTERM and SIGINT.

    Raises:
        ServerUnreachable, ServiceUnreachable: Redis or the orders service isn't there at the start.
        AccountNotUsable: The account is unknown, inactive with nothing to collect, or sealed with another secret.
        WorkerError: It had to end by itself; the message says why.
        RosqError: The queue can't be used.
    """
    queue = wiring.make_queue(settings.redis, settings.queue)
    reporter = Reporter.from_settings(settings)
    try:
        queue.ping()
        reporter.wait_ready(START_PATIENCE_S)
        _work(settings, secretbox, wiring, queue, reporter)
    finally:
        reporter.close()
        queue.close()


def _work(settings: Settings, secretbox: Secretbox, wiring: Wiring, queue: Queue, reporter: Reporter) -> None:
    account = Account(settings, reporter, secretbox)
    stop = StopFlag()
    why_ended: list[str] = []

    def end(sentence: str) -> None:
        why_ended.append(sentence)
        _logger.error("the worker ends", extra={"event": "worker_ends", "error": sentence})
        stop.request()
        worker.request_stop()

    processor = Processor(settings, reporter, account, stop=end, signals=wiring.signals)
    worker = Worker(
        queue,
        processor,
        name=settings.username,
        lanes=account.lanes,
        policy=RETRIES,
        settings=WorkerSettings(
            lease_s=settings.lease_s, run_timeout_s=settings.run_timeout_s, grace_s=settings.grace_s
        ),
        lock_file=settings.lock_file,
        on_hold=lambda: account.open(stop),
    )

    def on_signal(_number: int) -> None:
        stop.request()
        worker.request_stop()

    watcher = StandbyWatcher(
        account,
        interval_s=settings.standby_check_s,
        on_change=worker.wake,
        on_stale=lambda: end("Another worker opened the account: this one ends."),
    )
    alive = None
    if settings.alive_file is not None:
        alive = AliveFile(
            settings.alive_file, lambda: processor.is_at_work or worker.last_round_age_s() < WELL_WITHIN_S
        )
    try:
        with StopSignals((signal.SIGTERM, signal.SIGINT), on_signal):
            watcher.start()
            if alive is not None:
                alive.start()
            worker.run()
    except ServiceUnreachable:
        # Asked to stop while it waited to open its account: that is a stop, not a failure.
        if not stop.is_set:
            raise
    finally:
        watcher.stop()
        if alive is not None:
            alive.stop()
        account.close()
    if why_ended:
        raise WorkerError(why_ended[0])


def find_unknown(settings: Settings) -> AccountUnknown | None:
    """Return what the orders service says if it doesn't know the account; None if it does, or can't be asked now.

    Changes nothing: no worker has the epoch 0, so an account that was ever opened is refused as another's, and exists.
    """
    reporter = Reporter.from_settings(settings)
    try:
        reporter.read_account(settings.username, 0)
    except AccountUnknown as exc:
        return exc
    except WorkerError:
        return None
    finally:
        reporter.close()
    return None
