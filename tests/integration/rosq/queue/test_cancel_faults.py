"""Cancelling jobs whose holders are killed or paused, with real processes and a server of their own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Fate, JobState, Queue
from tests.integration.rosq.conftest import Log, WorkerProcess, events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import EmbeddedRedis


@pytest.fixture
def log(own_redis: EmbeddedRedis, own_queue: Queue) -> Iterator[Log]:
    with own_redis.client() as client:
        yield Log(client, own_queue)


def wait_for_cancelled(queue: Queue, timeout_s: float = 15.0) -> Any:
    def look() -> Any:
        job = queue.find_job("1")
        return job if job is not None and job.state is JobState.CANCELLED else None

    return wait_until(look, "the job to be cancelled", timeout_s)


def ask(queue: Queue) -> None:
    assert queue.cancel("1", by="ann", reason="ordered twice").fate is Fate.ASKED


def test_a_handler_in_another_process_is_woken_within_a_third_of_a_lease(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    own_queue.enqueue({"sleep": 60}, job_id="1")
    start_process(own_redis, own_queue, lease_s=3.0)
    log.wait("started")

    ask(own_queue)

    # A third of its lease, and a second for a busy machine.
    wait_for_cancelled(own_queue, timeout_s=2.0)
    assert [line["by"] for line in log.lines("interrupted")] == ["Cancel"]


def test_the_job_of_a_killed_holder_that_was_asked_is_cancelled_by_another_worker_and_never_runs_again(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    own_queue.enqueue({"hang": 60}, job_id="1")
    holder = start_process(own_redis, own_queue, "w1", lease_s=1.0)
    log.wait("started")
    ask(own_queue)
    holder.kill()
    start_process(own_redis, own_queue, "w2", lease_s=1.0)

    job = wait_for_cancelled(own_queue)

    assert (job.cancel_by, job.crashes) == ("ann", 0)
    assert len(log.lines("started")) == 1
    with own_redis.client() as client:
        assert events_of(client, own_queue, "1") == ["enqueued", "started", "cancel_asked", "cancelled"]


def test_the_restart_of_a_killed_holder_that_was_asked_cancels_the_job_at_once(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, tmp_path: Path, start_process: Callable[..., WorkerProcess]
) -> None:
    # Given a killed holder whose lease would stand for long
    options = {"lease_s": 60.0, "lock_file": str(tmp_path / "w1.lock")}
    own_queue.enqueue({"hang": 60}, job_id="1")
    holder = start_process(own_redis, own_queue, "w1", **options)
    log.wait("started")
    ask(own_queue)
    holder.kill()

    # When it is started again, and can prove that death
    start_process(own_redis, own_queue, "w1", **options)

    # Then it cancels the job in place of running it, and works on
    wait_for_cancelled(own_queue, timeout_s=10)
    own_queue.enqueue({}, job_id="2")
    log.wait("ended")
    assert [line["job_id"] for line in log.lines("started")] == ["1", "2"]


def test_a_holder_that_is_paused_past_its_lease_finds_its_cancelled_job_lost(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    # Given a paused holder that was asked
    own_queue.enqueue({"sleep": 60}, job_id="1")
    holder = start_process(own_redis, own_queue, "w1", lease_s=1.0)
    log.wait("started")
    holder.signal(signal.SIGSTOP)
    ask(own_queue)
    start_process(own_redis, own_queue, "w2", lease_s=1.0)
    wait_for_cancelled(own_queue)

    # When it goes on
    holder.signal(signal.SIGCONT)

    # Then it has lost the job, changes nothing, and works on
    log.wait("interrupted")
    assert [line["by"] for line in log.lines("interrupted")] == ["LeaseLost"]
    own_queue.enqueue({}, job_id="2")
    log.wait("ended")
    job = own_queue.find_job("1")
    assert job is not None
    assert (job.state, job.cancel_by) == (JobState.CANCELLED, "ann")
    assert [line["job_id"] for line in log.lines("started")] == ["1", "2"]


def test_a_holder_that_is_paused_for_less_than_its_lease_obeys_when_it_goes_on(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    own_queue.enqueue({"sleep": 60}, job_id="1")
    holder = start_process(own_redis, own_queue, "w1", lease_s=6.0)
    log.wait("started")
    holder.signal(signal.SIGSTOP)
    ask(own_queue)
    holder.signal(signal.SIGCONT)

    wait_for_cancelled(own_queue, timeout_s=5)
    assert [line["by"] for line in log.lines("interrupted")] == ["Cancel"]
