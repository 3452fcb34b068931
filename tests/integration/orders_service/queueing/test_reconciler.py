"""Keeping the queue in step with the database."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.accept import create_orders
from orders_service.orders.validation import WantedOrder
from orders_service.queueing import reconciler
from orders_service.queueing.loops import cancel_all
from orders_service.queueing.reconciler import Reconciler
from orders_service.queueing.relay import Relay
from rosq import Fail, JobState
from rosq.steering import Steering
from tests.integration.orders_service.stage import (
    change_orders,
    entries_read,
    insert_order,
    opened_queue,
    read_events,
    read_order,
    run_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orders_service.queueing.reconciler import ReconcileCounts
    from orders_service.settings import Settings
    from orders_service.store.db import Database as ServiceDatabase
    from rosq import Delivery, Queue
    from tests.postgres import Database
    from tests.servers import EmbeddedRedis, RedisServer

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def queue(redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    with opened_queue(redis_server, queue_name) as queue:
        yield queue


@pytest.fixture
def reconcile(run: Any, settings: Settings, queue: Queue) -> Callable[[], ReconcileCounts]:
    return lambda: run(lambda db: Reconciler(db, queue, settings).run_once())


def relayed(database: Database, number: int = 1, **columns: Any) -> int:
    return insert_order(database, number, **{"relayed_at": LONG_AGO, **columns})


def fail_job(queue: Queue, order_id: int, reason: str, lane: str = "main") -> None:
    def fail(delivery: Delivery) -> None:
        raise Fail(reason)

    queue.enqueue({"order_id": order_id}, job_id=str(order_id), lane=lane)
    run_jobs(queue, fail, str(order_id))


def test_after_redis_lost_everything_each_open_order_gets_its_job_back(
    run: Any, settings: Settings, own_redis: EmbeddedRedis, queue_name: str, fresh_database: Database
) -> None:
    due = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    floor = 4_000_000_000_000_000
    fresh = insert_order(fresh_database, 1)
    bound = insert_order(
        fresh_database, 2, state="registered", account="a", rosreestr_order_num="80-1", fence=floor, next_at=due
    )
    over = insert_order(fresh_database, 3, state="cancelled", finished_at=LONG_AGO, relayed_at=LONG_AGO)
    with opened_queue(own_redis, queue_name) as queue:
        run(lambda db: Relay(db, queue, settings).run_once())
        own_redis.flushall()
        assert queue.find_jobs([str(fresh), str(bound)]) == {}
        change_orders(fresh_database, "relayed_at = now() - interval '1 minute'")

        counts = run(lambda db: Reconciler(db, queue, settings).run_once())

        jobs = queue.find_jobs(map(str, (fresh, bound, over)))
    assert (counts.looked_at, counts.reopened) == (2, 2)
    assert set(jobs) == {str(fresh), str(bound)}
    job = jobs[str(bound)]
    assert (job.lane, job.state, job.fence) == ("@a", JobState.DELAYED, floor)
    assert job.due_at is not None
    assert abs((job.due_at - due).total_seconds()) < 5
    assert jobs[str(fresh)].state is JobState.WAITING
    assert read_events(fresh_database, fresh)[-1] == ("reconciler", "reopened", "its job was missing or over")


def test_a_page_reads_its_own_orders_and_not_all_that_are_open(
    run: Any, reconcile: Any, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [WantedOrder(cad_num=f"77:01:0001001:{n}", idempotency_key=str(n)) for n in range(1, 2001)]
    run(lambda db: create_orders(db, wanted))
    change_orders(fresh_database, "relayed_at = now() - interval '1 minute'")
    monkeypatch.setattr(reconciler, "BATCH", 100)

    assert reconcile().reopened == 2000

    assert 2000 <= entries_read(fresh_database, "orders_open") < 6000


def test_an_open_order_whose_job_is_completed_is_put_back(
    reconcile: Any, queue: Queue, fresh_database: Database
) -> None:
    order_id = relayed(fresh_database)
    queue.enqueue({"order_id": order_id}, job_id=str(order_id))
    run_jobs(queue, lambda delivery: None, str(order_id))

    assert reconcile().reopened == 1
    job = queue.find_job(str(order_id))
    assert job is not None
    assert job.is_live
    assert reconcile() == dataclasses.replace(reconcile(), looked_at=1, reopened=0), "a live job is left alone"


def test_an_open_order_whose_job_was_removed_is_put_back_though_the_queue_remembers_its_id(
    reconcile: Any, queue: Queue, fresh_database: Database
) -> None:
    order_id = relayed(fresh_database)
    queue.enqueue({"order_id": order_id}, job_id=str(order_id))
    with Steering(queue.redis_settings, queue.name, by="ann", reason="by mistake") as steering:
        steering.remove(list(steering.see([str(order_id)]).values()))
    removed = queue.find_job(str(order_id))
    assert removed is not None
    assert removed.state is JobState.FORGOTTEN

    assert reconcile().reopened == 1

    job = queue.find_job(str(order_id))
    assert job is not None
    assert job.is_live


@pytest.mark.parametrize("state", ["queued", "registered"])
def test_an_open_order_whose_job_somebody_cancelled_is_put_back(
    reconcile: Any, queue: Queue, fresh_database: Database, state: str
) -> None:
    """Orders are cancelled in PostgreSQL only: a cancelled job says nothing about its order."""
    bound: dict[str, Any] = {"account": "a", "rosreestr_order_num": "80-1"} if state == "registered" else {}
    order_id = relayed(fresh_database, state=state, **bound)
    queue.enqueue({"order_id": order_id}, job_id=str(order_id))
    cancelled = queue.cancel(str(order_id), by="ann", reason="a mistake")
    assert cancelled.state is JobState.CANCELLED

    counts = reconcile()

    assert (counts.reopened, counts.failed, counts.held) == (1, 0, 0)
    job = queue.find_job(str(order_id))
    assert job is not None
    assert (job.state, job.is_live, job.cancel_by) == (JobState.WAITING, True, None)
    assert reconcile().reopened == 0


def test_an_order_that_was_just_relayed_is_not_judged_yet(reconcile: Any, fresh_database: Database) -> None:
    insert_order(fresh_database, relayed_at=dt.datetime.now(dt.UTC))

    assert reconcile().looked_at == 0


def test_an_order_in_hand_is_left_alone_until_its_last_sign_of_life_is_older_than_a_lease(
    reconcile: Any, queue: Queue, fresh_database: Database
) -> None:
    order_id = relayed(
        fresh_database,
        state="processing",
        account="a",
        fence=7,
        seen_at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1),
    )
    assert reconcile().looked_at == 0

    change_orders(fresh_database, "seen_at = now() - interval '2 s'")

    assert reconcile().reopened == 1
    assert queue.find_job(str(order_id)) is not None


@pytest.mark.parametrize(
    "columns", [{}, {"state": "processing", "account": "a", "fence": 7}], ids=["queued", "processing"]
)
def test_an_order_fails_with_its_job_where_nothing_was_paid(
    reconcile: Any, queue: Queue, fresh_database: Database, columns: dict[str, Any]
) -> None:
    order_id = relayed(fresh_database, **columns)
    fail_job(queue, order_id, "the portal's page changed")

    assert reconcile().failed == 1

    order = read_order(fresh_database, order_id)
    assert (order["state"], order["status"]) == ("failed", "Ошибка: the portal's page changed")
    assert read_events(fresh_database, order_id)[-1] == ("reconciler", "transition", "the portal's page changed")
    assert reconcile().looked_at == 0


@pytest.mark.parametrize(
    "columns",
    [{"state": "unconfirmed"}, {"state": "registered", "rosreestr_order_num": "80-1"}],
    ids=["unconfirmed", "registered"],
)
def test_after_the_gate_a_failed_job_holds_the_order_and_is_not_reopened(
    reconcile: Any,
    queue: Queue,
    fresh_database: Database,
    columns: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    order_id = relayed(fresh_database, account="a", fence=7, **columns)
    fail_job(queue, order_id, "no disk space", lane="@a")

    assert reconcile().held == 1

    order = read_order(fresh_database, order_id)
    assert order["state"] == columns["state"]
    assert "no disk space" in order["hold_reason"]
    assert any(kind == "hold" for _, kind, _ in read_events(fresh_database, order_id))
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert reconcile().looked_at == 0, "a person decides"
    job = queue.find_job(str(order_id))
    assert job is not None
    assert job.state is JobState.FAILED


def test_a_job_that_ended_because_of_a_hold_is_reopened_once_the_hold_is_lifted(
    reconcile: Any, queue: Queue, fresh_database: Database
) -> None:
    # The worker ends the job at the moment when a person lifts the hold: the relay found a live job and left it.
    order_id = relayed(fresh_database, state="registered", account="a", fence=7, rosreestr_order_num="80-1")
    fail_job(queue, order_id, "on hold: several rows", lane="@a")

    assert reconcile().reopened == 1

    order = read_order(fresh_database, order_id)
    assert (order["state"], order["hold_reason"]) == ("registered", None)


@pytest.mark.parametrize("delay_s", [0.0, 60.0], ids=["waiting", "delayed"])
@pytest.mark.parametrize(
    ("columns", "lies", "belongs"),
    [
        # Its worker put the order down and died before it told the queue; it may never come back.
        ({}, "@gone", "main"),
        ({"is_urgent": True}, "@gone", "urgent"),
        ({"state": "processing", "account": "a", "fence": 7}, "@gone", "main"),
        # It died after the number came; an account that stands by reads no lane but its own.
        ({"state": "registered", "account": "a", "fence": 7, "rosreestr_order_num": "80-1"}, "main", "@a"),
        ({"state": "processing", "account": "a", "has_intent": True, "fence": 7}, "main", "@a"),
    ],
    ids=["queued", "urgent", "not bound", "registered", "bound"],
)
def test_a_job_in_a_lane_that_nobody_may_read_is_moved_to_where_its_order_belongs(
    reconcile: Any,
    queue: Queue,
    fresh_database: Database,
    columns: dict[str, Any],
    lies: str,
    belongs: str,
    delay_s: float,
) -> None:
    order_id = relayed(fresh_database, **columns)
    queue.enqueue({"order_id": order_id}, job_id=str(order_id), lane=lies, delay_s=delay_s)

    assert reconcile().moved == 1

    job = queue.find_job(str(order_id))
    assert job is not None
    assert (job.lane, job.is_live) == (belongs, True)
    assert reconcile().moved == 0


def test_all_pages_are_compared(reconcile: Any, queue: Queue, fresh_database: Database) -> None:
    with fresh_database.connect() as connection:
        connection.execute(
            "insert into orders (cad_num, relayed_at) select '77:01:0001001:' || n, '2020-01-01' "
            "from generate_series(1, 1100) as n"
        )

    counts = reconcile()

    assert (counts.looked_at, counts.reopened) == (1100, 1100)
    assert len(queue.find_jobs(str(n) for n in range(1, 1101))) == 1100


class Counted(Reconciler):
    """Counts its passes."""

    passes = 0

    async def run_pass(self) -> ReconcileCounts:
        self.passes += 1
        return await super().run_pass()


def test_one_process_reconciles_at_a_time_and_the_next_takes_over_when_it_ends(
    run: Any, settings: Settings, queue: Queue
) -> None:
    async def scene(db: ServiceDatabase) -> None:
        first, second = Counted(db, queue, settings), Counted(db, queue, settings)

        async def until(condition: Callable[[], bool], what: str) -> None:
            deadline = asyncio.get_running_loop().time() + 10
            while not condition():
                assert asyncio.get_running_loop().time() < deadline, f"waited in vain for: {what}"
                await asyncio.sleep(0.02)

        first_task = asyncio.create_task(first.run())
        await until(lambda: first.passes > 0, "the first to have the lock")
        second_task = asyncio.create_task(second.run())
        passes = first.passes
        await until(lambda: first.passes >= passes + 3, "three more passes of the first")
        assert second.passes == 0, "the lock is the first one's"
        assert await cancel_all([first_task]) == []
        await until(lambda: second.passes > 0, "the second to take over")
        assert await cancel_all([second_task]) == []

    run(scene)


def whole(database: Database, count: int = 1100) -> None:
    """So many orders that wait on the queue, nothing lost."""
    with database.connect() as connection:
        connection.execute(
            "insert into orders (cad_num, relayed_at) select '77:01:0001001:' || n, '2020-01-01' "
            "from generate_series(1, %s) as n",
            (count,),
        )


def test_orders_with_nothing_lost_are_compared_once_and_then_hardly_asked_about(
    run: Any, settings: Settings, queue: Queue, fresh_database: Database
) -> None:
    whole(fresh_database)
    asked: list[int] = []

    class Watched(Reconciler):
        def _find_jobs(self, page: Any, spoiled: Any) -> Any:
            asked.append(len(page))
            return super()._find_jobs(page, spoiled)

    async def scene(db: ServiceDatabase) -> None:
        reconciler = Watched(db, queue, dataclasses.replace(settings, reconcile_interval_s=0.0))
        assert (await reconciler.run_pass()).looked_at == 1100
        del asked[:]
        reconciler._full_at = float("inf")
        for _ in range(10):
            assert (await reconciler.run_pass()).looked_at == 3, "the newest"

    run(scene)

    assert sum(asked) == 30


def test_a_pass_that_took_long_is_not_repeated_soon(run: Any, settings: Settings, queue: Queue) -> None:
    async def scene(db: ServiceDatabase) -> tuple[float, float]:
        reconciler = Reconciler(db, queue, dataclasses.replace(settings, reconcile_interval_s=600.0))
        begun_at = time.monotonic()
        await reconciler.run_pass()
        return reconciler._full_at - time.monotonic(), time.monotonic() - begun_at

    pause_s, took_s = run(scene)

    assert 300.0 < pause_s <= max(600.0, took_s * 50)


def test_a_queue_that_lost_its_data_is_rebuilt_by_the_very_next_pass(
    run: Any, settings: Settings, own_redis: EmbeddedRedis, queue_name: str, fresh_database: Database
) -> None:
    whole(fresh_database)
    with opened_queue(own_redis, queue_name) as queue:

        async def scene(db: ServiceDatabase) -> ReconcileCounts:
            reconciler = Reconciler(db, queue, settings)
            await reconciler.run_pass()
            reconciler._full_at = reconciler._look_at = float("inf")
            assert (await reconciler.run_pass()).looked_at == 0, "nothing is due"
            await asyncio.to_thread(own_redis.flushall)
            return await reconciler.run_pass()

        assert run(scene).reopened == 1100
        assert len(queue.find_jobs(str(n) for n in range(1, 1101))) == 1100


def test_a_job_that_is_gone_because_its_order_is_over_is_no_loss(
    run: Any, settings: Settings, own_redis: EmbeddedRedis, queue_name: str, fresh_database: Database
) -> None:
    whole(fresh_database, 20)
    with opened_queue(own_redis, queue_name) as queue:

        async def scene(db: ServiceDatabase) -> ReconcileCounts:
            reconciler = Reconciler(db, queue, settings)
            await reconciler.run_pass()
            reconciler._full_at = reconciler._look_at = float("inf")
            change_orders(fresh_database, "state = 'cancelled', finished_at = now()")
            await asyncio.to_thread(own_redis.flushall)
            return await reconciler.run_pass()

        assert run(scene).looked_at == 0


@pytest.mark.parametrize(
    "silence", ["seen_at = now() - interval '1 minute'", "next_at = now() - interval '1 minute'"], ids=["seen", "due"]
)
def test_an_order_that_somebody_should_have_taken_up_is_looked_at_between_two_comparisons(
    run: Any, settings: Settings, queue: Queue, fresh_database: Database, silence: str
) -> None:
    order_id = relayed(fresh_database, state="processing", account="a", fence=7)
    for number in range(2, 7):
        relayed(fresh_database, number)

    async def scene(db: ServiceDatabase) -> ReconcileCounts:
        reconciler = Reconciler(db, queue, settings)
        await reconciler.run_pass()
        with Steering(queue.redis_settings, queue.name, by="ann", reason="lost") as steering:
            steering.remove(list(steering.see([str(order_id)]).values()))
        reconciler._full_at, reconciler._look_at = float("inf"), 0.0
        change_orders(fresh_database, silence)
        return await reconciler.run_pass()

    assert run(scene).reopened >= 1

    job = queue.find_job(str(order_id))
    assert job is not None
    assert job.is_live


def test_what_an_account_left_bound_is_in_everybodys_lane_before_the_next_comparison(
    run: Any, settings: Settings, queue: Queue, fresh_database: Database
) -> None:
    order_id = relayed(fresh_database, state="processing", account="a", has_intent=True, fence=7)
    for number in range(2, 7):
        relayed(fresh_database, number)

    async def scene(db: ServiceDatabase) -> ReconcileCounts:
        reconciler = Reconciler(db, queue, settings)
        await reconciler.run_pass()
        job = await asyncio.to_thread(queue.find_job, str(order_id))
        assert job is not None
        assert job.lane == "@a"
        reconciler._full_at, reconciler._look_at = float("inf"), 0.0
        change_orders(fresh_database, "updated_at = now() - interval '1 hour'")
        return await reconciler.run_pass()

    assert run(scene).unbound == 1

    job = queue.find_job(str(order_id))
    assert job is not None
    assert (job.lane, job.is_live) == ("main", True)


@pytest.mark.parametrize("sqlstate", ["42703", "42501"], ids=["no such column", "no such right"])
def test_trouble_of_the_database_holds_no_order_whose_job_failed(
    reconcile: Any, queue: Queue, fresh_database: Database, sqlstate: str
) -> None:
    order_id = relayed(fresh_database)
    fail_job(queue, order_id, "x")
    with fresh_database.connect() as connection:
        connection.execute(
            "create function break_down() returns trigger language plpgsql as "
            f"$$ begin raise exception 'as it is told' using errcode = '{sqlstate}'; end $$".encode()
        )
        connection.execute(
            "create trigger breaks before update on orders for each row when (new.state = 'failed') "
            "execute function break_down()"
        )

    with pytest.raises(errors.DatabaseUnfit):
        reconcile()

    assert read_order(fresh_database, order_id)["hold_reason"] is None
    assert read_events(fresh_database, order_id) == []
