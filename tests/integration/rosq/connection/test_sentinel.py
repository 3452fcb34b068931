"""A master that fails over by real sentinels, with workers and a producer under way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from rosq import Delivery, NewJob, Queue, RedisSettings, RetryPolicy, ServerRefused, ServerUnreachable, WorkerSettings
from rosq.steering import Steering
from tests.integration.rosq.connection.test_ways import list_acl_lines
from tests.topologies import PASSWORD, Watched, running_watched
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.rosq.conftest import Running

_TIMES = WorkerSettings(lease_s=20.0, round_s=1.0, max_backoff_s=0.3)
_POLICY = RetryPolicy(wait=lambda _: 0.05)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with running_watched() as watched:
        yield watched


@pytest.fixture
def queue(watched: Watched, queue_name: str) -> Iterator[Queue]:
    with Queue(RedisSettings.from_env(watched.env()), queue_name) as queue:
        yield queue


def _put_stubbornly(queue: Queue, jobs: list[NewJob], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            queue.enqueue_many(jobs)
            return
        except ServerUnreachable:
            stopped.wait(0.1)


@pytest.mark.parametrize("how", ["killed", "paused", "asked"])
def test_after_a_failover_workers_and_producers_go_on_at_the_new_master(
    watched: Watched, queue: Queue, start_worker: Callable[..., Running], how: str
) -> None:
    # Given jobs that the replica has too, and workers under way
    fences: dict[str, list[int]] = {}

    def handler(delivery: Delivery) -> None:
        fences.setdefault(delivery.job_id, []).append(delivery.fence)
        delivery.sleep(0.02)

    first = [NewJob(job_id=str(n), data={"pad": "x" * 90}) for n in range(80)]
    later = [NewJob(job_id=str(n), data={}) for n in range(80, 100)]
    queue.enqueue_many(first)
    with watched.master.client() as client:
        assert client.wait(1, 5000) == 1
    workers = [start_worker(queue, handler, name=f"w{n}", settings=_TIMES, policy=_POLICY) for n in range(2)]
    hand = Steering(queue.redis_settings, queue.name, by="a test", reason="to see it")
    assert not hand.resume()
    wait_until(lambda: len(fences) > 20, "the workers")

    # When the master goes
    if how == "killed":
        watched.master.kill()
    elif how == "paused":
        watched.master.pause()
    else:
        watched.fail_over_by_hand()
    stopped = threading.Event()
    producer = threading.Thread(target=_put_stubbornly, args=(queue, later, stopped))
    producer.start()
    try:
        watched.wait_for_failover()
        producer.join(15)
        assert not producer.is_alive()

        # Then all come to their end there, what was lost on the way put back by its producer as ever
        queue.enqueue_many([*first, *later])
        with watched.replica.client() as client:
            wait_until(lambda: client.zcard(queue.keys.completed) == 100, "all jobs", 20)
            assert client.xlen(queue.keys.lane("main")) == 0
        wait_until(lambda: _can_steer(hand), "the steering hand")
    finally:
        stopped.set()
        hand.__exit__()
    for running in workers:
        running.stop()
        assert running.error is None
    assert set(fences) == {str(number) for number in range(100)}
    assert all(ran == sorted(set(ran)) for ran in fences.values()), "a job that ran again has a greater fence"


def _can_steer(hand: Steering) -> bool:
    """A client that was connected to the old master, or that master while it still says that it is one."""
    try:
        return not hand.resume()
    except ServerUnreachable:
        return False


def test_a_sentinel_that_is_gone_or_hangs_costs_no_answer(watched: Watched, queue: Queue) -> None:
    watched.sentinels[0].pause()

    queue.enqueue({}, job_id="1")

    watched.sentinels[0].resume()
    watched.sentinels.pop(0).close()
    queue.close()
    queue.enqueue({}, job_id="2")
    assert set(queue.find_jobs(["1", "2"])) == {"1", "2"}


def test_a_master_that_no_sentinel_knows_and_a_refusing_sentinel_are_told_in_one_sentence(
    watched: Watched, queue_name: str
) -> None:
    right = watched.env()

    for wrong, sentence in (
        ({"REDIS_SENTINEL_MASTER": "other"}, "knows no master other"),
        ({"REDIS_SENTINEL_PASSWORD": "hush-hush"}, "refuses this client"),
        ({"REDIS_SENTINELS": "127.0.0.1:1"}, "no sentinel names the master"),
        ({"REDIS_PASSWORD": "hush-hush"}, "refuses this user or password"),
    ):
        with (
            Queue(RedisSettings.from_env({**right, **wrong}), queue_name) as queue,
            pytest.raises(ServerUnreachable, match=sentence) as caught,
        ):
            queue.enqueue({}, job_id="1")
        assert "hush-hush" not in str(caught.value)
        assert PASSWORD not in str(caught.value)


def test_the_user_of_the_docs_needs_one_right_more_behind_sentinels(watched: Watched, queue_name: str) -> None:
    lines = [line.replace("PASSWORD", PASSWORD) for line in list_acl_lines()]
    with watched.master.client() as client:
        client.execute_command(*lines[0].split())
        env = {**watched.env(), "REDIS_USERNAME": "rosq"}
        with Queue(RedisSettings.from_env(env), queue_name) as queue:
            with pytest.raises(ServerRefused, match="role"):
                queue.enqueue({}, job_id="1")
            client.execute_command(*lines[0].split(), "+role")
            queue.enqueue({}, job_id="1")


def test_a_server_that_sentinels_name_before_it_is_the_master_is_not_used(watched: Watched, queue: Queue) -> None:
    with watched.master.client() as client:
        client.replicaof("127.0.0.1", str(watched.replica.port))

    with pytest.raises(ServerUnreachable, match="not the master yet"):
        queue.enqueue({}, job_id="1")
