"""Maintenance is nobody's burden: not the holder's, not the server's, however many lanes were ever used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.rosq.conftest import Log
from tests.integration.rosq.proxy import delaying_proxy
from tests.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Queue
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
            pipe.xadd(lane, {"job_id": "gone"}, id="1-1")
            pipe.xreadgroup("workers", "somebody", {lane: ">"})
            pipe.xack(lane, "workers", "1-1")
            pipe.xdel(lane, "1-1")
        pipe.execute()


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
        # Meanwhile it went through them.
        assert client.info("commandstats")["cmdstat_xautoclaim"]["calls"] > LANES / 2
