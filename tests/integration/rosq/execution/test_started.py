"""When a job's last delivery began: of its first one only the fence says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import NewJob
from rosq.execution.settlement import Outcome, Settlement
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq import Delivery, Job, Queue
    from tests.integration.rosq.conftest import Hands


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


def job_of(queue: Queue) -> Job:
    job = queue.find_job("1")
    assert job is not None
    return job


def server_s(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return int(seconds) + int(micros) // 1000 / 1000


def is_started_between(job: Job, before_s: float, after_s: float) -> bool:
    return job.started_at is not None and before_s <= job.started_at.timestamp() <= after_s


def test_a_first_delivery_writes_no_such_time_and_began_all_the_same(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    assert job_of(queue).started_at is None
    before_s = server_s(client)

    delivery = take(make_hands())

    job = job_of(queue)
    assert not client.hexists(queue.keys.job("1"), "started_at_ms")
    assert is_started_between(job, before_s, server_s(client))
    assert job.started_at is not None
    assert job.started_at.timestamp() == delivery.fence // 1000 / 1000
    assert [record.started_at for record in job.history] == [job.started_at]


def test_a_later_delivery_began_when_it_did_and_the_first_one_stays_in_the_history(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    first = take(hands)
    first_at = job_of(queue).started_at
    assert first_at is not None
    wait_until(lambda: server_s(client) > first_at.timestamp(), "the next millisecond")
    hands.consumer.exchange(Settlement(delivery=first, outcome=Outcome.RELEASE), (), is_fetching=False)
    assert job_of(queue).started_at == first_at
    before_s = server_s(client)

    take(hands)

    job = job_of(queue)
    assert is_started_between(job, before_s, server_s(client))
    assert [record.started_at for record in job.history] == [first_at, job.started_at]


def test_a_floor_for_the_fences_is_no_time(queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]) -> None:
    floor = 2**52
    queue.enqueue({}, job_id="1", fence_floor=floor)
    assert job_of(queue).started_at is None
    assert job_of(queue).history == ()
    before_s = server_s(client)

    delivery = take(make_hands())

    assert delivery.fence == floor + 1
    assert is_started_between(job_of(queue), before_s, server_s(client))


def test_a_job_that_was_reopened_never_started_until_it_does(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    hands.consumer.exchange(Settlement(delivery=take(hands), outcome=Outcome.COMPLETE), (), is_fetching=False)
    queue.reopen(NewJob(job_id="1", data={}))
    assert job_of(queue).started_at is None
    before_s = server_s(client)

    take(hands)

    assert is_started_between(job_of(queue), before_s, server_s(client))
