"""A server that is cut off, full, or busy reading its data: nothing half-written, and everybody comes back."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rosq import (
    Delivery,
    EnqueueOutcome,
    JobState,
    NewJob,
    Queue,
    RedisSettings,
    RetryPolicy,
    ServerUnreachable,
    WorkerSettings,
)
from rosq.steering import Steering
from tests.integration.rosq.conftest import events_of, settings_of
from tests.integration.rosq.cut_line import CutLine
from tests.servers import EmbeddedRedis, embedded_redis
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.rosq.conftest import Running


@pytest.fixture
def line(own_redis: EmbeddedRedis) -> Iterator[CutLine]:
    line = CutLine(own_redis.port)
    yield line
    line.close()


def test_a_cut_longer_than_the_blocking_call_wakes_the_worker_to_come_back(
    own_redis: EmbeddedRedis, line: CutLine, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    # Given an idle worker in its blocking call, at the far end of a line
    ran: list[str] = []
    far = RedisSettings(port=line.port, connect_timeout_s=0.5, answer_timeout_s=0.5)
    times = WorkerSettings(lease_s=5.0, round_s=0.5, max_backoff_s=0.2)
    with Queue(far, queue_name) as far_queue, Queue(settings_of(own_redis), queue_name) as near_queue:
        running = start_worker(far_queue, lambda delivery: ran.append(delivery.job_id), settings=times)
        wait_until(lambda: running.worker._is_holding, "the worker")

        # When the line is cut for longer than that call may last, and a job comes meanwhile
        line.cut()
        asked = line.asked
        near_queue.enqueue({}, job_id="meanwhile")
        wait_until(lambda: running.worker.last_round_age_s() > 3.0, "the worker to be silent")
        wait_until(lambda: line.asked > asked, "the worker to have given the connection up")
        with pytest.raises(ServerUnreachable):
            far_queue.enqueue({}, job_id="far")
        assert ran == []
        line.mend()

        # Then it comes back by itself, and no job ran twice
        wait_until(lambda: ran == ["meanwhile"] or len(ran) > 1, "the job")
        assert far_queue.enqueue({}, job_id="far").outcome in EnqueueOutcome
        wait_until(lambda: len(ran) == 2, "the other job")
        running.stop()
    assert ran == ["meanwhile", "far"]
    assert running.error is None


def test_a_job_in_hand_during_a_cut_shorter_than_its_lease_is_settled_once(
    own_redis: EmbeddedRedis, line: CutLine, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    started, go_on, fences = threading.Event(), threading.Event(), list[int]()

    def handler(delivery: Delivery) -> None:
        fences.append(delivery.fence)
        started.set()
        assert go_on.wait(20)

    far = RedisSettings(port=line.port, connect_timeout_s=0.5, answer_timeout_s=0.5)
    times = WorkerSettings(lease_s=30.0, round_s=0.5, max_backoff_s=0.2)
    with Queue(far, queue_name) as far_queue, Queue(settings_of(own_redis), queue_name) as near_queue:
        near_queue.enqueue({}, job_id="1")
        running = start_worker(far_queue, handler, settings=times)
        assert started.wait(10)
        line.cut()
        go_on.set()
        wait_until(lambda: running.worker._outage._failures > 2, "the worker to try in vain", 15)
        line.mend()

        wait_until(lambda: _state_of(near_queue, "1") is JobState.COMPLETED, "the settle")
        running.stop()
        with own_redis.client() as client:
            assert events_of(client, near_queue, "1") == ["enqueued", "started", "completed"]
    assert len(fences) == 1


def _state_of(queue: Queue, job_id: str) -> JobState | None:
    job = queue.find_job(job_id)
    return job.state if job is not None else None


def test_a_server_that_reads_its_data_is_waited_for(queue_name: str, start_worker: Callable[..., Running]) -> None:
    # Given a server whose data take seconds to read
    ran: list[str] = []
    with embedded_redis(rdbcompression="no") as server, Queue(settings_of(server), queue_name) as queue:
        # Every two megabytes it looks who knocks: so many times, and for so long
        data = {"pad": "x" * 60_000}
        queue.enqueue_many([NewJob(job_id=str(n), data=data, delay_s=3600 * (n > 0)) for n in range(400)])
        with server.client() as client:
            client.bgrewriteaof()
            wait_until(lambda: _is_rewritten(client), "the file to be rewritten")
        server.stop()
        # Microseconds a key
        server.configure(key_load_delay="10000")
        server.start(is_waiting=False)
        with server.client() as client:
            # By itself redis-py asks again until the data are read.
            client.set_retry(Retry(NoBackoff(), 0))
            wait_until(lambda: _is_loading(client), "the server to read its data")

        # When producers and workers come while it reads
        with (
            contextlib.closing(queue.make_wire("test")) as wire,
            pytest.raises(ServerUnreachable, match=r"(?i)loading"),
        ):
            wire.call("EXISTS", queue.keys.meta)
        times = WorkerSettings(round_s=0.5, max_backoff_s=0.2)
        policy = RetryPolicy(wait=lambda _: 0.1)
        running = start_worker(queue, lambda delivery: ran.append(delivery.job_id), settings=times, policy=policy)

        # Then all of them are served when it has read them
        wait_until(lambda: ran == ["0"], "the worker", 20)
        assert queue.enqueue({}, job_id="new").outcome is EnqueueOutcome.CREATED
        wait_until(lambda: ran == ["0", "new"], "the new job")
        running.stop()
        assert running.error is None


def _is_rewritten(client: redis.Redis) -> bool:
    told: Any = client.info("persistence")
    return not told["aof_rewrite_in_progress"] and not told["aof_rewrite_scheduled"]


def _is_loading(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.BusyLoadingError:
        return True
    except redis.ConnectionError:
        return False
    raise AssertionError("the server had read its data before anybody came")


def test_a_replica_is_no_place_for_jobs_and_its_promotion_is_noticed_by_every_client(queue_name: str) -> None:
    with embedded_redis() as master, embedded_redis(repl_diskless_sync_delay="0") as replica:
        with Queue(settings_of(master), queue_name) as queue:
            queue.enqueue({}, job_id="1")
        with replica.client() as client, Queue(settings_of(replica), queue_name) as queue:
            client.replicaof("127.0.0.1", str(master.port))
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the replica")
            with pytest.raises(ServerUnreachable, match=r"(?i)read.?only"):
                queue.enqueue({}, job_id="2")

            client.replicaof("NO", "ONE")

            assert queue.enqueue({}, job_id="2").outcome is EnqueueOutcome.CREATED
            assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.DUPLICATE


def test_a_client_leaves_a_server_that_was_the_master_although_it_still_answers(queue_name: str) -> None:
    # Given one address for whoever is the master, as managed servers have it, and clients that are connected
    with (
        embedded_redis() as old,
        embedded_redis(repl_diskless_sync_delay="0") as new,
        old.client() as old_client,
        new.client() as new_client,
    ):
        line = CutLine(old.port)
        settings = RedisSettings(port=line.port)
        hand = Steering(settings, queue_name, by="a test", reason="to see it")
        with Queue(settings, queue_name) as queue, hand, contextlib.closing(line):
            queue.enqueue({}, job_id="1")
            assert hand.pause() is None
            new_client.replicaof("127.0.0.1", str(old.port))
            wait_until(lambda: new_client.info("replication")["master_link_status"] == "up", "the replica")

            # When that address gets another master, and the old one stays as its replica
            new_client.replicaof("NO", "ONE")
            line.lead_to(new.port)
            old_client.replicaof("127.0.0.1", str(new.port))

            # Then whoever is refused once is at the new one after that
            with pytest.raises(ServerUnreachable, match=r"(?i)read.?only"):
                hand.resume()
            assert hand.resume()
            assert queue.enqueue({}, job_id="2").outcome is EnqueueOutcome.CREATED


def test_a_settle_that_a_failover_has_lost_is_made_up_for_at_once_by_its_own_worker(
    queue_name: str, start_worker: Callable[..., Running]
) -> None:
    # Given a job in hand that the replica knows of, and a replica that becomes the master then
    started, go_on, fences = threading.Event(), threading.Event(), list[int]()

    def handler(delivery: Delivery) -> None:
        fences.append(delivery.fence)
        started.set()
        assert go_on.wait(20)

    with embedded_redis() as old, embedded_redis(repl_diskless_sync_delay="0") as new, new.client() as client:
        line = CutLine(old.port)
        with Queue(RedisSettings(port=line.port), queue_name) as queue, contextlib.closing(line):
            client.replicaof("127.0.0.1", str(old.port))
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the replica")
            queue.enqueue({}, job_id="1")
            # A lease that no test waits for
            running = start_worker(queue, handler, settings=WorkerSettings(lease_s=120, round_s=60, max_backoff_s=0.2))
            assert started.wait(10)
            wait_until(lambda: client.hget(queue.keys.job("1"), "state") == "active", "the replica to know")
            client.replicaof("NO", "ONE")

            # When the old one acknowledges the settle, and is gone
            go_on.set()
            with old.client() as old_client:
                wait_until(lambda: old_client.hget(queue.keys.job("1"), "state") == "completed", "the settle")
            line.lead_to(new.port)
            old.kill()

            # Then the worker, asleep by now, takes its job up again at the new one, long before its lease runs out
            wait_until(lambda: client.hget(queue.keys.job("1"), "state") == "completed", "the job", 15)
            running.stop()
    assert len(fences) == 2
    assert fences[1] > fences[0]
