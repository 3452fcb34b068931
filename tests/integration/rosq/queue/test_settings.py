"""The settings of a queue stand in Redis once: who gives some, who takes them, and who goes by them."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import rosq.queue
from rosq import InvalidData, NewJob, Queue, QueueSettings, RetryPolicy, WorkerSettings
from rosq.cli import main
from rosq.inspect.inspector import Inspector
from rosq.job import Fate
from rosq.steering import Steering
from rosq.store.standing import read_settings, spell_settings
from tests.integration.rosq.breaking import make_repair
from tests.integration.rosq.conftest import events_of, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq.connection.wire import Wire
    from tests.integration.rosq.conftest import Hands, Running
    from tests.servers import EmbeddedRedis, RedisServer

OWN = QueueSettings(keep_failed=3, keep_deliveries=100, max_data_bytes=1_000, max_events=500)


def standing_in(client: Any, queue: Queue) -> QueueSettings | None:
    return read_settings(client.hget(queue.keys.meta, "settings"))


# -- who decides -------------------------------------------------------------------------------------------------------


def test_what_is_given_stands_in_redis_and_who_gives_nothing_takes_it(
    redis_server: RedisServer, queue: Queue, client: redis.Redis
) -> None:
    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()

    queue.ping()

    assert standing_in(client, queue) == OWN == queue.settings
    assert events_of(client, queue) == ["settings_changed"]


def test_who_gives_nothing_writes_nothing(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue({}, job_id="1")

    assert standing_in(client, queue) is None
    assert queue.settings == QueueSettings()


def test_the_last_one_that_gives_settings_decides_and_the_others_are_told(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="rosq")
    later_settings = dataclasses.replace(OWN, keep_failed=7)
    with (
        Queue(settings_of(redis_server), queue.name, OWN) as first,
        Queue(settings_of(redis_server), queue.name, later_settings) as later,
    ):
        first.ping()
        later.ping()
        assert standing_in(client, queue) == later_settings

        first.ping()

        assert first.settings == later_settings == standing_in(client, queue)
    assert events_of(client, queue) == ["settings_changed"] * 2
    told = [record for record in caplog.records if getattr(record, "event", "") == "settings_changed"]
    assert [json.loads(record.changed) for record in told] == [{"keep_failed": 7}]  # type: ignore[attr-defined]


def test_the_same_settings_again_are_no_change(redis_server: RedisServer, queue: Queue, client: redis.Redis) -> None:
    for _ in range(3):
        with Queue(settings_of(redis_server), queue.name, OWN) as giver:
            giver.ping()

    assert events_of(client, queue) == ["settings_changed"]


def test_what_was_given_comes_back_after_the_loss_of_all_data_and_overwrites_nobody(
    redis_server: RedisServer, queue: Queue, client: redis.Redis
) -> None:
    later_settings = dataclasses.replace(OWN, keep_failed=7)
    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()
        client.delete(queue.keys.meta)
        giver.ping()
        assert standing_in(client, queue) == OWN

        client.hset(queue.keys.meta, "settings", spell_settings(later_settings))
        giver.ping()
        assert giver.settings == later_settings


# -- who goes by them --------------------------------------------------------------------------------------------------


def test_a_producer_at_work_goes_by_what_stands_within_seconds(
    redis_server: RedisServer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosq.queue, "_LOOK_S", 0.0)
    queue.enqueue({"pad": "x" * 2_000}, job_id="1")
    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()

    queue.enqueue({}, job_id="2")

    with pytest.raises(InvalidData, match="1000 are allowed"):
        queue.enqueue({"pad": "x" * 2_000}, job_id="3")


def test_the_first_job_of_a_producer_that_gives_nothing_is_judged_by_what_stands(
    redis_server: RedisServer, queue: Queue
) -> None:
    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()

    with pytest.raises(InvalidData, match="1000 are allowed"):
        queue.enqueue_many([NewJob(job_id="1", data={"pad": "x" * 2_000})])


def test_a_worker_at_work_goes_by_what_somebody_gives_meanwhile(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    def fail(_: object) -> None:
        raise ValueError("broken")

    running = start_worker(queue, fail, policy=RetryPolicy(max_attempts=1), settings=WorkerSettings(lease_s=0.6))
    queue.enqueue_many([NewJob(job_id=f"first-{number}", data={}) for number in range(10)])
    wait_until(lambda: client.zcard(queue.keys.failed) == 10, "all to fail")

    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()

    # Its maintenance goes by them, and its own scripts do.
    wait_until(lambda: client.zcard(queue.keys.failed) == 3, "the others to be forgotten")
    queue.enqueue_many([NewJob(job_id=f"then-{number}", data={}) for number in range(10)])
    wait_until(lambda: "then-9" in client.zrange(queue.keys.failed, 0, -1), "all to fail")
    assert client.zcard(queue.keys.failed) <= 4
    assert running.worker.queue.settings == OWN


@pytest.mark.parametrize("hand", ["retry", "repair"])
def test_a_hand_keeps_a_history_as_long_as_the_queue_does(
    redis_server: RedisServer, queue: Queue, client: Any, wire: Wire, make_hands: Callable[..., Hands], hand: str
) -> None:
    # Given a queue that keeps 100 deliveries, and a job that had 60 of them and is dead now
    with Queue(settings_of(redis_server), queue.name, OWN) as giver:
        giver.ping()
    queue.enqueue({}, job_id="1")
    delivery = make_hands().fetch().delivery
    assert delivery is not None
    line = '["e",1764167142000000,0,5,1,0,"w1","ValueError","broken"]'
    client.hset(queue.keys.job("1"), mapping={"history": "\n".join([line] * 60), "lease_until_ms": 1})
    client.xtrim(queue.keys.lane("main"), maxlen=0)
    client.xgroup_destroy(queue.keys.lane("main"), "workers")

    # When a person starts it again
    if hand == "retry":
        with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
            assert [each.fate for each in steering.retry(list(steering.see(["1"]).values()))] == [Fate.DONE]
    else:
        queue.ping()
        mender = make_repair(queue, wire)
        assert [mender.mend(found) for page in mender.go_through() for found in page.findings] == [True]

    # Then nothing of it is cut off
    job = queue.find_job("1")
    assert job is not None
    assert len(job.history) >= 60


def test_inspect_shows_them(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    with Queue(settings_of(own_redis), own_queue.name, OWN) as giver:
        giver.ping()
    options = ["--redis-port", str(own_redis.port), "inspect"]

    with Inspector(settings_of(own_redis)) as inspector:
        assert inspector.look(own_queue.name).settings == dataclasses.asdict(OWN)
    drawn = CliRunner().invoke(main, options)
    printed = CliRunner().invoke(main, [*options, "--json"])

    assert "keep_failed 3" in drawn.output
    assert json.loads(printed.output)["settings"] == dataclasses.asdict(OWN)


# -- what can't be read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "null",
        "[1]",
        '{"keep_failed": "3"}',
        '{"keep_failed": -1}',
        '{"keep_failed": 1.5}',
        '{"keep_failed": true}',
        '{"crash_pause_s": NaN}',
        '{"crash_pause_s": 1e400}',
        '{"keep_failed": null}',
        '{"max_events": ' + "9" * 5_000 + "}",
        "[" * 100_000,
    ],
    ids=lambda text: text[:24] or "nothing",
)
def test_settings_that_something_else_wrote_stop_nobody_and_are_told_once(
    queue: Queue,
    client: redis.Redis,
    start_worker: Callable[..., Running],
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    client.hset(queue.keys.meta, "settings", text)
    done: list[str] = []
    start_worker(queue, lambda delivery: done.append(delivery.job_id), settings=WorkerSettings(lease_s=0.3))

    queue.enqueue({}, job_id="1")

    wait_until(lambda: done == ["1"], "the job to be done")
    assert queue.settings == QueueSettings()
    told = [record for record in caplog.records if getattr(record, "event", "") == "settings_unreadable"]
    assert len(told) == 1


def test_a_field_that_a_newer_rosq_has_added_is_left_alone(queue: Queue, client: redis.Redis) -> None:
    client.hset(queue.keys.meta, "settings", '{"keep_failed": 3, "keep_ghosts": 7}')

    queue.ping()

    assert queue.settings == QueueSettings(keep_failed=3)
