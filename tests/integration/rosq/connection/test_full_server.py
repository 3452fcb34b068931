"""A server that has reached its memory limit: it says so, and nothing is half-written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Delivery,
    EnqueueOutcome,
    JobState,
    NewJob,
    Queue,
    ReopenOutcome,
    ServerFull,
    WorkerSettings,
)
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect import Inspector
from tests.integration.rosq.conftest import Hands, events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis


def _dump(client: redis.Redis) -> dict[str, Any]:
    """Every key of rosq with all that is in it."""
    found: dict[str, Any] = {}
    for key in client.scan_iter(match="rosq:*"):
        kind = client.type(key)
        if kind == "stream":
            groups: Any = client.xinfo_groups(key)
            pending = {g["name"]: client.xpending(key, g["name"])["pending"] for g in groups}
            found[key] = (client.xrange(key), pending)
        elif kind == "hash":
            found[key] = client.hgetall(key)
        elif kind == "zset":
            found[key] = client.zrange(key, 0, -1, withscores=True)
        elif kind == "set":
            found[key] = client.smembers(key)
        else:
            found[key] = client.lrange(key, 0, -1)
    return found


def test_a_full_server_refuses_each_way_to_add_a_job_and_keeps_every_key_as_it_was(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    own_queue.enqueue_many([NewJob(job_id=f"old-{n}", data={"pad": "x" * 90}) for n in range(5)])
    own_queue.enqueue({}, job_id="later", delay_s=3600)
    hands = Hands(own_queue, "w1", 60.0, None)
    hands.consumer.hold_name()
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(
        Settlement(delivery=delivery, outcome=Outcome.FAIL, error="no"), ["main"], is_fetching=False
    )
    with own_redis.client() as client:
        before = _dump(client)
        client.config_set("maxmemory", "1")

        # One, many in several batches, delayed, into a lane that isn't there yet, and one that is to start again
        many = [NewJob(job_id=f"new-{n}", data={"pad": "x" * (n % 2) * 90}) for n in range(250)]
        for add in (
            lambda: own_queue.enqueue({}, job_id="new"),
            lambda: own_queue.enqueue_many(many),
            lambda: own_queue.enqueue({}, job_id="new", delay_s=60),
            lambda: own_queue.enqueue({"pad": "x" * 90}, job_id="new", lane="urgent"),
            lambda: own_queue.reopen(NewJob(job_id="never-seen", data={}, delay_s=60)),
        ):
            with pytest.raises(ServerFull, match="nothing was written"):
                add()
        assert _dump(client) == before
        # One that is known may make room for itself first: it starts wholly, or not at all
        again = NewJob(job_id=delivery.job_id, data={"again": 1})
        try:
            assert own_queue.reopen(again).outcome is ReopenOutcome.REOPENED
            expected = ReopenOutcome.LIVE
        except ServerFull:
            assert _dump(client) == before
            expected = ReopenOutcome.REOPENED

        client.config_set("maxmemory", "0")
    assert {answer.outcome for answer in own_queue.enqueue_many(many)} == {EnqueueOutcome.CREATED}
    assert own_queue.reopen(again).outcome is expected
    with Inspector(own_queue.redis_settings) as inspector:
        told: Any = inspector.examine(own_queue.name, scan=10_000)
        assert not told.is_inconsistent
    hands.close()


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.FAIL, Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE])
def test_a_settle_on_a_full_server_happens_wholly_or_not_at_all(
    own_redis: EmbeddedRedis, own_queue: Queue, outcome: Outcome
) -> None:
    # Long data lie in the entry: a half-done settle would lose them
    own_queue.enqueue({"pad": "x" * 90}, job_id="1")
    hands = Hands(own_queue, "w1", 60.0, None)
    hands.consumer.hold_name()
    delivery = hands.fetch().delivery
    assert delivery is not None
    settlement = Settlement(delivery=delivery, outcome=outcome, delay_s=30.0, error="no")
    with own_redis.client() as client:
        before = _dump(client)
        client.config_set("maxmemory", "1")
        try:
            hands.consumer.exchange(settlement, ["main"], is_fetching=False)
            is_settled = True
        except ServerFull:
            is_settled = False
            assert _dump(client) == before
        client.config_set("maxmemory", "0")

        # Told again, as the worker does, it counts once
        again = hands.consumer.exchange(settlement, ["main"], is_fetching=False)

        assert int(again.code) == (0 if is_settled else 1)
        job = own_queue.find_job("1")
        assert job is not None
        assert job.data == {"pad": "x" * 90}
        assert job.is_live == (outcome not in (Outcome.COMPLETE, Outcome.FAIL))
        ends = {"complete": "completed", "fail": "failed", "retry": "retried", "snooze": "snoozed"}
        assert events_of(client, own_queue, "1").count(ends.get(outcome.value, "released")) == 1
    hands.close()


def test_a_worker_on_a_server_that_fills_up_keeps_its_job_and_settles_it_when_there_is_memory(
    own_redis: EmbeddedRedis, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    started, go_on, fences = threading.Event(), threading.Event(), list[int]()

    def handler(delivery: Delivery) -> None:
        fences.append(delivery.fence)
        started.set()
        assert go_on.wait(20)

    own_queue.enqueue({}, job_id="1")
    # A lease that would run out while the server is full, if it weren't renewed
    running = start_worker(own_queue, handler, settings=WorkerSettings(lease_s=0.9, round_s=0.5, max_backoff_s=0.2))
    assert started.wait(10)
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        until = client.hget(own_queue.keys.job("1"), "lease_until_ms")
        wait_until(lambda: client.hget(own_queue.keys.job("1"), "lease_until_ms") != until, "a heartbeat")
        go_on.set()
        wait_until(
            lambda: (
                running.worker._outage._failures > 1 or client.hget(own_queue.keys.job("1"), "state") == "completed"
            ),
            "the settle",
        )
        client.config_set("maxmemory", "0")
        wait_until(lambda: (job := own_queue.find_job("1")) and job.state is JobState.COMPLETED, "the job")
        running.stop()
    assert len(fences) == 1
