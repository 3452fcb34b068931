"""What an operator is told when something is wrong: each message says what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import Queue
from rosq.cli import main
from tests.integration.rosq.conftest import Hands, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import EmbeddedRedis


def run(server: EmbeddedRedis, queue: str | None, line: str) -> Result:
    env = {**server.env(), "ROSQ_QUEUE": queue, "COLUMNS": "140", "ROSQ_OPERATOR": "ann"}
    return CliRunner().invoke(main, line.split(), env=env)


def words_of(result: Result) -> str:
    """What was printed, whatever lines it was folded into."""
    return " ".join(result.stdout.split())


@pytest.mark.parametrize("view", ["", "jobs", "errors", "pending", "throughput", "workers", "delayed"])
def test_a_mistyped_queue_is_told_on_stderr_by_every_view(own_redis: EmbeddedRedis, view: str) -> None:
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")

    wrong = run(own_redis, "order", f"inspect {view} --json")
    right = run(own_redis, "orders", f"inspect {view} --json")

    assert "Nothing was ever put on a queue named order: check the name (there are orders)." in wrong.stderr
    assert json.loads(wrong.stdout)["queue"] == "order"
    assert (right.exit_code, right.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "pause --why x",
        "resume --why x",
        "retry --all --yes --why x",
        "drain --yes --why x",
        "forget --keep 0 --why x",
        "move 1 --to main --why x",
        "drain --lane mian --yes --why x",
        "move --lane mian --to main --why x",
    ],
)
def test_steering_refuses_a_queue_or_lane_that_nobody_ever_used(own_redis: EmbeddedRedis, line: str) -> None:
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")

    result = run(own_redis, "orders" if "mian" in line else "order", line)

    assert result.exit_code == 2
    assert "check the name" in result.stderr
    assert ("(there are main)" if "mian" in line else "(there are orders)") in result.stderr


def test_a_mistyped_lane_is_told_by_views(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="1")

    result = run(own_redis, own_queue.name, "inspect jobs --lane mian")

    assert "never had a lane mian: check the name (there are main)" in result.stderr
    assert result.exit_code == 0


def test_the_doctor_warns_of_a_queue_that_nobody_ever_used(own_redis: EmbeddedRedis) -> None:
    result = run(own_redis, "order", "doctor")

    assert result.stdout.startswith("WARNINGS")
    assert "rosq inspect queues" in result.stdout


def test_a_server_without_queues_says_so(own_redis: EmbeddedRedis) -> None:
    assert "There is no queue on this Redis yet" in run(own_redis, None, "inspect queues").stdout
    nothing = run(own_redis, None, "inspect jobs")
    assert (nothing.exit_code, "Name one with --queue" in nothing.stderr) == (1, True)


def test_a_full_server_degrades_the_verdict_and_says_what_makes_room(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    own_queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.config_set("maxmemory", "100kb")
        result = run(own_redis, own_queue.name, "inspect")
        client.config_set("maxmemory", 0)

    assert "A full server refuses new jobs, and workers wait." in words_of(result)
    assert "`rosq forget`" in words_of(result)
    assert "of maxmemory is used" not in run(own_redis, own_queue.name, "inspect").stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("inspect job 1", "waiting"),
        ("inspect explain 1", "waits"),
        ("inspect jobs", "waiting"),
        ("inspect queues", "1"),
        ("inspect lanes", "main"),
        ("inspect pending", ""),
        ("inspect throughput", ""),
        ("inspect workers", ""),
        ("inspect events", "enqueued"),
        ("doctor", "memory"),
    ],
)
def test_every_view_answers_on_a_full_server(own_redis: EmbeddedRedis, own_queue: Queue, line: str, told: str) -> None:
    own_queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.config_set("maxmemory", "100kb")
        result = run(own_redis, own_queue.name, line)
        found = own_queue.find_job("1")
        client.config_set("maxmemory", 0)

    assert result.exit_code != 3, result.stderr
    assert result.stdout
    assert told in result.stdout
    assert found is not None


def test_an_inconsistency_says_what_to_do(
    own_redis: EmbeddedRedis, own_queue: Queue, make_own_hands: Callable[[], Hands]
) -> None:
    own_queue.enqueue({}, job_id="lost")
    own_queue.enqueue({}, job_id="stuck")
    hands = make_own_hands()
    hands.fetch()
    with own_redis.client() as client:
        client.delete(own_queue.keys.job("lost"))
        assert "`rosq doctor` says more" in words_of(run(own_redis, own_queue.name, "inspect"))
        facts: Any = client
        facts.xgroup_delconsumer(own_queue.keys.lane("main"), "workers", "w1")
        assert "`rosq retry ID --why …` starts it again" in words_of(run(own_redis, own_queue.name, "inspect"))


@pytest.fixture
def make_own_hands(own_queue: Queue) -> Any:
    made: list[Hands] = []

    def make() -> Hands:
        hands = Hands(own_queue, "w1", 30.0, None)
        made.append(hands)
        assert hands.consumer.hold_name() is None
        return hands

    yield make
    for hands in made:
        hands.close()
