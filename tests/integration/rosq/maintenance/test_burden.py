"""Maintenance is nobody's burden: not the holder's, not the server's, however many lanes were ever used."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from rosq import JobState, NewJob, Queue, QueueSettings, WorkerSettings
from rosq.steering import Steering
from tests.integration.rosq.conftest import Log, settings_of
from tests.integration.rosq.proxy import delaying_proxy, forgetful_proxy
from tests.integration.rosq.sweep import Sweep
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import WorkerProcess
    from tests.servers import EmbeddedRedis

#: Each way to the server and back.
ROUND_TRIP_S = 0.0014
LANES = 10_000


def use_lanes(client: Any, queue: Queue, count: int) -> None:
    """Leave lanes behind as jobs do that went through them."""
    for start in range(0, count, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 500, count)):
            lane = queue.keys.lane(f"tenant-{number}")
            pipe.sadd(queue.keys.lanes, f"tenant-{number}")
            pipe.xgroup_create(lane, "workers", "0", mkstream=True)
            pipe.xadd(lane, {"job_id": "gone"})
            pipe.xreadgroup("workers", "somebody", {lane: ">"})
            pipe.xtrim(lane, maxlen=0)
        pipe.execute()


def find_slow(client: Any) -> dict[str, float]:
    """The commands of which more than one in a hundred calls took longer than 5 ms, with that one's time in ms."""
    stats: dict[str, dict[str, float]] = client.info("latencystats")
    found = {name.removeprefix("latency_percentiles_usec_"): each["p99"] / 1000 for name, each in stats.items()}
    return {name: ms for name, ms in found.items() if ms > 5}


def test_a_healthy_holder_keeps_its_lease_beside_ten_thousand_lanes(
    own_redis: EmbeddedRedis, own_queue: Queue, start_process: Callable[..., WorkerProcess]
) -> None:
    with own_redis.client() as client, delaying_proxy(own_redis.host, own_redis.port, ROUND_TRIP_S) as proxy:
        use_lanes(client, own_queue, LANES)
        client.config_resetstat()
        log = Log(client, own_queue)
        afar = RedisServer(own_redis.host, proxy.port)
        worker = start_process(afar, own_queue, lease_s=2.0)
        own_queue.enqueue({"sleep": 20}, job_id="long")

        [ended] = log.wait("ended", timeout_s=40)

        assert ended["job_id"] == "long"
        assert log.lines("interrupted") == []
        assert not [line for line in worker.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]
        # Meanwhile it went through them again and again, and held nobody up.
        assert client.info("commandstats")["cmdstat_xautoclaim"]["calls"] > 5 * LANES
        assert find_slow(client) == {}


def test_a_dead_holders_job_comes_back_where_no_connection_stands_as_long_as_a_lease(
    own_redis: EmbeddedRedis, own_queue: Queue, start_process: Callable[..., WorkerProcess]
) -> None:
    with own_redis.client() as client, forgetful_proxy(own_redis.host, own_redis.port, 0.4) as proxy:
        log = Log(client, own_queue)
        behind = RedisServer(own_redis.host, proxy.port)
        dead = start_process(own_redis, own_queue, "dead", lease_s=0.6)
        own_queue.enqueue({"sleep": 60}, job_id="1")
        log.wait("started")
        dead.kill()

        start_process(behind, own_queue, "living", lease_s=0.6)

        [_, second] = log.wait("started", 2, timeout_s=20)
        assert (second["worker"], second["crashes"]) == ("living", 1)


@pytest.mark.parametrize("remember_s", [0.0, 60.0])
def test_cancelled_jobs_are_bounded_at_any_rate_even_where_no_worker_lives(
    own_redis: EmbeddedRedis, remember_s: float
) -> None:
    kept = QueueSettings(keep_cancelled=100, remember_s=remember_s)
    with Queue(settings_of(own_redis), "busy", kept) as queue, own_redis.client() as client:
        most = 0
        for number in range(1_000):
            queue.enqueue({}, job_id=str(number), lane="nobody-reads")
            queue.cancel(str(number), by="ann", reason="a test")
            most = max(most, int(client.zcard(queue.keys.cancelled)))

        assert most == 100
        assert client.hget(queue.keys.meta, "cancelled_total") == "1000"
        found = queue.find_jobs(map(str, range(1_000)))
        assert sum(job.state is JobState.CANCELLED for job in found.values()) == 100
        assert len(found) == (1_000 if remember_s else 100)


def test_jobs_that_are_cancelled_by_the_thousand_by_hand_are_bounded_too(own_redis: EmbeddedRedis) -> None:
    settings = settings_of(own_redis)
    with Queue(settings, "busy", QueueSettings(keep_cancelled=100)) as queue, own_redis.client() as client:
        queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(2_000)])
        with Steering(settings, "busy", by="ann", reason="a test") as steering:
            seen = list(steering.see(list(map(str, range(2_000)))).values())
            steering.cancel(seen)

        assert client.zcard(queue.keys.cancelled) == 100


def test_what_is_too_many_already_is_forgotten_in_one_pass(own_redis: EmbeddedRedis) -> None:
    with Queue(settings_of(own_redis), "busy") as queue, own_redis.client() as client:
        now_ms = int(time.time() * 1000)
        for start in range(0, 20_000, 1_000):
            pipe = client.pipeline(transaction=False)
            for number in range(start, start + 1_000):
                pipe.hset(queue.keys.job(str(number)), mapping={"state": "failed", "fence": "1", "data": "{}"})
                pipe.zadd(queue.keys.failed, {str(number): now_ms + number})
            pipe.execute()
        with contextlib.closing(queue.make_wire("test")) as wire:
            kept = QueueSettings(keep_failed=100)
            swept = Sweep(keys=queue.keys, wire=wire, kept=kept, settings=WorkerSettings(lease_s=300)).run_once()

        assert swept.forgotten_jobs == 19_900
        assert client.zcard(queue.keys.failed) == 100
