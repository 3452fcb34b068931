"""A job whose handler has ended stays held until Redis has heard how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosq import Delivery, Hook, JobState, Outcome, Queue, WorkerSettings
from tests.integration.rosq.conftest import settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis, RedisServer

LEASE_S = 1.0


def wait_for_leases(client: redis.Redis, count: float) -> None:
    """Let so many leases pass by the server's clock."""

    def now_s() -> float:
        seconds, micros = client.time()
        return float(seconds) + float(micros) / 1e6

    end_s = now_s() + count * LEASE_S
    wait_until(lambda: now_s() > end_s, f"{count} leases to pass")


def test_a_job_that_was_finished_on_a_full_server_doesnt_run_again_however_long_that_lasts(
    own_redis: EmbeddedRedis, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    runs: list[int] = []

    def fill_and_return(delivery: Delivery) -> None:
        runs.append(delivery.fence)
        with own_redis.client() as client:
            client.config_set("maxmemory", "1")

    own_queue.enqueue({}, job_id="1")
    times = WorkerSettings(lease_s=LEASE_S, max_backoff_s=0.2)
    start_worker(own_queue, fill_and_return, settings=times)
    start_worker(own_queue, fill_and_return, name="w2", settings=times)
    wait_until(lambda: runs, "the job to run")
    with own_redis.client() as client:
        wait_for_leases(client, 3)
        assert client.hget(own_queue.keys.job("1"), "state") == "active"
        client.config_set("maxmemory", "0")

    wait_until(lambda: (job := own_queue.find_job("1")) and job.state is JobState.COMPLETED, "the job to be completed")
    job = own_queue.find_job("1")
    assert job is not None
    assert (len(runs), job.crashes, [str(record.outcome) for record in job.history]) == (1, 0, ["completed"])


class EndsOnce(Hook):
    """Notes what hooks are told of the ends of deliveries."""

    def __init__(self) -> None:
        self.told: list[tuple[Outcome, bool]] = []

    def after_settle(self, worker: Any, settlement: Any, is_refused: bool) -> None:
        self.told.append((settlement.outcome, is_refused))


def test_a_release_that_comes_after_the_handlers_own_end_is_told_to_nobody(
    redis_server: RedisServer, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    ends = EndsOnce()

    with Queue(settings_of(redis_server), queue_name, hooks=[ends]) as queue:
        queue.enqueue({}, job_id="1")
        seen: list[Delivery] = []
        running = start_worker(queue, seen.append)
        wait_until(lambda: ends.told, "the job to be settled")
        wire = queue.make_wire("test")
        running.worker._release_for_handler(seen[0], wire)
        wire.close()
        running.stop()

    assert ends.told == [(Outcome.COMPLETE, False)]
