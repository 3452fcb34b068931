"""Data that can't be read fail their job, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, InvalidData, JobState, NewJob, Queue, WorkerSettings
from rosq.store.keys import GROUP
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.integration.rosq.conftest import Running

DEEP = b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"abc",
    "half of it": b'{"a":',
    "more than one": b"{}{}",
    "no object": b"[1]",
    "nothing but a number": b"7",
    "null": b"null",
    "no UTF-8": b'{"a":"\xff"}',
    "a number of many digits": b'{"a":' + b"9" * 5_000 + b"}",
    "nested too deeply": DEEP,
    "options that are no JSON": b"abc\n{}",
    "options that are no object": b"[]\n{}",
    "a name that is no text": b'{"name":{}}\n{}',
    "headers that are no mapping": b'{"headers":[1]}\n{}',
    "headers that aren't text": b'{"headers":{"a":1}}\n{}',
    "a run timeout that is none": b'{"run_timeout_s":"soon"}\n{}',
    "a negative run timeout": b'{"run_timeout_s":-1}\n{}',
    "a run timeout without end": b'{"run_timeout_s":1e400}\n{}',
    "a run timeout of many digits": b'{"run_timeout_s":' + b"9" * 400 + b"}\n{}",
    "nothing after the options": b'{"name":"a"}\n',
}


@pytest.mark.parametrize("place", ["hash", "entry"])
def test_a_job_whose_data_cant_be_read_fails_saying_so_and_its_neighbours_run(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], place: str
) -> None:
    names = {f"bad-{at}": name for at, name in enumerate(UNREADABLE)}
    good = [f"good-{at}" for at in range(5)]
    queue.enqueue_many(NewJob(job_id=job_id, data={}) for job_id in [*names, *good])
    for job_id, name in names.items():
        key, lane = queue.keys.job(job_id), queue.keys.lane("main")
        if place == "hash":
            client.hset(key, "data", UNREADABLE[name])
        else:
            client.hdel(key, "data")
            client.xdel(lane, client.hget(key, "entry_id") or "")
            entry: Any = client.xadd(lane, {"job_id": job_id, "data": UNREADABLE[name]})
            client.hset(key, "entry_id", entry)
    handled: list[str] = []
    running = start_worker(
        queue, lambda delivery: handled.append(delivery.job_id), settings=WorkerSettings(max_backoff_s=0.1)
    )

    over = (JobState.COMPLETED, JobState.FAILED)
    wait_until(
        lambda: running.error or all(job.state in over for job in queue.find_jobs([*names, *good]).values()),
        "all jobs to be over",
    )
    running.stop()

    assert running.error is None
    assert sorted(handled) == good
    jobs = queue.find_jobs(names)
    wrong = {
        names[job_id]: (job.state, job.last_error)
        for job_id, job in jobs.items()
        if job.state is not JobState.FAILED or not (job.last_error or "").startswith("Its data can't be read: ")
    }
    assert wrong == {}
    assert client.xpending(queue.keys.lane("main"), GROUP)["pending"] == 0


@pytest.mark.parametrize("data", [[1], "text", 7, None, (1,), {1, 2}, {"a": {1}}, {"a": float("nan")}], ids=repr)
def test_what_a_worker_couldnt_read_isnt_put_on_the_queue(queue: Queue, data: Any) -> None:
    with pytest.raises(InvalidData, match="Job 1: its data"):
        queue.enqueue(data, job_id="1")


def test_data_that_are_nested_as_deeply_as_can_be_written_fail_or_run_but_end_no_worker(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    seen: list[Delivery] = []
    running = start_worker(queue, seen.append)
    ids = []
    for depth in (100, 500, 900, 2_000, 20_000):
        nested: Any = 1
        for _ in range(depth):
            nested = [nested]
        try:
            queue.enqueue({"a": nested}, job_id=str(depth))
        except InvalidData:
            continue
        ids.append(str(depth))
    over = (JobState.COMPLETED, JobState.FAILED)
    wait_until(
        lambda: running.error or all(job.state in over for job in queue.find_jobs(ids).values()), "all to be over"
    )
    running.stop()

    assert running.error is None
    assert "100" in ids
