"""What a producer may give with a job besides its data: a name, headers, a time, a limit."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

from rosq import (
    Delivery,
    EnqueueOutcome,
    InvalidData,
    InvalidSettings,
    JobState,
    NewJob,
    Queue,
    RetryPolicy,
    Worker,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.integration.rosq.conftest import Running

LONG = {"text": "x" * 200}


def state_of(queue: Queue, job_id: str) -> JobState | None:
    job = queue.find_job(job_id)
    return job.state if job else None


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_name_headers_and_limit_reach_the_handler_and_outlast_a_retry(
    queue: Queue, start_worker: Callable[..., Running], data: dict[str, object]
) -> None:
    seen: list[Delivery] = []

    def handle(delivery: Delivery) -> None:
        seen.append(delivery)
        if len(seen) == 1:
            raise ValueError("once")

    queue.enqueue(data, job_id="1", name="letter", headers={"traceparent": "00-ab"}, run_timeout_s=7.5)  # type: ignore[arg-type]
    start_worker(queue, {"letter": handle}, policy=RetryPolicy(wait=lambda _: 0.0))

    wait_until(lambda: state_of(queue, "1") is JobState.COMPLETED, "the job's end")
    assert [(d.data, d.name, d.headers, d.run_timeout_s) for d in seen] == [
        (data, "letter", {"traceparent": "00-ab"}, 7.5)
    ] * 2
    job = queue.find_job("1")
    assert job is not None
    assert (job.data, job.name, job.headers, job.run_timeout_s) == (data, "letter", {"traceparent": "00-ab"}, 7.5)


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_headers_dont_count_for_the_same_content_but_name_and_data_do(queue: Queue, data: dict[str, object]) -> None:
    def put(**options: object) -> EnqueueOutcome:
        return queue.enqueue(options.pop("data", data), job_id="1", **options).outcome  # type: ignore[arg-type]

    assert put(name="letter", headers={"a": "1"}) is EnqueueOutcome.CREATED
    assert put(name="letter", headers={"a": "1"}) is EnqueueOutcome.DUPLICATE
    assert put(name="letter", headers={"a": "2"}) is EnqueueOutcome.DUPLICATE
    assert put(name="letter", run_timeout_s=3.0) is EnqueueOutcome.DUPLICATE
    assert put(name="parcel") is EnqueueOutcome.CONFLICT
    assert put() is EnqueueOutcome.CONFLICT
    assert put(name="letter", data={"order_id": 2}) is EnqueueOutcome.CONFLICT


def test_each_job_goes_to_the_handler_of_its_name_and_one_without_a_handler_fails_saying_so(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    handled: list[str] = []
    names = {"1": "letter", "2": "", "3": "parcel"}
    queue.enqueue_many([NewJob(job_id=job_id, data={}, name=name) for job_id, name in names.items()])

    start_worker(
        queue,
        {"letter": lambda d: handled.append(f"letter {d.job_id}"), "": lambda d: handled.append(f"any {d.job_id}")},
        policy=RetryPolicy(max_attempts=1),
    )

    wait_until(lambda: state_of(queue, "3") is JobState.FAILED, "the one without a handler")
    assert handled == ["letter 1", "any 2"]
    job = queue.find_job("3")
    assert job is not None
    assert "No handler is for jobs named 'parcel'" in (job.last_error or "")


def test_a_worker_without_any_handler_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidSettings, match="no handler"):
        Worker(queue, {}, name="w1")


def test_each_job_name_has_its_own_policy(queue: Queue, start_worker: Callable[..., Running]) -> None:
    runs: list[str] = []

    def fail(delivery: Delivery) -> None:
        runs.append(delivery.name)
        raise ValueError("no")

    queue.enqueue_many([NewJob(job_id=name or "none", data={}, name=name) for name in ("twice", "")])
    policies = {"twice": RetryPolicy(max_attempts=2, wait=lambda _: 0.0), "": RetryPolicy(max_attempts=1)}
    start_worker(queue, {"twice": fail, "": fail}, policy=policies)

    wait_until(lambda: {state_of(queue, job_id) for job_id in ("twice", "none")} == {JobState.FAILED}, "both to fail")
    assert sorted(runs) == ["", "twice", "twice"]


def test_an_error_that_is_declared_as_hopeless_isnt_retried(queue: Queue, start_worker: Callable[..., Running]) -> None:
    runs: list[str] = []

    def fail(delivery: Delivery) -> None:
        runs.append(delivery.job_id)
        raise FileNotFoundError("gone")

    queue.enqueue({}, job_id="1")
    start_worker(queue, fail, policy=RetryPolicy(max_attempts=5, wait=lambda _: 0.0, never_retry=(OSError,)))

    wait_until(lambda: state_of(queue, "1") is JobState.FAILED, "the job to fail")
    assert runs == ["1"]


def test_a_job_runs_no_longer_than_its_own_limit(queue: Queue, start_worker: Callable[..., Running]) -> None:
    queue.enqueue({}, job_id="1", run_timeout_s=0.2)
    start_worker(queue, lambda delivery: delivery.sleep(30), policy=RetryPolicy(max_attempts=1))

    wait_until(lambda: state_of(queue, "1") is JobState.FAILED, "the job to fail")
    job = queue.find_job("1")
    assert job is not None
    assert "it ran longer than 0.2 s" in (job.last_error or "")


def test_a_job_may_be_due_at_a_time_and_one_of_the_past_is_due_at_once(queue: Queue, client: redis.Redis) -> None:
    due_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

    later = queue.enqueue({}, job_id="later", due_at=due_at)
    now = queue.enqueue({}, job_id="now", due_at=due_at - datetime.timedelta(hours=2))
    again = queue.reopen(NewJob(job_id="again", data={}, due_at=due_at))

    assert (later.state, now.state, again.state) == (JobState.DELAYED, JobState.WAITING, JobState.DELAYED)
    for job_id in ("later", "again"):
        score = client.zscore(queue.keys.delayed, job_id)
        assert score is not None
        assert abs(float(score) / 1000 - due_at.timestamp()) <= 0.001


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"due_at": datetime.datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is what is refused
        ({"due_at": datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC), "delay_s": 1.0}, "no delay_s"),
        ({"run_timeout_s": 0.0}, "run_timeout_s is 0.0"),
        ({"headers": {"a": 1}}, "text by text"),
    ],
)
def test_options_that_break_a_rule_are_refused(queue: Queue, options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidData, match=words):
        queue.enqueue({}, job_id="1", **options)  # type: ignore[arg-type]
    assert queue.find_job("1") is None
