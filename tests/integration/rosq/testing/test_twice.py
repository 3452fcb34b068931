"""The queue that hands every job to two workers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, JobState, Queue
from rosq.testing import TwiceDeliveringQueue
from tests.integration.rosq.conftest import Log, Running, WorkerProcess, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from tests.servers import RedisServer


@pytest.fixture
def twice(redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    with TwiceDeliveringQueue(settings_of(redis_server), queue_name) as queue:
        yield queue


def test_every_job_comes_to_two_workers_each_with_a_growing_fence_and_a_token_of_its_own(
    twice: Queue, start_worker: Callable[..., Running]
) -> None:
    seen: dict[str, list[tuple[str, Delivery]]] = {}

    def handler_of(name: str) -> Callable[[Delivery], None]:
        def handler(delivery: Delivery) -> None:
            seen.setdefault(delivery.job_id, []).append((name, delivery))
            delivery.sleep(0.05)
            assert delivery.lease.is_held()

        return handler

    workers = [start_worker(twice, handler_of(name), name=name) for name in ("w1", "w2", "w3")]
    wait_until(lambda: all(running.worker._is_holding for running in workers), "all workers")
    for number in range(12):
        twice.enqueue({"order_id": number}, job_id=str(number))

    wait_until(lambda: len(seen) == 12 and all(len(found) == 2 for found in seen.values()), "two deliveries each")
    for job_id, found in seen.items():
        # By who was handed it first, which isn't always who got to note it first.
        (first, one), (second, other) = sorted(found, key=lambda each: not each[1].hold.handed.is_real)
        assert first != second
        assert one.token != other.token
        # The second one is made after the first; who begins first is for the threads to say.
        assert (other.fence > one.fence) == one.hold.handed.is_real
        assert one.data == other.data == {"order_id": int(job_id)}
        assert (one.hold.handed.is_real, other.hold.handed.is_real) == (True, False)


def start_and_wait(start: Callable[..., Running], queue: Queue, handler: Any, name: str) -> None:
    running = start(queue, handler, name=name)
    wait_until(lambda: running.worker._is_holding, "the worker")


def test_what_the_second_holder_settles_changes_nothing_in_redis(
    twice: Queue, start_worker: Callable[..., Running]
) -> None:
    ends: list[str] = []

    def handler(delivery: Delivery) -> None:
        ends.append(delivery.token)
        if not delivery.hold.handed.is_real:
            raise ValueError("from the second holder")
        delivery.sleep(0.2)

    for name in ("w1", "w2"):
        start_and_wait(start_worker, twice, handler, name)
    twice.enqueue({}, job_id="1")

    def is_done() -> bool:
        job = twice.find_job("1")
        return job is not None and job.state is JobState.COMPLETED and len(ends) == 2

    wait_until(is_done, "both ends")
    job = twice.find_job("1")
    assert job is not None
    assert (job.attempts, job.last_error) == (0, None)


def test_fences_grow_over_both_kinds_of_delivery_even_from_a_floor_in_the_future(
    twice: Queue, start_worker: Callable[..., Running]
) -> None:
    from rosq import Snooze

    fences: list[int] = []

    def handler(delivery: Delivery) -> None:
        fences.append(delivery.fence)
        if delivery.hold.handed.is_real and len(fences) < 8:
            raise Snooze(0.05)

    for name in ("w1", "w2"):
        start_and_wait(start_worker, twice, handler, name)
    twice.enqueue({}, job_id="1", fence_floor=2**52)

    wait_until(lambda: len(fences) >= 8, "some deliveries")
    assert len(set(fences)) == len(fences)
    assert min(fences) > 2**52


def test_it_works_across_processes(
    redis_server: RedisServer,
    queue_name: str,
    client: redis.Redis,
    twice: Queue,
    start_process: Callable[..., WorkerProcess],
) -> None:
    for name in ("w1", "w2"):
        start_process(redis_server, twice, name, is_twice=True)
    log = Log(client, twice)
    log.wait("held", 2)

    twice.enqueue({"sleep": 0.5}, job_id="1")

    one, other = log.wait("started", 2)
    assert {one["worker"], other["worker"]} == {"w1", "w2"}
    assert one["fence"] != other["fence"]
    assert {one["is_real"], other["is_real"]} == {True, False}
    assert len(log.wait("ended", 2)) == 2
