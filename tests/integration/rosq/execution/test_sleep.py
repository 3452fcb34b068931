"""The sleep of an idle worker, and the fetch that lies ready behind it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Queue, RedisSettings, WorkerSettings
from rosq.clock import boot_time_s
from rosq.execution import consumer
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from tests.integration.rosq.conftest import Hands, events_of
from tests.integration.rosq.proxy import SilentProxy, silent_proxy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis, RedisServer


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[SilentProxy]:
    with silent_proxy(redis_server.host, redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def far_queue(proxy: SilentProxy, redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    """The same queue, seen through the proxy."""
    settings = RedisSettings(port=proxy.port, db=redis_server.db, password=redis_server.password)
    with Queue(settings, queue_name) as queue:
        yield queue


def asleep(client: Any, name: str) -> bool:
    """Whether the worker's connection is blocked."""
    clients: list[dict[str, str]] = client.client_list()
    return any(each["name"] == f"rosq-worker:{name}" and "b" in each["flags"] for each in clients)


def is_active(client: Any, queue: Queue, job_id: str) -> bool:
    return bool(client.hget(queue.keys.job(job_id), "state") == "active")


def sleep_beside(hands: Hands, *lanes: str) -> tuple[threading.Thread, list[Any]]:
    """Let it sleep in a thread; what the sleep brings is in the list at the end."""
    brought: list[Any] = []
    thread = threading.Thread(target=lambda: brought.append(hands.consumer.sleep(lanes or ("main",), 60, None)))
    thread.start()
    return thread, brought


def test_the_end_of_a_sleep_brings_the_job(queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]) -> None:
    hands = make_hands()
    assert hands.fetch().fetched is Fetched.NONE
    thread, brought = sleep_beside(hands)
    wait_until(lambda: asleep(client, "w1"), "the worker to sleep")

    queue.enqueue({}, job_id="1")
    thread.join(10)

    [answer] = brought
    assert (answer.fetched, answer.delivery.job_id) == (Fetched.JOB, "1")
    assert events_of(client, queue, "1") == ["enqueued", "started"]


def test_a_job_of_a_sleep_that_was_broken_off_comes_with_the_next_fetch_and_counts_no_crash(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    hands.fetch()
    queue.enqueue({}, job_id="1")
    # It rings already, so that the fetch behind the sleep runs; and the alarm comes first.
    hands.alarm.ring()

    assert hands.consumer.sleep(("main",), 60, None) is None
    assert hands.consumer.is_in_doubt
    wait_until(lambda: is_active(client, queue, "1"), "the fetch behind the sleep")
    delivery = hands.fetch().delivery

    assert delivery is not None
    assert (delivery.job_id, delivery.crashes, delivery.attempt) == ("1", 0, 1)


def test_a_worker_that_is_stopped_in_its_sleep_gives_back_what_it_was_handed_by_then(
    queue: Queue,
    far_queue: Queue,
    proxy: SilentProxy,
    client: redis.Redis,
    start_worker: Callable[..., Running],
) -> None:
    ran: list[str] = []
    running = start_worker(far_queue, lambda delivery: ran.append(delivery.job_id))
    wait_until(lambda: asleep(client, "w1"), "the worker to sleep")
    proxy.fall_silent()
    queue.enqueue({}, job_id="1")
    wait_until(lambda: is_active(client, queue, "1"), "the fetch behind the sleep")

    running.stop()

    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.crashes, job.attempts) == ("waiting", 0, 0)
    assert ran == []


def test_a_fetch_that_the_server_runs_for_a_connection_long_gone_is_found_again(
    queue: Queue,
    far_queue: Queue,
    proxy: SilentProxy,
    client: redis.Redis,
) -> None:
    hands = Hands(far_queue, "w1", 30.0, None)
    assert hands.consumer.hold_name() is None
    hands.fetch()
    thread, brought = sleep_beside(hands)
    wait_until(lambda: asleep(client, "w1"), "the worker to sleep")
    # The server isn't told that the connection has ended.
    proxy.fall_silent()
    hands.alarm.ring()
    thread.join(10)
    assert brought == [None]
    assert hands.fetch().fetched is Fetched.NONE

    queue.enqueue({}, job_id="1")
    wait_until(lambda: is_active(client, queue, "1"), "the fetch of the connection that is gone")
    queue.enqueue({}, job_id="2")
    first = hands.fetch().delivery

    assert first is not None
    assert (first.job_id, first.crashes) == ("1", 0)
    settled = Settlement(delivery=first, outcome=Outcome.COMPLETE)
    second = hands.consumer.exchange(settled, ("main",)).delivery
    assert second is not None
    assert second.job_id == "2"
    hands.close()


def test_a_job_that_comes_with_little_left_of_its_lease_is_fetched_anew(
    queue: Queue, make_hands: Callable[..., Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = make_hands()
    hands.fetch()
    queue.enqueue({}, job_id="1")
    with monkeypatch.context() as suspended:
        suspended.setattr(consumer, "boot_time_s", lambda: boot_time_s() + 15.1)
        assert hands.consumer.sleep(("main",), 60, None) is None

    delivery = hands.fetch().delivery

    assert delivery is not None
    assert (delivery.job_id, delivery.crashes, delivery.attempt) == ("1", 0, 1)
    assert delivery.lease.remaining_s() > 15


def test_a_sleep_is_over_after_a_third_of_a_lease(make_hands: Callable[..., Hands]) -> None:
    hands = make_hands(lease_s=0.9)
    hands.fetch()

    answer = hands.consumer.sleep(("main",), 3_600, None)

    assert answer is not None
    assert answer.fetched is Fetched.NONE


def test_a_script_that_the_server_has_forgotten_ends_a_sleep_with_nothing(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    hands = Hands(own_queue, "w1", 30.0, None)
    assert hands.consumer.hold_name() is None
    hands.fetch()
    own_queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.script_flush()

    assert hands.consumer.sleep(("main",), 60, None) is None
    delivery = hands.fetch().delivery

    assert delivery is not None
    assert delivery.job_id == "1"
    hands.close()


def test_a_job_of_a_lane_that_was_given_up_during_the_sleep_goes_back(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    lanes, ran = ["main", "other"], list[str]()
    start_worker(
        queue, lambda delivery: ran.append(delivery.job_id), lanes=lambda: tuple(lanes), settings=WorkerSettings()
    )
    wait_until(lambda: asleep(client, "w1"), "the worker to sleep")
    lanes.remove("other")

    queue.enqueue({}, job_id="1", lane="other")

    wait_until(lambda: "released" in events_of(client, queue, "1"), "the job to go back")
    queue.enqueue({}, job_id="2")
    wait_until(lambda: ran == ["2"], "the job of the lane that is read")
    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.lane, job.crashes) == ("waiting", "other", 0)
