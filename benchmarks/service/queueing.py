"""The relay and the reconciler, run as the service runs them, in this process: what they take is told by its clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks.errors import SideFailed
from benchmarks.service import orders
from orders_service.queueing.reconciler import Reconciler
from orders_service.queueing.relay import Relay
from orders_service.queueing.schedule import ScheduledOrder
from orders_service.store.db import Database as Pool

if TYPE_CHECKING:
    from benchmarks.service.result import Figures
    from benchmarks.service.stack import Database, Servers
    from rosq import Queue

_RELAYED = 20_000
_OPEN = 50_000
_WATCHED_S = 60.0
_LOST = 10_000


def measure_relay(servers: Servers, figures: Figures, rounds: int) -> None:
    """The relay's rate beside that of `Queue.enqueue_many` for the same jobs; also while a transaction of another
    client has been open since before.
    """
    for is_old, suffix in ((False, ""), (True, ", old snapshot")):
        with servers.database() as database, servers.queue(database) as queue, database.connect() as other:
            if is_old:
                other.execute("begin isolation level repeatable read")
                other.execute("select count(*) from orders")
            for number in range(rounds):
                start = number * _RELAYED
                with database.connect() as connection:
                    orders.copy_in(connection, start, _RELAYED)
                relayed_s = asyncio.run(_time_relay(database, queue, _RELAYED))
                servers.empty_redis()
                bare_s = _time_enqueue(queue, start)
                servers.empty_redis()
                figures.add(f"relay: orders a second{suffix}", _RELAYED / relayed_s)
                figures.add(f"relay: enqueue_many, jobs a second{suffix}", _RELAYED / bare_s)
                figures.add(f"relay of enqueue{suffix}", bare_s / relayed_s)


def measure_reconciler(servers: Servers, figures: Figures, rounds: int) -> None:
    """The CPU time of this process while it reconciles, a look at all of them included."""
    with servers.database() as database, servers.queue(database) as queue:
        with database.connect() as connection:
            orders.copy_in(connection, 0, _OPEN)
        database.analyze()
        asyncio.run(_time_relay(database, queue, _OPEN))
        for _ in range(rounds):
            figures.add("reconciler share", asyncio.run(_watch_reconciler(database, queue)))


def measure_loss(servers: Servers, figures: Figures, rounds: int) -> None:
    """How long a running service takes until each open order has a job again after FLUSHALL."""
    with servers.database() as database, servers.queue(database) as queue, servers.service(database):
        with database.connect() as connection:
            orders.copy_in(connection, 0, _LOST)
        servers.wait_for_jobs(queue, _LOST)
        for _ in range(rounds):
            # What was relayed a moment before a loss isn't judged yet.
            time.sleep(database.settings.relay_margin_s + 1)
            servers.empty_redis()
            begun = time.monotonic()
            servers.wait_for_jobs(queue, _LOST)
            figures.add("back after loss, s", time.monotonic() - begun)


async def _time_relay(database: Database, queue: Queue, expected: int) -> float:
    pool = Pool(database.settings.db)
    await pool.open()
    try:
        relay = Relay(pool, queue, database.settings)
        begun = time.perf_counter()
        counts = await relay.run_once()
        taken_s = time.perf_counter() - begun
    finally:
        await pool.close()
    if counts.relayed != expected:
        raise SideFailed(f"The relay put {counts.relayed} orders of {expected} on the queue.")
    return taken_s


def _time_enqueue(queue: Queue, start: int) -> float:
    jobs = [
        ScheduledOrder(id=number, state="queued", fence=0, is_urgent=False, username=None, delay_s=0).job
        for number in range(start + 1, start + _RELAYED + 1)
    ]
    begun = time.perf_counter()
    queue.enqueue_many(jobs)
    return time.perf_counter() - begun


async def _watch_reconciler(database: Database, queue: Queue) -> float:
    pool = Pool(database.settings.db)
    await pool.open()
    try:
        running = asyncio.create_task(Reconciler(pool, queue, database.settings).run())
        cpu_s, begun = time.process_time(), time.monotonic()
        await asyncio.sleep(_WATCHED_S)
        share = (time.process_time() - cpu_s) / (time.monotonic() - begun)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await pool.close()
    return share
