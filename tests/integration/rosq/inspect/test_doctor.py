"""`rosq doctor`: each finding on a server or queue that has it, and none on one that hasn't."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import NewJob, Queue
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from tests.integration.rosq.conftest import Hands, settings_of
from tests.servers import embedded_redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import EmbeddedRedis, RedisServer


class Examined:
    """What the doctor said."""

    def __init__(self, server: RedisServer, queue_name: str, *options: str, username: str | None = None) -> None:
        env = {**server.env(), "ROSQ_QUEUE": queue_name, "REDIS_USERNAME": username}
        result = CliRunner().invoke(main, ["doctor", "--json", *options], env=env)
        self.exit_code = result.exit_code
        self.told: dict[str, Any] = json.loads(result.stdout)

    def find(self, subject: str, level: str) -> list[dict[str, str]]:
        return [each for each in self.told["findings"] if (each["subject"], each["level"]) == (subject, level)]


def test_a_sound_server_and_queue_have_no_warnings(
    own_redis: EmbeddedRedis, own_queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    own_queue.enqueue({}, job_id="later", delay_s=500)

    examined = Examined(own_redis, own_queue.name)

    # Nobody works here: that alone is an error while jobs are there.
    assert {each["level"] for each in examined.told["findings"] if each["subject"] != "workers"} <= {"ok", "note"}
    assert len(examined.find("workers", "error")) == 1
    assert examined.exit_code == 1
    for subject in ("version", "eviction", "memory", "persistence", "latency", "clock", "keys"):
        assert len(examined.find(subject, "ok")) == 1, subject


def test_a_worker_makes_it_sound(redis_server: RedisServer, queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()

    examined = Examined(redis_server, queue.name)

    assert len(examined.find("workers", "ok")) == 1
    assert examined.exit_code == 0


def test_a_server_that_evicts_forgets_or_is_full_is_told_with_what_to_do() -> None:
    with embedded_redis(maxmemory_policy="allkeys-lru") as server:
        with server.client() as client, Queue(settings_of(server), "orders") as queue:
            client.config_set("appendonly", "no")
            queue.enqueue({}, job_id="1")
            used = client.info("memory")["used_memory"]
            # Close to it: what closed connections give back differs from version to version.
            client.config_set("maxmemory", int(used * 1.05))
        examined = Examined(server, "orders")

    [evicts] = examined.find("eviction", "error")
    assert "noeviction" in evicts["advice"]
    assert len([*examined.find("memory", "warning"), *examined.find("memory", "error")]) == 1
    [forgets] = examined.find("persistence", "warning")
    assert "appendonly yes" in forgets["advice"]
    assert examined.told["verdict"] == "ERRORS"
    assert examined.exit_code == 1


def test_a_replica_is_told_as_one(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", 1)
        try:
            assert len(Examined(own_redis, own_queue.name).find("replication", "error")) == 1
        finally:
            client.replicaof("NO", "ONE")


def test_a_clock_that_was_set_back_is_told(redis_server: RedisServer, queue: Queue, client: Any) -> None:
    queue.enqueue({}, job_id="1")
    seconds, _ = client.time()
    client.xadd(queue.keys.events, {"event": "enqueued"}, id=f"{(seconds + 3600) * 1000}-0")

    [finding] = Examined(redis_server, queue.name).find("clock", "warning")

    assert "set back" in finding["seen"]


def test_jobs_without_entries_and_entries_without_jobs_exit_with_4(
    redis_server: RedisServer, queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    queue.enqueue({}, job_id="done")
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), (), is_fetching=False)
    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("sound", "no-entry", "no-job")])
    queue.enqueue({}, job_id="no-delayed-job", delay_s=500)
    assert Examined(redis_server, queue.name).exit_code == 0

    client.xdel(queue.keys.lane("main"), client.hget(queue.keys.job("no-entry"), "entry_id"))
    client.delete(queue.keys.job("no-job"), queue.keys.job("no-delayed-job"))
    client.zrem(queue.keys.completed, "done")
    client.hset(queue.keys.job("odd"), "what", "ever")
    examined = Examined(redis_server, queue.name)

    seen = "\n".join(each["seen"] for each in examined.find("keys", "error"))
    assert examined.exit_code == 4
    for part in (
        "Jobs say that they wait or run, but nothing will ever start them (no_entry): no-entry",
        "Jobs are finished, but on no list of finished jobs: nothing ever forgets them (not_listed): done",
        "or have no state that rosq knows (malformed): odd",
        "Entries of lanes have no job (entry_without_job): no-job",
        "Due times have no job, or one that isn't delayed (stray_due_time): no-delayed-job",
    ):
        assert part in seen, part
    assert "sound" not in seen


def test_what_was_looked_at_in_part_only_is_said(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(3_000)])

    examined = Examined(redis_server, queue.name, "--scan", "500")

    [note] = examined.find("keys", "note")
    assert "part only" in note["seen"]
    assert "500 entries of lanes" in note["seen"]
    assert "--scan" in note["advice"]


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_dead_worker_with_a_job_is_told(
    redis_server: RedisServer, queue: Queue, client: Any, make_hands: Callable[..., Hands], is_alive: bool
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()
    if is_alive:
        make_hands("w2")
    client.delete(queue.keys.worker("w1"))

    examined = Examined(redis_server, queue.name)

    [finding] = examined.find("workers", "warning" if is_alive else "error")[:1]
    assert "w1 is gone and holds job 1" in finding["seen"]
    assert "explain 1" in finding["advice"]
