"""Compares open orders with the queue, and rebuilds the queue where it lost something.

All of them are compared seldom, the more seldom the longer it takes. In between a few jobs are asked for, to learn at
once that the queue lost its data, and only those orders are looked at that somebody should have taken up by now.

One process reconciles at a time, under an advisory lock of the database. The lock saves work, no more: each step is
idempotent and conditional, so two at once, or one that was paused for an hour, do no harm.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.life import unattended
from orders_service.life.work import working
from orders_service.queueing.isolation import keep_apart
from orders_service.queueing.loops import Loop
from orders_service.queueing.relay import BATCH
from orders_service.queueing.schedule import ScheduledOrder
from orders_service.queueing.threads import call_in_daemon
from orders_service.queueing.witnesses import Witnesses
from orders_service.store import db
from orders_service.store.queries import load
from rosq import JobState, RosqError, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orders_service.settings import Settings
    from orders_service.store.db import Connection, Database
    from rosq import Job, Queue

logger = logging.getLogger(__name__)

#: How a worker ends the job of an order that is on hold. By then a person may have decided, and the order goes on.
ON_HOLD: Final = "on hold"

#: In nobody's hand.
_AT_REST: Final = frozenset({JobState.WAITING, JobState.DELAYED})
#: However long it took, they are compared again after so many seconds.
_FULL_LATEST_S: Final = 3600.0
#: Of the time, that comparing all orders may take: a fiftieth.
_FULL_SHARE: Final = 50.0
#: How often it is looked whether the queue has lost its data, in seconds.
_WATCH_S: Final = 0.5
_LOCK_KEY: Final = 0x726F_7371_7265_636F
_ACTOR: Final = "reconciler"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileCounts:
    """What one pass found.

    Attributes:
        looked_at: Open orders in nobody's hand.
        reopened: Their jobs were gone or over.
        moved: Their jobs lay in a lane where they don't belong.
        failed: Orders that failed with their jobs.
        held: Orders whose jobs failed after the gate.
        weighed: Orders whose facts nobody had weighed.
        unbound: Orders that an account had bound to itself, never sent, and left.
    """

    looked_at: int = 0
    reopened: int = 0
    moved: int = 0
    failed: int = 0
    held: int = 0
    weighed: int = 0
    unbound: int = 0

    def __add__(self, other: ReconcileCounts) -> ReconcileCounts:
        """Both together."""
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return ReconcileCounts(
            **dict(
                zip(
                    [each.name for each in dataclasses.fields(self)],
                    map(sum, zip(mine, theirs, strict=True)),
                    strict=True,
                )
            )
        )


class Reconciler:
    """Gives every open order a live job, or takes over its job's failure."""

    def __init__(self, database: Database, queue: Queue, settings: Settings) -> None:
        self._database = database
        self._queue = queue
        self._settings = settings
        self._lock: Connection | None = None
        self._witnesses = Witnesses()
        self._silent_after_id = 0
        self._full_at = self._look_at = 0.0
        self._loop = Loop(
            "reconciler",
            self._run_if_first,
            interval_s=min(settings.reconcile_interval_s, _WATCH_S),
            expected=(errors.DatabaseUnavailable, errors.DatabaseUnfit, ServerUnreachable),
        )

    async def run(self) -> None:
        """Reconcile until cancelled; while queue or database is away, keep trying."""
        try:
            await self._loop.run()
        finally:
            await self._unlock()

    async def run_pass(self) -> ReconcileCounts:
        """Do what is due by now: compare all orders, look at those that may be lost, or nothing.

        Raises:
            ServerUnreachable: The queue's server is away; what was done so far stands.
            DatabaseUnavailable: The database is away.
        """
        begun_at = time.monotonic()
        is_lost = await self._has_lost_data()
        if is_lost or begun_at >= self._full_at:
            counts = await self.run_once()
            ended_at = time.monotonic()
            pause_s = min((ended_at - begun_at) * _FULL_SHARE, _FULL_LATEST_S)
            pause_s = max(self._settings.reconcile_interval_s, pause_s)
            if is_lost:
                # What was relayed a moment before the loss isn't judged yet.
                pause_s = self._settings.relay_margin_s + self._settings.reconcile_interval_s
            self._full_at = ended_at + pause_s
            self._look_at = ended_at + self._settings.reconcile_interval_s
            return counts
        if begun_at < self._look_at:
            return ReconcileCounts()
        self._look_at = begun_at + self._settings.reconcile_interval_s
        return await self._look_at_silent()

    async def run_once(self) -> ReconcileCounts:
        """Compare every open order that is in nobody's hand with the queue, once.

        Raises:
            ServerUnreachable: The queue's server is away; what was done so far stands.
            DatabaseUnavailable: The database is away.
        """
        total, _ = await self._tend_unattended()
        after_id = 0
        while page := await self._read_page(after_id):
            total += await self._judge(page)
            after_id = page[-1].id
        return _told(total)

    async def _look_at_silent(self) -> ReconcileCounts:
        """Compare the orders that somebody should have taken up by now, a page of them, and the newest."""
        total, unbound = await self._tend_unattended()
        # Their jobs lie in the lane of an account that is gone, where nobody is silent about them any more.
        for first in range(0, len(unbound), BATCH):
            if page := await self._read_some(unbound[first : first + BATCH]):
                total += await self._judge(page)
        page = await self._read_page(self._silent_after_id, is_silent=True)
        self._silent_after_id = page[-1].id if len(page) == BATCH else 0
        async with self._database.transaction() as connection:
            newest = [row["id"] for row in await (await connection.execute(load("schedule")["newest_open"])).fetchall()]
        seen = {order.id for order in page}
        page += [order for order in await self._read_some(newest) if order.id not in seen]
        return _told(total + await self._judge(page) if page else total)

    async def _tend_unattended(self) -> tuple[ReconcileCounts, list[int]]:
        """Weigh what waits, and let go what was left; also returns what any account may take now."""
        weighed = await unattended.weigh_unheld_facts(self._database, self._settings.order_lease_s)
        unbound = await unattended.unbind_abandoned(self._database)
        return ReconcileCounts(weighed=weighed, unbound=len(unbound)), unbound

    async def _has_lost_data(self) -> bool:
        """Whether a job of an open order is gone that was there: then others are, too."""
        asked = self._witnesses.ids
        if not asked:
            return False
        try:
            jobs = await call_in_daemon(self._queue.find_jobs, [str(order_id) for order_id in asked])
        except ServerUnreachable:
            raise
        except RosqError:
            # One of them can't be read: what it is about is told where all are compared.
            self._witnesses.drop(asked)
            return False
        missing = [order_id for order_id in asked if str(order_id) not in jobs]
        self._witnesses.drop(missing)
        return bool(missing and await self._read_some(missing))

    async def _judge(self, page: Sequence[ScheduledOrder]) -> ReconcileCounts:
        looked_at = len(page)
        spoiled: dict[int, str] = {}
        jobs = await call_in_daemon(self._find_jobs, page, spoiled)
        page = [order for order in page if order.id not in spoiled]
        if page:
            self._witnesses.add([page[len(page) // 2].id, page[-1].id])
        lost = [order for order in page if _is_lost(jobs.get(order.job_id))]
        if lost:
            await call_in_daemon(self._reopen, lost, jobs, spoiled)
            lost = [order for order in lost if order.id not in spoiled]
            await self._note_reopened(lost)
        moved = await call_in_daemon(self._move, page, jobs, spoiled)
        failed = held = 0
        for order in page:
            job = jobs.get(order.job_id)
            if job is None or job.state is not JobState.FAILED or order in lost or order.id in spoiled:
                continue
            verdict = await self._fail(order, job)
            failed += verdict is unattended.Verdict.FAILED
            held += verdict is unattended.Verdict.HELD
        await self._hold_spoiled(spoiled)
        return ReconcileCounts(
            looked_at=looked_at, reopened=len(lost), moved=moved, failed=failed, held=held + len(spoiled)
        )

    def _find_jobs(self, page: Sequence[ScheduledOrder], spoiled: dict[int, str]) -> Mapping[str, Job]:
        """The jobs of these orders, read in one go; where one of them can't be read, one by one."""
        try:
            return self._queue.find_jobs([order.job_id for order in page])
        except ServerUnreachable:
            raise
        except Exception:
            jobs: dict[str, Job] = {}
            keep_apart(page, lambda order: jobs.update(self._queue.find_jobs([order.job_id])), spoiled)
            return jobs

    async def _fail(self, order: ScheduledOrder, job: Job) -> unattended.Verdict:
        """Take over a job's failure; an order that can't be handled is held, and keeps no other waiting."""
        try:
            return await unattended.fail_by_queue(
                self._database,
                order.id,
                fence=order.fence,
                error=job.last_error or "",
                lease_s=self._settings.order_lease_s,
            )
        except db.OF_THE_DATABASE:
            raise
        except Exception as error:
            logger.exception("An order can't be handled", extra={"event": "order_spoiled", "order_id": order.id})
            await unattended.hold_spoiled(self._database, order.id, error, actor=_ACTOR)
            return unattended.Verdict.HELD

    async def _hold_spoiled(self, spoiled: Mapping[int, str]) -> None:
        async with working(self._database) as work:
            for order_id, reason in spoiled.items():
                await work.hold_unread(order_id, reason, actor=_ACTOR)

    def _reopen(self, orders: Sequence[ScheduledOrder], jobs: Mapping[str, Job], spoiled: dict[int, str]) -> None:
        """Start jobs again: forgotten ones in one go, those that are over or can't be written one by one."""
        forgotten = [order for order in orders if order.job_id not in jobs]
        over = [order for order in orders if order.job_id in jobs]
        try:
            if forgotten:
                self._queue.enqueue_many([order.job for order in forgotten])
        except ServerUnreachable:
            raise
        except RosqError:
            keep_apart(forgotten, lambda order: self._queue.enqueue_many([order.job]), spoiled, of=len(orders))
        keep_apart(over, lambda order: self._queue.reopen(order.job), spoiled, of=len(orders))

    def _move(self, orders: Sequence[ScheduledOrder], jobs: Mapping[str, Job], spoiled: dict[int, str]) -> int:
        """Put jobs that nobody has in hand where their orders belong; returns how many.

        A worker that took such a job would send it there itself. But it may lie in the lane of an account that the
        order isn't bound to any more, whose worker never comes back; or in a shared lane, while the order's own account
        reads only its own.
        """
        astray = [
            order
            for order in orders
            if (job := jobs.get(order.job_id)) is not None
            and job.state in _AT_REST
            and job.is_live
            and job.lane != order.lane
        ]
        moved: set[int] = set()

        def move(order: ScheduledOrder) -> None:
            if self._queue.move(order.job_id, from_lane=jobs[order.job_id].lane, to_lane=order.lane):
                moved.add(order.id)

        keep_apart(astray, move, spoiled, of=len(orders))
        return len(moved)

    async def _note_reopened(self, orders: Sequence[ScheduledOrder]) -> None:
        parameters = {
            "ids": [order.id for order in orders],
            "actor": _ACTOR,
            "kind": "reopened",
            "reason": "its job was missing or over",
        }
        async with self._database.transaction() as connection:
            await connection.execute(load("schedule")["add_event"], parameters)

    async def _read_some(self, order_ids: Sequence[int]) -> list[ScheduledOrder]:
        """Those of these orders that should have a live job."""
        return await self._read_page(min(order_ids) - 1, order_ids) if order_ids else []

    async def _read_page(
        self, after_id: int, order_ids: Sequence[int] | None = None, *, is_silent: bool = False
    ) -> list[ScheduledOrder]:
        parameters = {
            "after_id": after_id,
            "ids": None if order_ids is None else list(order_ids),
            "is_silent": is_silent,
            "lease_s": self._settings.order_lease_s,
            "margin_s": self._settings.relay_margin_s,
            "limit": BATCH,
        }
        async with self._database.transaction() as connection:
            if order_ids is None:
                await connection.execute(load("schedule")["walk_in_order"])
            # Unprepared: some orders are found by their ids, a page by its index.
            cursor = await connection.execute(load("schedule")["page_of_open"], parameters, prepare=False)
            return [ScheduledOrder.from_row(row) for row in await cursor.fetchall()]

    async def _run_if_first(self) -> None:
        try:
            if self._lock is None:
                self._lock = await self._database.connect()
            # Taken again by each pass: the answer is also the proof that the session, and so the lock, still stands.
            cursor = await self._lock.execute(load("schedule")["try_reconcile"], {"key": _LOCK_KEY})
            row = await cursor.fetchone()
        except psycopg.OperationalError as exc:
            await self._unlock()
            raise db.unavailable(self._database.settings, exc) from exc
        if row is not None and row["is_locked"]:
            await self.run_pass()

    async def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            await lock.close()


def _told(total: ReconcileCounts) -> ReconcileCounts:
    """Log what a pass changed, if anything."""
    if dataclasses.replace(total, looked_at=0) != ReconcileCounts():
        logger.info("Reconciled orders with the queue", extra={"event": "reconciled", **dataclasses.asdict(total)})
    return total


def _is_lost(job: Job | None) -> bool:
    """Whether nothing will ever come of this job by itself, without its being failed for a reason of the order's."""
    if job is None:
        return True
    if job.state is JobState.FAILED:
        return (job.last_error or "").startswith(ON_HOLD)
    return not job.is_live
