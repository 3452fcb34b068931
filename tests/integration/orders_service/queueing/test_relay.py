"""From the database to the queue."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.orders.accept import create_orders
from orders_service.orders.validation import WantedOrder
from orders_service.queueing import relay
from orders_service.queueing.loops import cancel_all
from orders_service.queueing.relay import Relay
from rosq import JobState, ServerUnreachable
from rosq.steering import Steering
from tests.integration.orders_service.stage import (
    change_orders,
    entries_read,
    insert_order,
    opened_queue,
    read_order,
    run_jobs,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orders_service.settings import Settings
    from orders_service.store.db import Database as ServiceDatabase
    from rosq import Enqueued, NewJob, Queue
    from tests.postgres import Database
    from tests.servers import EmbeddedRedis, RedisServer


@pytest.fixture
def queue(redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    with opened_queue(redis_server, queue_name) as queue:
        yield queue


@pytest.fixture
def relay_once(run: Any, settings: Settings, queue: Queue) -> Callable[[], Any]:
    return lambda: run(lambda db: Relay(db, queue, settings).run_once())


def create(run: Any, count: int, **more: Any) -> list[int]:
    wanted = [
        WantedOrder(cad_num=f"77:01:0001001:{n}", idempotency_key=str(uuid.uuid4()), **more)
        for n in range(1, count + 1)
    ]
    return [one.order_id for one in run(lambda db: create_orders(db, wanted))]


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not (answer := await asyncio.to_thread(condition)):
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for: {what}"
        await asyncio.sleep(0.02)
    return answer


def test_no_batch_of_a_pass_walks_past_what_the_last_one_relayed(
    run: Any, settings: Settings, queue: Queue, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an old snapshot nothing leaves the index: 50,000 orders took three times as long."""
    ids = create(run, 7)
    monkeypatch.setattr(relay, "BATCH", 3)
    asked: list[int] = []

    class Watched(Relay):
        async def _relay_batch(self, after_id: int) -> tuple[relay.RelayCounts, int]:
            asked.append(after_id)
            return await super()._relay_batch(after_id)

    assert run(lambda db: Watched(db, queue, settings).run_once()).relayed == 7

    assert asked == [0, ids[2], ids[5]]
    change_orders(fresh_database, "relayed_at = null")
    assert run(lambda db: Watched(db, queue, settings).run_once()).relayed == 7, "the next pass begins anew"


def test_a_batch_reads_its_own_orders_and_not_all_that_wait_behind_them(
    run: Any, relay_once: Any, fresh_database: Database
) -> None:
    """Of a bulk call the planner knows nothing yet: it took the thousands that wait for a few, and sorted them."""
    create(run, 10_000)

    assert relay_once().relayed == 10_000

    assert 10_000 <= entries_read(fresh_database, "orders_to_relay") < 20_000


def test_a_bell_relays_and_asks_for_nothing_that_is_due_by_time(run: Any, settings: Settings, queue: Queue) -> None:
    looks: list[None] = []

    class Watched(Relay):
        async def _call_for_looks(self) -> None:
            looks.append(None)

    async def ring_thrice(db: ServiceDatabase) -> list[int]:
        relay, relayed = Watched(db, queue, settings), []
        for number in range(1, 4):
            wanted = WantedOrder(cad_num=f"77:01:0001001:{number}", idempotency_key=str(uuid.uuid4()))
            await create_orders(db, [wanted])
            relayed.append((await relay.run_pass()).relayed)
        return relayed

    assert run(ring_thrice) == [1, 1, 1]
    assert len(looks) == 1


def test_an_accepted_order_becomes_a_job_that_only_points_to_it(run: Any, relay_once: Any, queue: Queue) -> None:
    (order_id,) = create(run, 1)

    assert relay_once().relayed == 1

    job = queue.find_job(str(order_id))
    assert job is not None
    assert (job.data, job.lane, job.state, job.is_live) == ({"order_id": order_id}, "main", JobState.WAITING, True)
    assert relay_once().relayed == 0, "it is relayed once"


def test_an_order_goes_to_the_lane_where_it_belongs(relay_once: Any, queue: Queue, fresh_database: Database) -> None:
    cases = {
        "main": insert_order(fresh_database, 1),
        "urgent": insert_order(fresh_database, 2, is_urgent=True),
        "@a": insert_order(
            fresh_database, 3, is_urgent=True, state="processing", account="a", has_intent=True, fence=5
        ),
        "main ": insert_order(fresh_database, 4, state="processing", account="a", fence=5),
        "@a ": insert_order(fresh_database, 5, state="unconfirmed", account="a", fence=5),
        "@a  ": insert_order(fresh_database, 6, state="registered", account="a", rosreestr_order_num="80-1", fence=5),
    }

    relay_once()

    jobs = queue.find_jobs(str(order_id) for order_id in cases.values())
    assert {lane: jobs[str(order_id)].lane for lane, order_id in cases.items()} == {
        lane: lane.strip() for lane in cases
    }


def test_orders_that_are_final_or_wait_for_a_person_are_not_relayed(
    relay_once: Any, queue: Queue, fresh_database: Database
) -> None:
    held = insert_order(fresh_database, 1, hold_reason="x", hold_at=dt.datetime.now(dt.UTC))
    over = insert_order(fresh_database, 2, state="cancelled", finished_at=dt.datetime.now(dt.UTC))

    assert relay_once().relayed == 0
    assert queue.find_jobs([str(held), str(over)]) == {}


def test_a_completed_order_that_is_to_be_looked_for_gets_a_job_in_its_accounts_lane(
    relay_once: Any, queue: Queue, fresh_database: Database
) -> None:
    with fresh_database.connect() as connection:
        connection.execute("insert into extracts (sha256, size_bytes) values (repeat('0', 64), 1)")
    now = dt.datetime.now(dt.UTC)
    over: dict[str, Any] = {
        "state": "completed",
        "fence": 7,
        "extract_id": 1,
        "finished_at": now,
        "account": "a",
        "relayed_at": now,
    }
    due, later, done = (
        insert_order(fresh_database, n, rosreestr_order_num=f"N-{n}", look_at=look_at, **over)
        for n, look_at in enumerate((now + dt.timedelta(seconds=1), now + dt.timedelta(hours=1), None), 1)
    )
    assert relay_once().relayed == 0

    wait_until(lambda: relay_once().relayed == 1, "its time", timeout_s=10)

    job = queue.find_job(str(due))
    assert job is not None
    assert (job.lane, job.is_live) == ("@a", True)
    assert (queue.find_job(str(later)), queue.find_job(str(done))) == (None, None)
    assert relay_once().relayed == 0, "it is relayed once"


def test_an_order_that_was_in_hand_before_gets_a_greater_fence_and_its_time(
    relay_once: Any, queue: Queue, fresh_database: Database
) -> None:
    floor = 4_000_000_000_000_000  # far above what the server's clock would give
    due = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    order_id = insert_order(fresh_database, fence=floor, next_at=due)

    relay_once()

    job = queue.find_job(str(order_id))
    assert job is not None
    assert job.state is JobState.DELAYED
    assert job.due_at is not None
    assert abs((job.due_at - due).total_seconds()) < 5
    change_orders(fresh_database, "next_at = null, relayed_at = null")
    fences: list[int] = []
    with_new_id = insert_order(fresh_database, 2, fence=floor)
    relay_once()
    run_jobs(queue, lambda delivery: fences.append(delivery.fence), str(with_new_id))
    assert fences == [floor + 1]


def test_redis_away_orders_are_accepted_and_redis_back_they_are_relayed(
    run: Any, settings: Settings, own_redis: EmbeddedRedis, queue_name: str, fresh_database: Database
) -> None:
    own_redis.stop()
    with opened_queue(own_redis, queue_name) as queue:
        ids = create(run, 3)
        with pytest.raises(ServerUnreachable):
            run(lambda db: Relay(db, queue, settings).run_once())
        assert read_order(fresh_database, ids[0])["relayed_at"] is None

        own_redis.start()
        assert run(lambda db: Relay(db, queue, settings).run_once()).relayed == 3

        assert all(job.is_live for job in queue.find_jobs(map(str, ids)).values())


def test_the_relay_is_woken_by_the_commit_and_outlives_redis(
    run: Any, settings: Settings, own_redis: EmbeddedRedis, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:

    def wanted(key: str) -> list[WantedOrder]:
        return [WantedOrder(cad_num="77:01:0001001:1", idempotency_key=key)]

    async def scene(db: ServiceDatabase, queue: Queue) -> float:
        relay = Relay(db, queue, settings)
        tasks = [asyncio.create_task(relay.run()), asyncio.create_task(relay.listen())]
        try:
            (first,) = await create_orders(db, wanted("first"))
            await until(lambda: queue.find_job(str(first.order_id)), "the first job")
            # Both loops stand: from here the bell, not the sweep of 5 s, has to bring an order over.
            begun = asyncio.get_running_loop().time()
            (second,) = await create_orders(db, wanted("second"))
            await until(lambda: queue.find_job(str(second.order_id)), "the second job")
            taken_s = asyncio.get_running_loop().time() - begun

            own_redis.kill()
            (third,) = await create_orders(db, wanted("third"))
            await until(lambda: "task_waiting" in str([vars(r) for r in caplog.records]), "the relay to notice")
            own_redis.start()
            await until(lambda: queue.find_job(str(third.order_id)), "the third job", 20)
            await until(lambda: "task_working" in str([vars(r) for r in caplog.records]), "the relay to say so")
        finally:
            assert await cancel_all(tasks) == []
        return taken_s

    with caplog.at_level("INFO"), opened_queue(own_redis, queue_name) as queue:
        taken_s = run(lambda db: scene(db, queue))

    assert taken_s < settings.relay_sweep_s / 2
    events = [vars(record).get("event") for record in caplog.records if vars(record).get("task") == "relay"]
    assert events == ["task_waiting", "task_working"], "one line a change, not one an attempt"


class CutOff:
    """A queue whose caller loses its database session right after the jobs were enqueued."""

    def __init__(self, queue: Queue, database: Database) -> None:
        self._queue = queue
        self._database = database

    def enqueue_many(self, jobs: Sequence[NewJob]) -> Sequence[Enqueued]:
        answers = self._queue.enqueue_many(jobs)
        with self._database.connect() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and state = 'idle in transaction'"
            )
        return answers


def test_a_relay_killed_between_enqueue_and_commit_repeats_without_harm(
    run: Any, settings: Settings, relay_once: Any, queue: Queue, fresh_database: Database
) -> None:
    ids = create(run, 3)
    with pytest.raises(errors.DatabaseUnavailable):
        run(lambda db: Relay(db, CutOff(queue, fresh_database), settings).run_once())  # type: ignore[arg-type]
    assert all(job.is_live for job in queue.find_jobs(map(str, ids)).values())
    assert read_order(fresh_database, ids[0])["relayed_at"] is None

    assert relay_once().relayed == 3

    seen: list[str] = []
    run_jobs(queue, lambda delivery: seen.append(delivery.job_id), str(ids[-1]))
    assert sorted(seen) == sorted(map(str, ids)), "each came once"


def test_two_relays_at_once_share_the_work_and_double_nothing(
    run: Any, settings: Settings, queue: Queue, redis_server: RedisServer, queue_name: str
) -> None:
    ids = create(run, 1200)

    async def both(db: ServiceDatabase) -> list[int]:
        relays = [Relay(db, queue, settings).run_once() for _ in range(2)]
        return [counts.relayed for counts in await asyncio.gather(*relays)]

    assert sum(run(both)) == len(ids)

    with redis_server.client() as client:
        assert client.xlen(f"rosq:{{{queue_name}}}:lane:main") == len(ids)
    assert len(queue.find_jobs(map(str, ids))) == len(ids)


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_order_is_relayed_though_the_queue_remembers_a_finished_job_of_its_id(
    run: Any, relay_once: Any, queue: Queue, fresh_database: Database, is_removed: bool
) -> None:
    # As after the database was made anew beside the old Redis: ids begin at 1 again.
    queue.enqueue({"order_id": 1}, job_id="1")
    run_jobs(queue, lambda delivery: None, "1")
    if is_removed:
        with Steering(queue.redis_settings, queue.name, by="ann", reason="old") as steering:
            steering.remove(list(steering.see(["1"]).values()))

    (order_id,) = create(run, 1)
    assert order_id == 1
    relay_once()

    job = queue.find_job("1")
    assert job is not None
    assert job.is_live


def test_an_order_under_whose_id_the_queue_has_another_job_is_held_and_stops_nobody_else(
    run: Any, relay_once: Any, queue: Queue, fresh_database: Database
) -> None:
    queue.enqueue({"something": "else"}, job_id="1")
    ids = create(run, 3)

    counts = relay_once()

    assert (counts.relayed, counts.refused) == (2, 1)
    assert "rosq remove 1 --forget-id" in read_order(fresh_database, ids[0])["hold_reason"]
    assert (relay_once().relayed, relay_once().refused) == (0, 0)
