"""One `orders-service serve`: opens what it needs, runs until it is told to stop, and closes it again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access import tokens
from orders_service.api.auth.gatekeeper import Gatekeeper
from orders_service.api.webhook_body import write_body
from orders_service.queueing.loops import cancel_all
from orders_service.queueing.reconciler import Reconciler
from orders_service.queueing.relay import Relay
from orders_service.server import Server
from orders_service.store import fitness
from orders_service.store.db import Database
from orders_service.store.share import Share
from orders_service.webhooks.service import Webhooks
from rosq import Queue, QueueSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence

    from orders_service.crypto import Secretbox
    from orders_service.listening import ListenSettings
    from orders_service.settings import Settings
    from orders_service.store.migrations import Migration

logger = logging.getLogger(__name__)

#: Objects until the young ones are looked at, such looks until one at the middle-aged, and those until one at all.
_GARBAGE: Final = (10_000, 10, 20)
#: How long a thread may go on while another waits.
_TURN_S: Final = 0.001
#: Connections of the pool that telling clients may take: one for each five.
_WEBHOOK_SHARE: Final = 5
#: Their jobs are pointers that nobody asks for twice: few are kept for people to look at.
_WEBHOOK_QUEUE: Final = QueueSettings(keep_completed=1_000, keep_completed_s=3_600.0)


async def serve(
    settings: Settings, box: Secretbox, queue: Queue, needed: Sequence[Migration], listen: ListenSettings
) -> None:
    """Serve until SIGTERM or SIGINT; a second one breaks off the calls under way.

    The queue's server may be away, also at the start: orders are accepted, and relayed when it is back. Several
    processes may serve one database: relays share the work by row locks, and one reconciler at a time holds the lock.

    Raises:
        DatabaseUnavailable: The database doesn't answer at the start.
        DatabaseUnfit: It mustn't be used as it is.
        PortUnavailable: It can't listen there.
        Unsafe: Others could reach it there unasked, or unencrypted, and nobody asked for that.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    database = Database(settings)
    webhook_queue = Queue(queue.redis_settings, settings.webhooks.queue_name, _WEBHOOK_QUEUE)
    await database.open()
    try:
        await fitness.check_database(database, needed)
        await _check_access(database, listen)
        gatekeeper = Gatekeeper(database, is_token_required=listen.is_token_required, rate=listen.rate)
        server = Server(database, box, settings, listen, gatekeeper)
        webhooks = _make_webhooks(database, webhook_queue, box, settings)
        addresses = await server.start()
        relay = Relay(database, queue, settings)
        reconciler = Reconciler(database, queue, settings)
        background = (
            server.watch_health(),
            server.watch_certificates(),
            server.watch_orders(),
            gatekeeper.scribe.run(),
            relay.listen(),
            relay.run(),
            reconciler.run(),
            *([webhooks.run()] if webhooks is not None else []),
        )
        settle_down()
        with _signals(stop, hurry):
            async with _tasks(*background):
                where = {"address": str(addresses[0])}
                if listen.workers is not None:
                    where["workers"] = str(addresses[1])
                if listen.rest is not None:
                    where["rest"] = str(addresses[-1])
                logger.info("Serving", extra={"event": "serving", **where})
                await stop.wait()
                logger.info("Stopping", extra={"event": "stopping"})
                await _stop(server, webhooks, hurry)
        await _write_rest(gatekeeper)
    finally:
        await database.close()
        webhook_queue.close()
    logger.info("Stopped", extra={"event": "stopped"})


def settle_down() -> None:
    """Let the interpreter keep the event loop waiting less: to be called when what stays is there.

    A collection of garbage looks at every object and stops everything meanwhile: at what was imported and made at the
    start never again, and at all that is alive only seldom. A thread with long work lets the loop have its turn sooner.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    sys.setswitchinterval(_TURN_S)


async def _check_access(database: Database, listen: ListenSettings) -> None:
    """Refuse to be open to others unasked, and say it where everybody on this machine may do everything.

    Raises:
        Unsafe: Says what is missing.
    """
    async with database.transaction() as connection:
        is_any_token = await tokens.is_any_made(connection)
    listen.check(is_any_token=is_any_token)
    if not is_any_token and not listen.is_token_required:
        logger.warning(
            "There is no access token: whoever reaches this address may do everything",
            extra={"event": "access_open", "address": str(listen.outside or listen.address)},
        )


async def _write_rest(gatekeeper: Gatekeeper) -> None:
    """Write the last rows of the audit. Where that can't be, the rows of what was about to be done stand alone."""
    try:
        await gatekeeper.finish()
    except errors.OrdersServiceError as error:
        logger.error(
            "The last rows of the audit can't be written", extra={"event": "audit_unfinished", "error": str(error)}
        )


def _make_webhooks(database: Database, queue: Queue, box: Secretbox, settings: Settings) -> Webhooks | None:
    if not settings.webhooks.senders:
        return None
    # What waits for a client's address waits without a connection; what is told must not hold up calls.
    share = Share(database, max(2, settings.db.pool_size // _WEBHOOK_SHARE))
    return Webhooks(share, queue, box, settings.webhooks, write_body, grace_s=settings.stop_grace_s)


async def _stop(server: Server, webhooks: Webhooks | None, hurry: asyncio.Event) -> None:
    ending = asyncio.create_task(_stop_all(server, webhooks))
    hurrying = asyncio.create_task(hurry.wait())
    await asyncio.wait({ending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not ending.done():
        if webhooks is not None:
            webhooks.hurry()
        await server.abort()
    await ending


async def _stop_all(server: Server, webhooks: Webhooks | None) -> None:
    if webhooks is None:
        await server.stop()
    else:
        await asyncio.gather(server.stop(), webhooks.stop())


@contextlib.contextmanager
def _signals(stop: asyncio.Event, hurry: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _tasks(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run them beside the block, and end them with it."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        # They end by being cancelled; anything else is a defect that mustn't pass in silence.
        for error in await cancel_all(tasks):
            logger.error("A background task had ended", exc_info=error, extra={"event": "task_ended"})
