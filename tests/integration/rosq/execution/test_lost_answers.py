"""Answers that are lost after the request has run: what is told again is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Delivery,
    EnqueueOutcome,
    Fail,
    JobState,
    NewJob,
    Queue,
    QueueSettings,
    RedisSettings,
    Release,
    ReopenOutcome,
    RetryPolicy,
    Snooze,
    WorkerSettings,
)
from rosq.execution.fetching import load_step
from rosq.scripts import loader
from tests.integration.rosq.conftest import Running, events_of
from tests.integration.rosq.proxy import SwallowingProxy, swallowing_proxy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from tests.servers import RedisServer


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[SwallowingProxy]:
    with swallowing_proxy(redis_server.host, redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def far_queue(proxy: SwallowingProxy, redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    """The same queue, seen through the proxy."""
    settings = RedisSettings(port=proxy.port, db=redis_server.db, password=redis_server.password)
    with Queue(settings, queue_name) as queue:
        yield queue


@pytest.mark.parametrize(
    ("step", "end", "event", "attempts"),
    [
        ("complete", None, "completed", 0),
        ("fail", Fail("no"), "failed", 1),
        ("fail_attempt", ValueError("no"), "retried", 1),
        ("snooze", Snooze(30), "snoozed", 0),
        ("release", Release("@other"), "released", 0),
    ],
)
def test_a_settle_whose_answer_is_lost_counts_once_and_the_job_that_it_fetched_runs_once(
    queue: Queue,
    far_queue: Queue,
    proxy: SwallowingProxy,
    client: redis.Redis,
    start_worker: Callable[..., Running],
    step: str,
    end: Exception | None,
    event: str,
    attempts: int,
) -> None:
    # Given a worker that has settled once already, so that the server knows the script
    runs: list[str] = []

    def handler(delivery: Delivery) -> None:
        runs.append(delivery.job_id)
        if delivery.job_id == "victim":
            proxy.swallow_next(load_step(step, QueueSettings(), WorkerSettings()).sha)
        if delivery.job_id in ("first", "victim") and end is not None:
            raise end

    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("first", "victim", "next")])

    # When the answer to the next settle is lost, which has also fetched the job after it
    start_worker(far_queue, handler, policy=RetryPolicy(wait=lambda _: 60), settings=WorkerSettings(max_backoff_s=0.1))

    # Then the job is settled once, nothing is lost, and the fetched one comes as one run, without a crash
    def is_done() -> bool:
        job = queue.find_job("next")
        return job is not None and job.state is JobState.COMPLETED

    wait_until(is_done, "the next job")
    assert proxy.swallowed == 1
    assert runs == ["first", "victim", "next"]
    assert events_of(client, queue, "victim") == ["enqueued", "started", event]
    job: Any = queue.find_job("victim")
    assert job.attempts == attempts
    assert events_of(client, queue, "next") == ["enqueued", "started", "started", "completed"]
    assert queue.find_jobs(["next"])["next"].crashes == 0


def test_a_fetch_whose_answer_is_lost_loses_no_job_and_counts_no_crash(
    queue: Queue, far_queue: Queue, proxy: SwallowingProxy, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    crashes: list[int] = []
    queue.enqueue({}, job_id="1")
    make_known = queue.make_wire("test")
    make_known.call("SCRIPT", "LOAD", load_step("fetch", QueueSettings(), WorkerSettings()).source)
    make_known.close()
    proxy.swallow_next(load_step("fetch", QueueSettings(), WorkerSettings()).sha)

    start_worker(far_queue, lambda delivery: crashes.append(delivery.crashes))

    wait_until(lambda: crashes, "the job")
    assert proxy.swallowed == 1
    assert crashes == [0]


def test_an_enqueue_whose_answer_is_lost_makes_one_job(
    queue: Queue, far_queue: Queue, proxy: SwallowingProxy, client: redis.Redis
) -> None:
    queue.enqueue({}, job_id="before")
    proxy.swallow_next(far_queue._load_enqueue().sha)

    answer = far_queue.enqueue({}, job_id="1")

    # The call repeats itself, and can't know any more that it was the one that made the job.
    assert proxy.swallowed == 1
    assert answer.outcome is EnqueueOutcome.DUPLICATE
    assert client.xlen(queue.keys.lane("main")) == 2


def test_a_reopen_whose_answer_is_lost_makes_one_job(
    queue: Queue, far_queue: Queue, proxy: SwallowingProxy, client: redis.Redis
) -> None:
    queue.reopen(NewJob(job_id="before", data={}))
    proxy.swallow_next(loader.load("reopen", KEEP_DELIVERIES=QueueSettings().keep_deliveries).sha)

    answer = far_queue.reopen(NewJob(job_id="1", data={}))

    assert proxy.swallowed == 1
    assert answer.outcome is ReopenOutcome.LIVE
    assert client.xlen(queue.keys.lane("main")) == 2


def test_a_heartbeat_whose_answer_is_lost_is_sent_again_within_the_lease(
    queue: Queue, far_queue: Queue, proxy: SwallowingProxy, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    held: list[bool] = []

    def handler(delivery: Delivery) -> None:
        for _ in range(3):
            proxy.swallow_next(loader.load("heartbeat").sha)
            delivery.sleep(0.5)
        held.append(delivery.lease.is_held())

    start_worker(far_queue, handler, settings=WorkerSettings(lease_s=0.9))
    queue.enqueue({}, job_id="1")

    wait_until(lambda: held, "the end of the job")
    assert held == [True]
    assert proxy.swallowed >= 2
