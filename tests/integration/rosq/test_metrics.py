"""Metrics: what the hook counts beside a real worker, what the collector reads, and what the page says of both."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

import rosq
from rosq import Delivery, Fail, NewJob, Queue, Release, Snooze, Worker
from rosq.metrics import MetricsHook, QueueCollector
from rosq.steering import Steering
from rosq.testing import run_until_empty
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.integration.rosq.execution.test_worker import Script
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import EmbeddedRedis, RedisServer

PAGE = Path(rosq.__file__).parents[1] / "docs" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


@pytest.fixture
def measured(redis_server: RedisServer, queue_name: str, registry: CollectorRegistry) -> Iterator[Queue]:
    with Queue(settings_of(redis_server), queue_name, hooks=[MetricsHook(registry)]) as queue:
        yield queue


def read(registry: CollectorRegistry) -> dict[str, float]:
    """Every sample as Prometheus gets it, `name{label=value,…}` without the label of the queue."""
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(prometheus_client.generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(
                f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "queue" and value
            )
            samples[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return samples


# -- the hook ----------------------------------------------------------------------------------------------------------


def test_enqueues_are_counted_by_their_answer(measured: Queue, registry: CollectorRegistry) -> None:
    measured.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(3)])
    measured.enqueue({}, job_id="0")
    measured.enqueue({"other": 1}, job_id="0")
    measured.reopen(NewJob(job_id="0", data={}))
    measured.reopen(NewJob(job_id="9", data={}))
    with pytest.raises(rosq.InvalidName):
        measured.enqueue({}, job_id=" ")

    found = read(registry)
    assert found["rosq_jobs_enqueued_total{outcome=created}"] == 3
    assert found["rosq_jobs_enqueued_total{outcome=duplicate}"] == 1
    assert found["rosq_jobs_enqueued_total{outcome=conflict}"] == 1
    assert found["rosq_jobs_enqueued_total{outcome=live}"] == 1
    assert found["rosq_jobs_enqueued_total{outcome=reopened}"] == 1
    assert found["rosq_enqueue_errors_total{error_type=InvalidName}"] == 1
    assert found["rosq_enqueue_duration_seconds_count"] == 6
    assert 0 < found["rosq_enqueue_duration_seconds_sum"] < 60


def test_deliveries_are_counted_and_timed_by_outcome(measured: Queue, registry: CollectorRegistry) -> None:
    handler = Script(ValueError(), Snooze(1), Release(), None, Fail("no"))
    measured.enqueue_many([NewJob(job_id="a", data={})])
    run_until_empty(measured, handler)
    measured.enqueue({}, job_id="b")
    run_until_empty(measured, handler)

    found = read(registry)
    assert found["rosq_jobs_started_total"] == 5
    for outcome in ("completed", "failed", "retried", "snoozed", "released"):
        assert found[f"rosq_jobs_settled_total{{outcome={outcome}}}"] == 1
        assert found[f"rosq_handler_duration_seconds_count{{outcome={outcome}}}"] == 1
    assert found["rosq_handler_errors_total{error_type=ValueError}"] == 1
    assert "rosq_handler_errors_total{error_type=Snooze}" not in found
    assert found["rosq_jobs_in_hand"] == 0
    assert found["rosq_worker_names_taken_total"] == 2
    assert found["rosq_worker_idle_seconds_total"] > 0


def test_handlers_are_told_apart_by_the_jobs_name(measured: Queue, registry: CollectorRegistry) -> None:
    measured.enqueue({}, job_id="a", name="letter")
    measured.enqueue({}, job_id="b", name="parcel")
    run_until_empty(measured, {"letter": Script(), "parcel": Script(ValueError(), None)})

    found = read(registry)
    assert found["rosq_jobs_started_total{name=letter}"] == 1
    assert found["rosq_jobs_started_total{name=parcel}"] == 2
    assert found["rosq_handler_duration_seconds_count{name=parcel,outcome=retried}"] == 1
    assert found["rosq_handler_errors_total{error_type=ValueError,name=parcel}"] == 1
    assert found["rosq_jobs_settled_total{name=letter,outcome=completed}"] == 1


def test_a_job_in_hand_and_a_refused_settle_are_seen(measured: Queue, registry: CollectorRegistry) -> None:
    seen: list[float] = []

    def handler(delivery: Delivery) -> None:
        seen.append(read(registry)["rosq_jobs_in_hand"])
        with measured._borrow_wire() as wire:
            wire.call("DEL", measured.keys.job("a"))
        worker.request_stop()

    measured.enqueue({}, job_id="a")
    worker = Worker(measured, handler, name="w1", leave_process=lambda: None)
    worker.run()

    assert seen == [1]
    found = read(registry)
    assert found["rosq_settles_refused_total"] == 1
    assert "rosq_jobs_settled_total{outcome=completed}" not in found


def test_an_outage_is_counted_and_timed(
    own_redis: EmbeddedRedis, queue_name: str, registry: CollectorRegistry, start_worker: Callable[..., Running]
) -> None:
    with Queue(settings_of(own_redis), queue_name, hooks=[MetricsHook(registry)]) as queue:
        running = start_worker(queue, Script(), settings=rosq.WorkerSettings(max_backoff_s=0.05))
        wait_until(lambda: read(registry).get("rosq_worker_names_taken_total"), "the worker to be there")
        own_redis.stop()
        wait_until(lambda: read(registry).get("rosq_redis_away") == 1, "the outage to be seen")
        own_redis.start()
        wait_until(lambda: read(registry).get("rosq_redis_away") == 0, "its end to be seen")
        running.stop()

    found = read(registry)
    assert found["rosq_redis_outages_total"] == 1
    assert found["rosq_redis_away_seconds_total"] > 0


def test_a_second_hook_on_a_registry_is_refused(registry: CollectorRegistry) -> None:
    MetricsHook(registry)

    with pytest.raises(ValueError, match="Duplicated timeseries"):
        MetricsHook(registry)


# -- the collector -----------------------------------------------------------------------------------------------------


def test_the_collector_tells_how_a_queue_stands(
    redis_server: RedisServer, queue: Queue, registry: CollectorRegistry, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}, lane=f"lane{number % 2}") for number in range(4)])
    queue.enqueue({}, job_id="later", delay_s=60)
    run_until_empty(queue, Script(None, Fail("no")), lanes=["lane0"], with_delayed=False)
    assert make_hands().fetch("lane1").delivery is not None
    with Steering(queue.redis_settings, queue.name, by="a test", reason="to see") as steering:
        steering.pause()
    registry.register(QueueCollector(settings_of(redis_server), [queue.name]))

    found = read(registry)

    assert found["rosq_queue_up"] == 1
    states = ("waiting", "active", "delayed", "completed", "failed")
    assert [found[f"rosq_queue_jobs{{state={state}}}"] for state in states] == [1, 1, 1, 1, 1]
    assert found["rosq_queue_oldest_waiting_seconds"] > 0
    assert found["rosq_queue_workers{state=busy}"] == 1
    assert found["rosq_queue_workers{state=lost}"] == 0
    assert found["rosq_queue_paused"] == 1
    assert found["rosq_queue_inconsistencies"] == 0
    assert found["rosq_queue_enqueued_total"] == 5
    assert found["rosq_queue_failed_total"] == 1


def test_a_delayed_job_that_nobody_promotes_is_overdue(
    redis_server: RedisServer, queue: Queue, registry: CollectorRegistry
) -> None:
    queue.enqueue({}, job_id="a", delay_s=0.001)
    registry.register(QueueCollector(settings_of(redis_server), [queue.name], fresh_for_s=0))

    late_s = wait_until(lambda: read(registry)["rosq_queue_delayed_overdue_seconds"], "it to be late")

    assert 0 < late_s < 60


def test_the_collector_finds_the_queues_itself(
    own_redis: EmbeddedRedis, own_queue: Queue, registry: CollectorRegistry
) -> None:
    # On a server of its own: of more than fifty queues it takes fifty.
    queue = own_queue
    queue.enqueue({}, job_id="a")
    registry.register(QueueCollector(settings_of(own_redis)))

    text = prometheus_client.generate_latest(registry).decode()

    assert f'rosq_queue_jobs{{queue="{queue.name}",state="waiting"}} 1.0' in text


def test_the_collector_asks_redis_no_more_often_than_it_was_told(
    redis_server: RedisServer, queue: Queue, registry: CollectorRegistry
) -> None:
    registry.register(QueueCollector(settings_of(redis_server), [queue.name], fresh_for_s=3600))
    before = read(registry)
    queue.enqueue({}, job_id="a")

    assert read(registry) == before


def test_a_scrape_succeeds_while_redis_is_away(
    own_redis: EmbeddedRedis, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    # Registering asks nobody, so a process may start before its Redis.
    own_redis.stop()
    registry.register(QueueCollector(settings_of(own_redis), ["one", "two"], fresh_for_s=0))
    prometheus_client.Gauge("other", "of this process", registry=registry).set(7)

    server, thread = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

    assert 'rosq_queue_up{queue="one"} 0.0' in text
    assert 'rosq_queue_up{queue="two"} 0.0' in text
    assert "rosq_queue_jobs{" not in text
    assert "other 7.0" in text
    assert [vars(record)["event"] for record in caplog.records if record.name == "rosq.metrics"] == ["measure_failed"]


def test_a_queue_of_a_newer_rosq_hides_no_other(
    redis_server: RedisServer, queue: Queue, registry: CollectorRegistry
) -> None:
    queue.enqueue({}, job_id="a")
    newer = f"{queue.name}-newer"
    with queue._borrow_wire() as wire:
        wire.call("HSET", rosq.store.keys.Keys(newer).meta, "schema_version", "999")
    registry.register(QueueCollector(settings_of(redis_server), [newer, queue.name]))

    text = prometheus_client.generate_latest(registry).decode()

    assert f'rosq_queue_up{{queue="{newer}"}} 0.0' in text
    assert f'rosq_queue_up{{queue="{queue.name}"}} 1.0' in text


# -- the page ----------------------------------------------------------------------------------------------------------


def _documented() -> set[tuple[str, str]]:
    rows = re.findall(
        r"^\| (`rosq_.*?) \| (counter|gauge|histogram) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {(name, kind) for names, kind in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_page_lists_every_metric_with_its_type(redis_server: RedisServer) -> None:
    registry = CollectorRegistry()
    MetricsHook(registry)
    described: list[Any] = [*registry.collect(), *QueueCollector(settings_of(redis_server), []).describe()]

    # prometheus_client keeps a counter's name without the ending that it shows.
    shown = {(f"{each.name}_total" if each.type == "counter" else each.name, each.type) for each in described}
    assert shown == _documented()


def test_names_follow_prometheus_rules() -> None:
    for name, kind in _documented():
        assert name.startswith("rosq_")
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|minutes|s)(_total)?$", name), name
