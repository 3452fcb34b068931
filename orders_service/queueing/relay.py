"""Moves accepted orders from the database to the queue.

An order is marked in the transaction that holds its row's lock, after the queue has its job. A crash in between repeats
the enqueue, which is idempotent; a crash before it leaves the order to the next pass.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.queueing.loops import Loop
from orders_service.queueing.schedule import ScheduledOrder
from orders_service.queueing.threads import call_in_daemon
from orders_service.store import db
from orders_service.store.queries import load
from rosq import EnqueueOutcome, JobState, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.settings import Settings
    from orders_service.store.db import Database
    from rosq import Queue

logger = logging.getLogger(__name__)

#: The channel that the schema's triggers notify.
CHANNEL: Final = "orders_to_relay"
#: Rows that one transaction locks while it talks to the queue.
BATCH: Final = 500

_FINISHED: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.FORGOTTEN})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayCounts:
    """What one pass did.

    Attributes:
        relayed: Orders that are on the queue now.
        refused: Orders under whose id the queue has something else.
    """

    relayed: int = 0
    refused: int = 0


class Relay:
    """Puts every order that asks for it on the queue, woken by the database, with a sweep as a net.

    Any number of relays may run: they take rows with SKIP LOCKED, by a flag and never by "greater than the last id",
    since commits come out of order.
    """

    def __init__(self, database: Database, queue: Queue, settings: Settings) -> None:
        self._database = database
        self._queue = queue
        self._loop = Loop(
            "relay",
            self.run_once,
            interval_s=settings.relay_sweep_s,
            expected=(errors.DatabaseUnavailable, ServerUnreachable),
        )
        self._listening = Loop("relay_bell", self._listen_once, interval_s=1.0)

    async def run(self) -> None:
        """Relay until cancelled; while queue or database is away, keep trying."""
        await self._loop.run()

    async def listen(self) -> None:
        """Wake the relay whenever the database says so, until cancelled. Without it the sweep finds all, later."""
        await self._listening.run()

    async def run_once(self) -> RelayCounts:
        """Relay what is there now.

        Raises:
            ServerUnreachable: The queue's server is away; what was enqueued before is enqueued again, without effect.
            DatabaseUnavailable: The database is away.
        """
        relayed = refused = 0
        while True:
            batch = await self._relay_batch()
            relayed += batch.relayed
            refused += batch.refused
            # A refused order stays where it is: going on for ever would meet it again and again.
            if batch.relayed + batch.refused < BATCH or batch.refused:
                return RelayCounts(relayed=relayed, refused=refused)

    async def _relay_batch(self) -> RelayCounts:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(load("schedule")["take_unrelayed"], {"limit": BATCH})
            orders = [ScheduledOrder.from_row(row) for row in await cursor.fetchall()]
            if not orders:
                return RelayCounts()
            refused = await call_in_daemon(self._enqueue, orders)
            relayed = [order.id for order in orders if order.id not in refused]
            await connection.execute(load("schedule")["mark_relayed"], {"ids": relayed})
        logger.info(
            "Put orders on the queue",
            extra={"event": "orders_relayed", "count": len(relayed), "first": orders[0].id, "last": orders[-1].id},
        )
        return RelayCounts(relayed=len(relayed), refused=len(refused))

    def _enqueue(self, orders: Sequence[ScheduledOrder]) -> set[int]:
        """Give each order a live job; returns those whose id on the queue belongs to something else."""
        refused: set[int] = set()
        again = [order for order in orders if order.fence != 0]
        fresh = [order for order in orders if order.fence == 0]
        answers = self._queue.enqueue_many([order.job for order in fresh]) if fresh else []
        for order, answer in zip(fresh, answers, strict=True):
            if answer.outcome is EnqueueOutcome.CONFLICT:
                refused.add(order.id)
                logger.error(
                    "The queue has another job under the order's id; remove it with --forget-id, or use another queue",
                    extra={"event": "job_conflict", "order_id": order.id, "job_id": order.job_id},
                )
            elif answer.outcome is EnqueueOutcome.DUPLICATE and answer.state in _FINISHED:
                # The queue remembers an earlier life of this id: the order is open, so it needs a live job.
                again.append(order)
        for order in again:
            self._queue.reopen(order.job)
        return refused

    async def _listen_once(self) -> None:
        """Listen until the connection breaks."""
        connection = await self._database.connect()
        try:
            await connection.execute(f"listen {CHANNEL}")
            self._listening.condition.report_success()
            # What was committed before the ear was open.
            self._loop.wake()
            async for _ in connection.notifies():
                self._loop.wake()
        except psycopg.OperationalError as exc:
            raise db.unavailable(self._database.settings, exc) from exc
        finally:
            await connection.close()
