"""`rosq doctor` on servers that will be slow, or full, or refuse clients."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from rosq import NewJob, Queue
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.inspect.test_doctor import Examined
from tests.servers import embedded_redis

if TYPE_CHECKING:
    from tests.servers import EmbeddedRedis


@pytest.fixture
def server_client(own_redis: EmbeddedRedis) -> Any:
    with own_redis.client() as client:
        yield client


def test_a_slow_command_is_named_without_its_arguments(
    own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any
) -> None:
    own_queue.enqueue({}, job_id="1")
    assert len(Examined(own_redis, own_queue.name).find("slowlog", "ok")) == 1

    server_client.execute_command("DEBUG", "SLEEP", "0.12")

    [finding] = Examined(own_redis, own_queue.name).find("slowlog", "warning")
    assert "the slowest was DEBUG, 1" in finding["seen"]
    assert "0.12" not in finding["seen"]
    assert "SLOWLOG GET" in finding["advice"]


def test_room_for_jobs_is_told_and_too_little_of_it_is_a_warning(
    own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any
) -> None:
    own_queue.enqueue_many([NewJob(job_id=f"job-{number}", data={"order_id": number}) for number in range(2_000)])

    [roomy] = Examined(own_redis, own_queue.name).find("headroom", "ok")
    assert "more jobs of" in roomy["seen"]

    # The doctor's own connection takes some memory too, so the room is small but above nothing.
    server_client.config_set("maxmemory", int(server_client.info("memory")["used_memory"]) + 200_000)
    [tight] = Examined(own_redis, own_queue.name).find("headroom", "warning")
    assert "new jobs are refused" in tight["advice"]


def test_the_weight_of_a_job_is_near_what_it_takes(
    own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any
) -> None:
    own_queue.enqueue({}, job_id="first")
    before = server_client.info("memory")["used_memory"]
    own_queue.enqueue_many([NewJob(job_id=f"job-{number}", data={"order_id": number}) for number in range(5_000)])
    events = server_client.memory_usage(own_queue.keys.events, samples=0)
    real = (server_client.info("memory")["used_memory"] - before - events) / 5_000

    [finding] = Examined(own_redis, own_queue.name).find("headroom", "ok")

    told = int(finding["seen"].split("jobs of ")[1].split(" ")[0].replace(",", ""))
    assert 0.6 * real < told < 1.6 * real


def test_too_many_clients_are_told_before_one_is_refused() -> None:
    with embedded_redis(maxclients="20") as server, Queue(settings_of(server), "orders") as queue:
        queue.enqueue({}, job_id="1")
        assert len(Examined(server, "orders").find("clients", "ok")) == 1
        with contextlib.ExitStack() as stack:
            for _ in range(15):
                client = stack.enter_context(server.client())
                client.ping()
            [finding] = Examined(server, "orders").find("clients", "warning")

    assert "of 20 allowed" in finding["seen"]
    assert "CLIENT LIST" in finding["advice"]


def test_small_buffers_and_short_timeouts_are_told(
    own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any
) -> None:
    own_queue.enqueue({}, job_id="1")
    quiet = Examined(own_redis, own_queue.name)
    assert quiet.find("buffers", "note") == quiet.find("timeout", "note") == []

    server_client.config_set("client-output-buffer-limit", "normal 1mb 0 0")
    server_client.config_set("timeout", 20)
    examined = Examined(own_redis, own_queue.name)

    assert "1.0 MiB" in examined.find("buffers", "note")[0]["seen"]
    assert "20 s" in examined.find("timeout", "note")[0]["seen"]


def test_what_else_reads_a_lane_is_told(own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any) -> None:
    own_queue.enqueue({}, job_id="1")
    server_client.xgroup_create(own_queue.keys.lane("main"), "auditors", id="0")

    [finding] = Examined(own_redis, own_queue.name).find("lanes", "warning")

    assert "auditors" in finding["seen"]
    assert "XGROUP DESTROY" in finding["advice"]


def test_ever_new_names_of_workers_are_told(own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any) -> None:
    own_queue.enqueue({}, job_id="1")
    lane = own_queue.keys.lane("main")
    server_client.xgroup_create(lane, "workers", id="0")
    pipe = server_client.pipeline(transaction=False)
    for number in range(1_001):
        pipe.xgroup_createconsumer(lane, "workers", f"pod-{number}")
    pipe.execute()

    [finding] = Examined(own_redis, own_queue.name).find("lanes", "note")

    assert "1,001 consumers" in finding["seen"]


def test_too_many_events_are_told(own_redis: EmbeddedRedis, own_queue: Queue, server_client: Any) -> None:
    own_queue.enqueue({}, job_id="1")
    for _ in range(10):
        pipe = server_client.pipeline(transaction=False)
        for _ in range(10_001):
            pipe.xadd(own_queue.keys.events, {"event": "started"})
        pipe.execute()

    [finding] = Examined(own_redis, own_queue.name).find("events", "note")

    assert "100,0" in finding["seen"]
    assert "max_events" in finding["advice"]


def test_a_user_without_rights_to_settings_gets_the_rest(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-config", "-slowlog", "-memory"
        )
        try:
            own_redis.username, own_redis.password = "reader", "secret"
            examined = Examined(own_redis, own_queue.name, username="reader")
        finally:
            own_redis.username = own_redis.password = None

    assert examined.told["verdict"] in ("OK", "WARNINGS", "ERRORS")
    assert len(examined.find("clients", "ok")) == 1
    assert examined.find("slowlog", "ok") == []


def test_every_finding_that_is_not_fine_says_what_to_do(own_redis: EmbeddedRedis, server_client: Any) -> None:
    server_client.config_set("appendonly", "no")
    server_client.config_set("timeout", 20)
    server_client.execute_command("DEBUG", "SLEEP", "0.02")
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")
        server_client.delete(queue.keys.job("1"))

    findings = Examined(own_redis, "orders").told["findings"]

    assert {each["level"] for each in findings} >= {"ok", "note", "warning", "error"}
    for each in findings:
        assert each["level"] == "ok" or each["advice"], each
