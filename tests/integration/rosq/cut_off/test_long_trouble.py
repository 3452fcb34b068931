"""A server that is away, or refuses, for longer than a lease: what was finished isn't run again, and what is in hand
stays in its hand, unless somebody else took it meanwhile."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from rosq import JobState, NewJob, Queue, RedisSettings
from tests.integration.rosq.cut_line import CutLine
from tests.integration.rosq.cut_off.side import Side, processes
from tests.servers import EmbeddedRedis, embedded_redis
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    #: Begins the trouble, and returns what ends it. What is to stand until the test has looked goes on the stack.
    Trouble: TypeAlias = Callable[[EmbeddedRedis, CutLine, contextlib.ExitStack], Callable[[], object]]

LEASE_S = 1.2
TROUBLE_S = 3 * LEASE_S
#: One is finished in the trouble; of two that last longer one rests, and one looks up from nothing.
JOBS: dict[str, dict[str, Any]] = {
    "finished": {"hold_s": 1.0},
    "resting": {"hold_s": TROUBLE_S + 1.0, "look": "sleep"},
    "deaf": {"hold_s": TROUBLE_S + 1.0},
}


def away(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    server.stop()
    return server.start


def hung(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    server.pause()
    return server.resume


def cut(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    line.cut()
    return line.mend


def full(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    client = rest.enter_context(server.client())
    client.config_set("maxmemory", "1")
    return lambda: client.config_set("maxmemory", "0")


def without_replicas(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    client = rest.enter_context(server.client())
    client.config_set("min-replicas-to-write", "1")
    return lambda: client.config_set("min-replicas-to-write", "0")


def unable_to_save(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    """MISCONF: a server that can't write its snapshots takes no writes."""
    client = rest.enter_context(server.client())
    in_the_way = server.folder / "dump.rdb"
    in_the_way.mkdir()
    client.config_set("save", "3600 1")
    _save(client, "err")

    def clear_away() -> None:
        in_the_way.rmdir()
        _save(client, "ok")

    return clear_away


def failing_over(server: EmbeddedRedis, line: CutLine, rest: contextlib.ExitStack) -> Callable[[], object]:
    """Its replica takes its place, late; what was acknowledged is there."""
    replica = rest.enter_context(embedded_redis(repl_diskless_sync_delay="0"))
    client = rest.enter_context(replica.client())
    client.replicaof("127.0.0.1", str(server.port))
    wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the replica")
    with server.client() as master:
        master.incr("written-last")
        assert master.wait(1, 5_000) == 1
    server.kill()

    def take_its_place() -> None:
        client.replicaof("NO", "ONE")
        line.lead_to(replica.port)

    return take_its_place


def _save(client: Any, status: str) -> None:
    client.bgsave()

    def is_over() -> bool:
        told: Any = client.info("persistence")
        return not told["rdb_bgsave_in_progress"] and told["rdb_last_bgsave_status"] == status

    wait_until(is_over, f"a snapshot that ends with {status}")


@pytest.mark.parametrize("begin", [away, hung, cut, full, without_replicas, unable_to_save, failing_over])
def test_a_trouble_longer_than_a_lease_runs_nothing_again_and_takes_nothing_away(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, begin: Trouble
) -> None:
    line = CutLine(own_redis.port)
    with processes() as sides, contextlib.closing(line), contextlib.ExitStack() as rest:
        queue = rest.enter_context(Queue(RedisSettings(port=line.port), queue_name))
        # Given workers with a job each, and one that would like one
        for name in ("w1", "w2", "w3", "w4"):
            options = {"queue": queue_name, "lease_s": LEASE_S, "watch_s": 0}
            sides.append(Side(tmp_path / name, line.port, name=name, **options))
        for side in sides:
            side.wait("holding")
        queue.enqueue_many([NewJob(job_id=job_id, data=data) for job_id, data in JOBS.items()])
        wait_until(lambda: all(_runs(sides, job_id) for job_id in JOBS), "all of them to be at work")

        # When the server gives no good answer for much longer than a lease, and one job is finished meanwhile
        end = begin(own_redis, line, rest)
        ends_s = time.monotonic() + TROUBLE_S
        wait_until(lambda: [side for side in sides if side.lines("watched", "finished")], "the end of its handler")
        assert time.monotonic() < ends_s, "the job was finished in the trouble"
        wait_until(lambda: time.monotonic() > ends_s, "the time to pass", TROUBLE_S + 1)
        end()

        # Then each is completed by whom it was begun, and by nobody else
        wait_until(lambda: _are_completed(queue), "all to be completed", 20)
        for job_id in JOBS:
            assert len(_runs(sides, job_id)) == 1, f"runs of {job_id}"
            job = queue.find_job(job_id)
            assert job is not None
            assert (job.crashes, job.attempts) == (0, 0)


def _runs(sides: list[Side], job_id: str) -> list[dict[str, Any]]:
    return [line for side in sides for line in side.lines("began", job_id)]


def _are_completed(queue: Queue) -> bool:
    return {job.state for job in queue.find_jobs(list(JOBS)).values()} == {JobState.COMPLETED}
