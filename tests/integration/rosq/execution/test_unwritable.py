"""A key that something else wrote costs its own job, and ends no worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, JobState, NewJob, Queue, RetryPolicy, WorkerSettings
from tests.integration.rosq.damage.table import WRITE, replace
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq import Job
    from tests.integration.rosq.conftest import Running

GOOD = [f"good-{number}" for number in range(5)]
FIELDS = ["fence", "token", "attempts", "crashes", "lease_until_ms", "worker", "state", "data", "lane", "entry_id"]
TIMES = WorkerSettings(lease_s=0.6, round_s=0.2, max_backoff_s=0.1)


def wait_for_good_jobs(queue: Queue, *running: Running) -> None:
    def look() -> bool:
        jobs = queue.find_jobs(GOOD).values()
        return len(jobs) == len(GOOD) and all(job.state is JobState.COMPLETED for job in jobs)

    wait_until(lambda: any(each.error for each in running) or look(), "the good jobs to be completed")
    assert [each.error for each in running] == [None] * len(running)


@pytest.mark.parametrize("kind", [kind for kind in WRITE if kind != "hash"])
def test_a_delayed_job_whose_key_is_of_another_type_fails_and_harms_no_other(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], kind: str
) -> None:
    queue.enqueue({}, job_id="bad", delay_s=3_600)
    queue.enqueue_many(NewJob(job_id=job_id, data={}, delay_s=3_600) for job_id in GOOD)
    replace(client, queue.keys.job("bad"), kind)
    client.zadd(queue.keys.delayed, {"bad": 1, **dict.fromkeys(GOOD, 2)})

    wait_for_good_jobs(queue, start_worker(queue, lambda _: None, settings=TIMES))

    bad = queue.find_job("bad")
    assert bad is not None and bad.state is JobState.FAILED
    assert "something else wrote" in str(bad.last_error)
    assert client.zscore(queue.keys.delayed, "bad") is None


@pytest.mark.parametrize("kind", [kind for kind in WRITE if kind != "stream"])
def test_a_delayed_job_whose_lane_cant_be_written_is_put_off_and_harms_no_other(
    queue: Queue,
    client: redis.Redis,
    start_worker: Callable[..., Running],
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    queue.enqueue({}, job_id="bad", lane="other", delay_s=3_600)
    queue.enqueue_many(NewJob(job_id=job_id, data={}, delay_s=3_600) for job_id in GOOD)
    replace(client, queue.keys.lane("other"), kind)
    client.zadd(queue.keys.delayed, {"bad": 1, **dict.fromkeys(GOOD, 2)})

    with caplog.at_level(logging.WARNING, logger="rosq"):
        running = [start_worker(queue, lambda _: None, name=name, settings=TIMES) for name in ("w1", "w2")]
        wait_for_good_jobs(queue, *running)
        wait_until(lambda: (client.zscore(queue.keys.delayed, "bad") or 0) > 1, "the bad one to be put off")

    seconds, _ = client.time()
    assert 50 < (client.zscore(queue.keys.delayed, "bad") or 0) / 1000 - seconds < 70
    told = [record for record in caplog.records if getattr(record, "event", "") == "promote_put_off"]
    assert [(record.__dict__["job_id"], "WRONGTYPE" in record.__dict__["error"]) for record in told] == [("bad", True)]


def test_a_delayed_job_whose_name_or_lane_is_no_text_harms_no_other(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    queue.enqueue({}, job_id="bad", delay_s=3_600)
    raw: Any = client
    raw.hset(queue.keys.job("bad"), "lane", b"\xff\xfe")
    raw.zadd(queue.keys.delayed, {b"\xff": 1, "bad": 1})
    queue.enqueue_many(NewJob(job_id=job_id, data={}, delay_s=0.05) for job_id in GOOD)

    wait_for_good_jobs(queue, start_worker(queue, lambda _: None, settings=TIMES))

    assert client.zcard(queue.keys.delayed) == 0


@pytest.mark.parametrize("kind", [kind for kind in WRITE if kind != "hash"])
def test_a_job_whose_key_is_replaced_while_its_handler_runs_ends_no_worker(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], kind: str
) -> None:
    def handler(delivery: Delivery) -> None:
        if delivery.job_id == "bad":
            replace(client, queue.keys.job("bad"), kind)

    queue.enqueue({}, job_id="bad")
    queue.enqueue_many(NewJob(job_id=job_id, data={}) for job_id in GOOD)

    wait_for_good_jobs(queue, start_worker(queue, handler, settings=TIMES))

    def find_failed() -> Job | None:
        bad = queue.find_job("bad")
        return bad if bad is not None and bad.state is JobState.FAILED else None

    assert "something else wrote" in str(wait_until(find_failed, "it to have failed").last_error)


@pytest.mark.parametrize("kind", [kind for kind in WRITE if kind != "zset"])
def test_a_list_of_delayed_jobs_that_cant_be_read_ends_no_worker(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], kind: str
) -> None:
    replace(client, queue.keys.delayed, kind)
    running = start_worker(queue, lambda _: None, settings=TIMES)
    wait_until(lambda: running.error or client.exists(queue.keys.worker("w1")), "the worker to have begun")
    client.delete(queue.keys.delayed)
    queue.enqueue_many(NewJob(job_id=job_id, data={}) for job_id in GOOD)

    wait_for_good_jobs(queue, running)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ["", "abc", "-1", "1.5", "1e400", "nan", b"\xff"], ids=repr)
@pytest.mark.parametrize("is_failing", [False, True], ids=["completed", "failing"])
def test_a_field_that_something_else_wrote_costs_its_own_job_and_doesnt_let_it_run_for_ever(
    queue: Queue,
    client: redis.Redis,
    start_worker: Callable[..., Running],
    field: str,
    value: Any,
    is_failing: bool,
) -> None:
    runs: list[str] = []

    def handler(delivery: Delivery) -> None:
        runs.append(delivery.job_id)
        if delivery.job_id == "bad":
            if runs.count("bad") == 1:
                client.hset(queue.keys.job("bad"), field, value)
            if is_failing:
                raise ValueError("no")

    queue.enqueue({}, job_id="bad")
    queue.enqueue_many(NewJob(job_id=job_id, data={}) for job_id in GOOD)

    running = start_worker(queue, handler, settings=TIMES, policy=RetryPolicy(wait=lambda _: 0.0))
    wait_for_good_jobs(queue, running)
    wait_until(lambda: not client.xlen(queue.keys.lane("main")), "the bad job to be over")
    running.stop()

    assert running.error is None
    assert runs.count("bad") <= 5
