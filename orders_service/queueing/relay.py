"""Moves accepted orders from the database to the queue.

An order is marked in the transaction that holds its row's lock, after the queue has its job. A crash in between repeats
the enqueue, which is idempotent; a crash before it leaves the order to the next pass.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.life.work import DEFAULT_LEASE_S, Work
from orders_service.queueing.isolation import keep_apart
from orders_service.queueing.loops import Loop
from orders_service.queueing.schedule import ScheduledOrder
from orders_service.queueing.threads import call_in_daemon
from orders_service.store import db
from orders_service.store.queries import load
from rosq import EnqueueOutcome, JobState, RosqError, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orders_service.settings import Settings
    from orders_service.store.db import Database
    from rosq import Enqueued, Queue

logger = logging.getLogger(__name__)

#: The channel that the schema's triggers notify.
CHANNEL: Final = "orders_to_relay"
#: Rows that one transaction locks while it talks to the queue.
BATCH: Final = 500

#: Between two passes: an order that comes alone goes at once, of those that follow each other many in one pass.
_REST_S: Final = 0.02
_ACTOR: Final = "relay"
#: How often, a day apart, an order that is over is called for a look into a list that nobody reads.
LOOK_TRIES: Final = 7
_FINISHED: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.FORGOTTEN})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RelayCounts:
    """What one pass did.

    Attributes:
        relayed: Orders that are on the queue now.
        refused: Orders that the queue can't take: each is held, with an alarm.
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
        self._look_every_s = settings.relay_sweep_s
        self._look_at = 0.0
        self._loop = Loop(
            "relay",
            self.run_pass,
            interval_s=settings.relay_sweep_s,
            rest_s=_REST_S,
            expected=(errors.DatabaseUnavailable, errors.DatabaseUnfit, ServerUnreachable),
        )
        self._listening = Loop("relay_bell", self._listen_once, interval_s=1.0)

    async def run(self) -> None:
        """Relay until cancelled; while queue or database is away, keep trying."""
        await self._loop.run()

    async def listen(self) -> None:
        """Wake the relay whenever the database says so, until cancelled. Without it the sweep finds all, later."""
        await self._listening.run()

    async def run_pass(self) -> RelayCounts:
        """Relay what is there now; what becomes due by time is asked for as often as by a sweep, not at each bell.

        Raises:
            As for `run_once`.
        """
        if time.monotonic() < self._look_at:
            return await self._relay_all()
        counts = await self.run_once()
        self._look_at = time.monotonic() + self._look_every_s
        return counts

    async def run_once(self) -> RelayCounts:
        """Relay what is there now, also what is to be looked for once more.

        Raises:
            ServerUnreachable: The queue's server is away; what was enqueued before is enqueued again, without effect.
            DatabaseUnavailable: The database is away.
        """
        await self._call_for_looks()
        return await self._relay_all()

    async def _relay_all(self) -> RelayCounts:
        relayed = refused = after_id = 0
        while True:
            batch, after_id = await self._relay_batch(after_id)
            relayed += batch.relayed
            refused += batch.refused
            if batch.relayed + batch.refused < BATCH:
                return RelayCounts(relayed=relayed, refused=refused)

    async def _call_for_looks(self) -> None:
        """Let orders that are over, and of which a send may turn up, be looked for; so often at most."""
        parameters = {"tries": LOOK_TRIES, "actor": _ACTOR, "kind": "look_missed"}
        async with self._database.transaction() as connection:
            cursor = await connection.execute(load("schedule")["call_for_looks"], parameters)
            missed = [row["order_id"] for row in await cursor.fetchall()]
        for order_id in missed:
            logger.warning("Nobody looked for a late row", extra={"event": "look_missed", "order_id": order_id})

    async def _relay_batch(self, after_id: int) -> tuple[RelayCounts, int]:
        """Relay the next orders of this pass; also returns how far it came.

        A pass never goes back: what it relayed stays in the index as long as an old snapshot of the database lives, and
        each batch would walk past all of it. What comes in behind it is the next pass's.
        """
        async with self._database.transaction() as connection:
            await connection.execute(load("schedule")["walk_in_order"])
            parameters = {"after_id": after_id, "limit": BATCH}
            cursor = await connection.execute(load("schedule")["take_unrelayed"], parameters)
            orders = [ScheduledOrder.from_row(row) for row in await cursor.fetchall()]
            if not orders:
                return RelayCounts(), after_id
            refused = await call_in_daemon(self._enqueue, orders)
            relayed = [order.id for order in orders if order.id not in refused]
            await connection.execute(load("schedule")["mark_relayed"], {"ids": relayed})
            work = Work(connection, DEFAULT_LEASE_S)
            for order_id, reason in refused.items():
                await work.hold_unread(order_id, reason, actor=_ACTOR)
        work.flush_log()
        logger.info(
            "Put orders on the queue",
            extra={"event": "orders_relayed", "count": len(relayed), "first": orders[0].id, "last": orders[-1].id},
        )
        return RelayCounts(relayed=len(relayed), refused=len(refused)), orders[-1].id

    def _enqueue(self, orders: Sequence[ScheduledOrder]) -> dict[int, str]:
        """Give each order a live job; returns those that the queue can't take, with the reason.

        Raises:
            ServerUnreachable: The queue's server is away.
            RosqError: It takes none of them: the queue's trouble, not theirs.
        """
        refused: dict[int, str] = {}
        again = [order for order in orders if order.fence != 0]
        fresh = [order for order in orders if order.fence == 0]
        for order, answer in self._put(fresh, refused):
            if answer.outcome is EnqueueOutcome.CONFLICT:
                refused[order.id] = (
                    f"The queue {self._queue.name} has another job under the id {order.job_id}: "
                    f"`rosq remove {order.job_id} --forget-id`, or use another queue."
                )
            elif answer.outcome is EnqueueOutcome.DUPLICATE and answer.state in _FINISHED:
                # The queue remembers an earlier life of this id: the order is open, so it needs a live job.
                again.append(order)
        keep_apart(again, lambda order: self._queue.reopen(order.job), refused, of=len(orders))
        return refused

    def _put(
        self, orders: Sequence[ScheduledOrder], refused: dict[int, str]
    ) -> Iterable[tuple[ScheduledOrder, Enqueued]]:
        """Enqueue all in one go; where one of them can't be written, one by one."""
        if not orders:
            return []
        try:
            return list(zip(orders, self._queue.enqueue_many([order.job for order in orders]), strict=True))
        except ServerUnreachable:
            raise
        except RosqError:
            told = {}
            keep_apart(
                orders,
                lambda order: told.update({order.id: self._queue.enqueue_many([order.job])[0]}),
                refused,
                of=len(orders),
            )
            return [(order, told[order.id]) for order in orders if order.id in told]

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
