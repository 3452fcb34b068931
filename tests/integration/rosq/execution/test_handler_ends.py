"""However a handler ends, its job's counts say so, and its worker goes on."""

from __future__ import annotations

import gc
import logging
import signal
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, Hook, JobState, NewJob, Queue, RetryPolicy, Worker
from tests.integration.rosq.conftest import Log, Running, WorkerProcess
from tests.integration.rosq.execution.endings import LEFT_UNDONE, PLAIN, SAID, list_raised
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import redis
    import tenacity

    from tests.servers import RedisServer

FAST = RetryPolicy(max_attempts=2, wait=lambda _: 0.0)


def run_all(
    queue: Queue, start_worker: Callable[..., Running], handler: Any, job_ids: list[str], **options: Any
) -> Any:
    """Let one worker run these jobs to their ends; return them by id."""
    queue.enqueue_many(NewJob(job_id=job_id, data={}) for job_id in job_ids)
    options.setdefault("policy", FAST)
    running = start_worker(queue, handler, **options)
    over = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)

    def look() -> Any:
        jobs = queue.find_jobs(job_ids)
        return jobs if running.error or all(job.state in over for job in jobs.values()) else None

    jobs = wait_until(look, "all jobs to be over", 30)
    running.stop()
    assert running.error is None, "the worker ended by what a handler said"
    return jobs


def wait_for_attempt(queue: Queue, running: Running, attempt: int) -> Any:
    """Wait until so many attempts of job 1 are spent; return the job."""

    def look() -> Any:
        job = queue.find_job("1")
        return job if running.error or (job is not None and job.attempts == attempt) else None

    return wait_until(look, f"attempt {attempt} to be spent")


@pytest.mark.parametrize("hooks", [[], [Hook()]], ids=["without hooks", "with hooks"])
def test_whatever_a_handler_raises_is_a_failed_attempt_and_no_worker_ends(
    queue: Queue, start_worker: Callable[..., Running], hooks: list[Hook], caplog: pytest.LogCaptureFixture
) -> None:
    # Pages of tracebacks, and letters in them that nobody can print.
    caplog.set_level(logging.CRITICAL, logger="rosq")
    raised = list_raised()
    assert len(raised) > 100

    def handler(delivery: Delivery) -> None:
        raise raised[delivery.job_id]

    jobs = run_all(queue, start_worker, handler, list(raised), hooks=hooks)

    wrong = {
        repr(type(raised[job_id])): (job.state, job.attempts, job.crashes, job.last_error)
        for job_id, job in jobs.items()
        if (job.state, job.attempts, job.crashes) != (JobState.FAILED, 2, 0) or not job.last_error
    }
    assert wrong == {}
    told = {type(raised[job_id]): job.last_error for job_id, job in jobs.items()}
    assert told[SystemExit].startswith("SystemExit: ")
    assert told[KeyboardInterrupt].startswith("KeyboardInterrupt: ")
    assert told[GeneratorExit].startswith("GeneratorExit: ")


def test_work_that_a_handler_returns_and_nobody_will_do_is_a_failed_attempt(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    names = {f"{at}": name for at, name in enumerate(LEFT_UNDONE)}

    def handler(delivery: Delivery) -> Any:
        return LEFT_UNDONE[names[delivery.job_id]]()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        jobs = run_all(queue, start_worker, handler, list(names))
        gc.collect()

    wrong = {
        names[job_id]: (job.state, job.attempts, job.last_error)
        for job_id, job in jobs.items()
        if (job.state, job.attempts) != (JobState.FAILED, 2) or "returned" not in job.last_error
    }
    assert wrong == {}
    assert [str(each.message) for each in warned if "never awaited" in str(each.message)] == []


def test_a_plain_value_that_a_handler_returns_is_nobodys_business(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    names = {f"{at}": name for at, name in enumerate(PLAIN)}

    def handler(delivery: Delivery) -> Any:
        return PLAIN[names[delivery.job_id]]()

    jobs = run_all(queue, start_worker, handler, list(names))

    assert {names[job_id]: job.state for job_id, job in jobs.items()} == dict.fromkeys(PLAIN, JobState.COMPLETED)


def test_what_a_signal_says_in_other_than_text_is_told_as_well_as_can_be(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    names = {f"{at}": name for at, name in enumerate(SAID)}

    def handler(delivery: Delivery) -> None:
        raise SAID[names[delivery.job_id]][0]()

    jobs = run_all(queue, start_worker, handler, list(names))

    for job_id, job in jobs.items():
        _, state, text = SAID[names[job_id]]
        assert job.state == state, names[job_id]
        assert text in (job.last_error or ""), names[job_id]


# -- what a policy says ------------------------------------------------------------------------------------------------


def raise_it(error: BaseException) -> Callable[[tenacity.RetryCallState], float]:
    def wait(_: tenacity.RetryCallState) -> float:
        raise error

    return wait


class Unjust(RetryPolicy):
    """Raises from whatever it is asked."""

    def is_last(self, attempt: int) -> bool:
        raise SystemExit(1)

    def is_fatal(self, error: BaseException) -> bool:
        raise SystemExit(2)

    def pause_s(self, attempt: int, error: BaseException) -> float:
        raise SystemExit(3)


WAITS: dict[str, Any] = {
    "raises": raise_it(ZeroDivisionError("division by zero")),
    "exits": raise_it(SystemExit(1)),
    "inf": lambda _: float("inf"),
    "-inf": lambda _: float("-inf"),
    "nan": lambda _: float("nan"),
    "negative": lambda _: -1.0,
    "huge": lambda _: 1e12,
    "huge whole": lambda _: 10**400,
    "text": lambda _: "5",
    "none": lambda _: None,
    "list": lambda _: [1],
    "complex": lambda _: 1j,
}


@pytest.mark.parametrize("wait", WAITS)
def test_a_broken_wait_strategy_falls_back_to_the_default_pause_and_is_logged_once_a_failure(
    queue: Queue, start_worker: Callable[..., Running], caplog: pytest.LogCaptureFixture, wait: str
) -> None:
    def fail(_: Delivery) -> None:
        raise ValueError("no")

    queue.enqueue({}, job_id="1")
    with caplog.at_level(logging.ERROR, logger="rosq"):
        running = start_worker(queue, fail, policy=RetryPolicy(wait=WAITS[wait]))
        job = wait_for_attempt(queue, running, 1)
        running.stop()

    assert running.error is None
    assert (job.state, job.attempts, job.last_error) == (JobState.DELAYED, 1, "ValueError: no")
    told = [record for record in caplog.records if getattr(record, "event", "") == "policy_failed"]
    assert len(told) == 1
    assert (told[0].__dict__["job_id"], told[0].__dict__["asked"]) == ("1", "pause_s")
    assert 2 <= told[0].__dict__["instead"] < 3


def test_a_policy_that_raises_from_everything_spends_the_default_attempts(
    queue: Queue, start_worker: Callable[..., Running], client: redis.Redis
) -> None:
    def fail(_: Delivery) -> None:
        raise ValueError("no")

    queue.enqueue({}, job_id="1")
    running = start_worker(queue, fail, policy=Unjust())
    for attempt in (1, 2):
        assert wait_for_attempt(queue, running, attempt).state is JobState.DELAYED
        client.zadd(queue.keys.delayed, {"1": 0})
        running.worker.wake()
    job = wait_for_attempt(queue, running, 3)
    running.stop()

    assert (running.error, job.state) == (None, JobState.FAILED)


# -- real processes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raised", ["SystemExit", "KeyboardInterrupt", "asyncio.CancelledError", "GeneratorExit"])
def test_a_worker_in_the_main_thread_outlives_what_its_handlers_raise(
    redis_server: RedisServer,
    queue: Queue,
    client: redis.Redis,
    start_process: Callable[..., WorkerProcess],
    raised: str,
) -> None:
    queue.enqueue({"raise": raised}, job_id="poison")
    queue.enqueue({}, job_id="good", delay_s=0.4)

    process = start_process(redis_server, queue)
    wait_until(lambda: (job := queue.find_job("good")) and job.state is JobState.COMPLETED, "the good job")
    wait_until(lambda: (job := queue.find_job("poison")) and job.state is JobState.FAILED, "the poison job to fail")

    job = queue.find_job("poison")
    assert job is not None
    assert (job.attempts, job.crashes) == (3, 0)
    assert len(Log(client, queue).lines("held")) == 1
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize("way", ["exit", "kill", "segfault", "abort"])
def test_a_handler_that_takes_its_process_along_is_a_crash_and_a_poison_job_stops(
    redis_server: RedisServer,
    queue: Queue,
    client: redis.Redis,
    start_process: Callable[..., WorkerProcess],
    tmp_path: Path,
    way: str,
) -> None:
    kept = {"max_crashes": 3, "crash_pause_s": 0.0}
    queue.enqueue({"end": way}, job_id="poison")
    queue.enqueue({}, job_id="good")

    for _ in range(3):
        # Its restart proves that it is dead, and takes its job up at once.
        options = {"queue_settings": kept, "lock_file": str(tmp_path / "lock")}
        assert start_process(redis_server, queue, **options).wait() != 0
    last = start_process(redis_server, queue, **options)
    wait_until(lambda: (job := queue.find_job("good")) and job.state is JobState.COMPLETED, "the good job")

    job = queue.find_job("poison")
    assert job is not None
    assert (job.state, job.attempts, job.crashes) == (JobState.FAILED, 0, 3)
    assert [line["crashes"] for line in Log(client, queue).lines("started") if line["job_id"] == "poison"] == [0, 1, 2]
    last.signal(signal.SIGTERM)
    assert last.wait() == 0


# -- signals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_bare_run_in_the_main_thread_lets_the_job_in_hand_end_and_leaves(
    redis_server: RedisServer,
    queue: Queue,
    client: redis.Redis,
    start_process: Callable[..., WorkerProcess],
    number: signal.Signals,
) -> None:
    process = start_process(redis_server, queue, is_bare=True)
    queue.enqueue({"sleep": 0.5}, job_id="1")
    Log(client, queue).wait("started")

    process.signal(number)

    assert process.wait() == 0
    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.attempts) == (JobState.COMPLETED, 0)
    assert not client.exists(queue.keys.worker("w1"))


def test_a_bare_run_leaves_signals_to_whoever_hears_them_already(queue: Queue) -> None:
    heard: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:

        def handler(delivery: Delivery) -> None:
            signal.raise_signal(signal.SIGTERM)
            worker.request_stop()

        queue.enqueue({}, job_id="1")
        worker = Worker(queue, handler, name="w1", leave_process=lambda: None)
        worker.run()
    finally:
        signal.signal(signal.SIGTERM, former)

    assert heard == [signal.SIGTERM]


# -- a lease that its own handler loses --------------------------------------------------------------------------------


def test_a_handler_that_keeps_its_own_heartbeat_from_beating_doesnt_lose_its_lease_for_ever(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, start_process: Callable[..., WorkerProcess]
) -> None:
    # Given a job whose handler stops all threads of its process for longer than a lease, and asks then
    queue.enqueue({"stall": 1.5}, job_id="poison")
    queue.enqueue({}, job_id="good")

    # When a worker works alone
    process = start_process(redis_server, queue, lease_s=0.9, queue_settings={"max_crashes": 3, "crash_pause_s": 0.0})
    wait_until(lambda: (job := queue.find_job("poison")) and job.state is JobState.FAILED, "the job to fail", 120)
    wait_until(lambda: (job := queue.find_job("good")) and job.state is JobState.COMPLETED, "the good job")

    # Then each time counts, but where it found a heartbeat on its way
    job = queue.find_job("poison")
    assert job is not None
    assert (job.attempts, job.crashes) == (0, 3)
    assert sum(line["job_id"] == "poison" for line in Log(client, queue).lines("started")) in range(3, 12)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
