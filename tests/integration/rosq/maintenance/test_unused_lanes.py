"""Lanes that nobody has used for long are removed, and no job is lost by it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import NewJob, Queue, QueueSettings, WorkerSettings
from rosq.execution.settlement import Outcome, Settlement
from rosq.maintenance.unused_lanes import UnusedLanes
from rosq.store.standing import StandingSettings
from tests.integration.rosq.conftest import Hands, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq.connection.wire import Wire
    from tests.integration.rosq.conftest import Running
    from tests.servers import RedisServer

UNUSED_S = 0.2


@pytest.fixture
def lanes(queue: Queue, wire: Wire) -> UnusedLanes:
    return make_lanes(queue, wire)


def make_lanes(queue: Queue, wire: Wire, unused_s: float = UNUSED_S) -> UnusedLanes:
    settings = QueueSettings(keep_empty_lanes_s=unused_s)
    return UnusedLanes(
        keys=queue.keys, wire=wire, standing=StandingSettings(queue.keys, settings), settings=WorkerSettings()
    )


def run_one(queue: Queue, hands: Hands, lane: str, job_id: str = "1") -> None:
    queue.enqueue({}, job_id=job_id, lane=lane)
    delivery = hands.fetch(lane).delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), (), is_fetching=False)


def keys_of(client: Any, queue: Queue, lane: str) -> list[str]:
    """What is left of a lane."""
    found = [key for key in (queue.keys.lane(lane), queue.keys.lane_bell(lane)) if client.exists(key)]
    return found + ["listed"] * int(client.sismember(queue.keys.lanes, lane))


def test_a_lane_that_was_empty_for_its_time_is_gone_with_all_that_belongs_to_it(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], lanes: UnusedLanes
) -> None:
    run_one(queue, make_hands(), "@tenant")
    client.rpush(queue.keys.lane_bell("@tenant"), "1")

    assert lanes.run_once().forgotten_lanes == 0
    wait_until(lambda: lanes.run_once().forgotten_lanes, "its time")

    assert keys_of(client, queue, "@tenant") == []


def test_a_lane_is_kept_while_anything_speaks_for_it(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], wire: Wire
) -> None:
    """Each of these alone: a job that waits, one in hand, one that is delayed, an entry that vanished in somebody's
    hand, a reader, a key of another type."""
    queue.enqueue({}, job_id="1", lane="waits")
    queue.enqueue({}, job_id="2", lane="active")
    assert make_hands("w1").fetch("active").delivery is not None
    queue.enqueue({}, job_id="3", lane="delayed", delay_s=60)
    queue.enqueue({}, job_id="4", lane="vanished")
    assert make_hands("w2").fetch("vanished").delivery is not None
    client.xtrim(queue.keys.lane("vanished"), maxlen=0)
    client.sadd(queue.keys.lanes, "odd")
    client.set(queue.keys.lane("odd"), "text")
    run_one(queue, make_hands("w3"), "read", "5")
    at_once = make_lanes(queue, wire, unused_s=0.0)

    assert at_once.run_once().forgotten_lanes == 1
    assert keys_of(client, queue, "read") == []
    assert at_once.run_once().forgotten_lanes == 0

    assert client.smembers(queue.keys.lanes) == {"waits", "active", "delayed", "vanished", "odd"}


def test_a_lane_that_somebody_reads_stays_and_one_that_is_only_read_goes_when_its_reader_has_gone(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], wire: Wire
) -> None:
    hands = make_hands()
    hands.fetch("quiet")
    patient, hasty = make_lanes(queue, wire, unused_s=60), make_lanes(queue, wire)

    assert keys_of(client, queue, "quiet") == [queue.keys.lane("quiet"), "listed"]
    # Before Redis 7.2 a reader that finds nothing leaves no trace, so its lane is made anew by its next fetch.
    version = tuple(int(part) for part in client.info("server")["redis_version"].split(".")[:2])
    if version >= (7, 2):
        assert patient.run_once().forgotten_lanes == 0
    wait_until(lambda: hasty.run_once().forgotten_lanes, "its time")

    assert keys_of(client, queue, "quiet") == []


def test_a_sleeper_gets_the_next_job_of_a_lane_that_was_removed_under_it(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], wire: Wire
) -> None:
    done: list[str] = []
    start_worker(queue, lambda delivery: done.append(delivery.job_id), lanes=["main", "@tenant"])
    queue.enqueue({}, job_id="1", lane="@tenant")
    wait_until(lambda: done == ["1"], "the first job")
    at_once = make_lanes(queue, wire, unused_s=0.0)

    for number in range(2, 30):
        wait_until(lambda: at_once.run_once().forgotten_lanes, "the lane to be removed")
        queue.enqueue({}, job_id=str(number), lane="@tenant")
        wait_until(lambda: done[-1] == str(number), "the next job")  # noqa: B023

    assert done == [str(number) for number in range(1, 30)]
    assert client.sismember(queue.keys.lanes, "@tenant")


def test_no_job_is_lost_that_comes_at_the_moment_at_which_its_lane_is_removed(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], wire: Wire
) -> None:
    count, lane_count, is_over = 600, 4, threading.Event()
    removed = 0

    def remove() -> None:
        nonlocal removed
        at_once = make_lanes(queue, wire, unused_s=0.0)
        while not is_over.is_set():
            removed += at_once.run_once().forgotten_lanes

    done: set[str] = set()
    names = [f"@{number}" for number in range(lane_count)]
    for name in ("w1", "w2"):
        start_worker(queue, lambda delivery: done.add(delivery.job_id), name=name, lanes=names)
    remover = threading.Thread(target=remove)
    remover.start()
    try:
        with Queue(settings_of(redis_server), queue.name) as producer:
            for number in range(count):
                delay_s = 0.001 if number % 3 == 0 else 0.0
                producer.enqueue({}, job_id=str(number), lane=names[number % lane_count], delay_s=delay_s)
        wait_until(lambda: len(done) == count, "all jobs", 30)
    finally:
        is_over.set()
        remover.join()

    assert removed > 10
    # And a lane that has a job is listed, or nobody would look for its abandoned ones.
    queue.enqueue_many([NewJob(job_id=f"last-{name}", data={}, lane=name) for name in names])
    wait_until(lambda: len(done) == count + lane_count, "the last ones")


def test_a_delayed_job_lists_its_lane_again_when_it_is_due(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    queue.enqueue({}, job_id="1", lane="@tenant", delay_s=0.3)
    # As if it had been put there just after the look at the delayed ones.
    client.srem(queue.keys.lanes, "@tenant")

    start_worker(queue, lambda _: None)

    wait_until(lambda: client.xlen(queue.keys.lane("@tenant")) == 1, "it to be promoted")
    assert client.sismember(queue.keys.lanes, "@tenant")
