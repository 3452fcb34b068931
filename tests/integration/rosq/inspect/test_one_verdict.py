"""`rosq inspect` and `rosq doctor` at the same second: what one finds wrong with the queue, the other finds too."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import NewJob, Queue
from rosq.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import Hands
    from tests.servers import EmbeddedRedis

#: What only the doctor examines: how the server is set up and does, and the keys one by one.
DOCTORS_OWN = {
    *("persistence", "replication", "latency", "slowlog", "fork", "fsync", "headroom", "fragmentation", "clients"),
    *("buffers", "timeout", "events"),
}


@pytest.fixture
def client(own_redis: EmbeddedRedis) -> Any:
    with own_redis.client() as client:
        yield client


@pytest.fixture
def queue(own_queue: Queue) -> Queue:
    return own_queue


def no_trouble(queue: Queue, client: Any, hands: Hands) -> None:
    hands.fetch()


def no_worker(queue: Queue, client: Any, hands: Hands) -> None:
    queue.enqueue({}, job_id="1")
    client.delete(queue.keys.worker("w1"))


def no_worker_for_delayed(queue: Queue, client: Any, hands: Hands) -> None:
    queue.enqueue({}, job_id="1", delay_s=60)
    client.delete(queue.keys.worker("w1"))


def dead_worker(queue: Queue, client: Any, hands: Hands) -> None:
    client.delete(queue.keys.worker("w1"))


def idle_worker_that_takes_nothing(queue: Queue, client: Any, hands: Hands) -> None:
    hands.fetch()
    queue.enqueue({}, job_id="1")
    client.delete(queue.keys.lane("main"), queue.keys.job("0"))
    earlier = f"{int(time.time() * 1000) - 60_000}-0"
    client.xadd(queue.keys.lane("main"), {"job_id": "1"}, id=earlier)
    client.hset(queue.keys.job("1"), "entry_id", earlier)


def lane_of_nobody(queue: Queue, client: Any, hands: Hands) -> None:
    idle_worker_that_takes_nothing(queue, client, hands)
    client.sadd(queue.keys.lanes, "@gone")
    client.rename(queue.keys.lane("main"), queue.keys.lane("@gone"))
    client.hset(queue.keys.job("1"), "lane", "@gone")


def paused(queue: Queue, client: Any, hands: Hands) -> None:
    client.hset(queue.keys.meta, mapping={"paused_at_ms": 1, "paused_by": "ann", "paused_reason": "x"})


def overdue(queue: Queue, client: Any, hands: Hands) -> None:
    queue.enqueue({}, job_id="1", delay_s=60)
    client.zadd(queue.keys.delayed, {"1": int(time.time() * 1000) - 60_000})


def clock_set_back(queue: Queue, client: Any, hands: Hands) -> None:
    client.xadd(queue.keys.events, {"event": "paused"}, id=f"{int(time.time() * 1000) + 60_000}-0")


def evicting(queue: Queue, client: Any, hands: Hands) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")


def almost_full(queue: Queue, client: Any, hands: Hands) -> None:
    # Not sent: what a client has under way counts as memory too, for a moment.
    client.setrange("large", 30_000_000, "x")
    client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.15))


def full(queue: Queue, client: Any, hands: Hands) -> None:
    client.config_set("maxmemory", 1_000_000)


def lost_job(queue: Queue, client: Any, hands: Hands) -> None:
    client.delete(queue.keys.job("0"))


def mistyped(queue: Queue, client: Any, hands: Hands) -> None:
    hands.close()
    client.delete(*client.keys(queue.keys.pattern))


TROUBLES = {
    no_worker: "workers",
    no_worker_for_delayed: "workers",
    dead_worker: "workers",
    idle_worker_that_takes_nothing: "lanes",
    lane_of_nobody: "lanes",
    paused: "pause",
    overdue: "delayed",
    clock_set_back: "clock",
    evicting: "eviction",
    almost_full: "memory",
    full: "memory",
    lost_job: "keys",
    mistyped: "queue",
}


def bad(view: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["subject"], each["level"]) for each in view["findings"] if each["level"] in ("warning", "error")}


@pytest.mark.parametrize("trouble", [no_trouble, *TROUBLES], ids=lambda trouble: str(trouble.__name__))
def test_what_makes_the_overview_degraded_is_named_by_the_doctor_and_the_other_way_round(
    own_redis: EmbeddedRedis, queue: Queue, client: Any, make_hands: Callable[..., Hands], trouble: Callable[..., None]
) -> None:
    queue.enqueue_many([NewJob(job_id="0", data={})])
    hands = make_hands("w1")
    hands.fetch()
    client.hset(queue.keys.job("0"), "lease_until_ms", int(time.time() * 1000) + 29_000)
    trouble(queue, client, hands)
    env = {**own_redis.env(), "ROSQ_QUEUE": queue.name}

    overview, diagnosis = (
        json.loads(CliRunner().invoke(main, [*line.split(), "--json"], env=env).stdout)
        for line in ("inspect", "doctor")
    )

    # Of keys the overview sees few: what it finds wrong with them the doctor finds, and maybe more.
    assert bad(overview) <= bad(diagnosis)
    assert {each for each in bad(diagnosis) - bad(overview) if each[0] not in DOCTORS_OWN} <= {
        ("keys", "warning"),
        ("keys", "error"),
    }
    subjects: set[str | None] = {subject for subject, _ in bad(overview)}
    assert TROUBLES.get(trouble) in (subjects or {None})
    assert overview["verdict"] == ("DEGRADED" if bad(overview) else "OK")
    assert (diagnosis["verdict"] == "OK") == (not bad(diagnosis))
    own = {
        (each["subject"], each["seen"]) for each in overview["findings"] if each["subject"] not in ("memory", "keys")
    }
    without_times = {
        (subject, seen.partition(" for up to ")[0].partition(" is given back ")[0]) for subject, seen in own
    }
    for subject, seen in without_times:
        assert any(each["subject"] == subject and seen[:40] in each["seen"] for each in diagnosis["findings"])


@pytest.mark.parametrize(
    ("info", "subject"),
    [
        ({"redis_version": "6.0.9"}, "version"),
        ({"role": "slave"}, "replication"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "persistence"),
        ({"rdb_last_bgsave_status": "err"}, "persistence"),
    ],
)
def test_what_keeps_workers_off_a_server_is_an_error_by_the_one_rule(info: dict[str, Any], subject: str) -> None:
    from rosq.inspect.verdict import judge_server

    well = {"redis_version": "7.2.0", "maxmemory_policy": "noeviction", "role": "master"}

    assert list(judge_server(well)) == []
    assert [(each.subject, each.level) for each in judge_server({**well, **info})] == [(subject, "error")]
