"""A server whose clock was set back by an hour while a worker had a job: the views say so, none an age below 0."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import NewJob, Queue
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from tests.integration.rosq.commands.every_command import LOOKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

BACK_MS = 3_600_000
TOLD = re.compile(r"clock was set back: what it wrote last is (1 h|59 min \d+ s) in the future")
#: Fields of JSON that say how long ago something was, or how long it took: never below 0.
AGES = {"age_s", "running_s", "oldest_waiting_s", "duration_s", "idle_s"}


def set_clock_back(queue: Queue, client: Any) -> None:
    """Let the server have been an hour ahead: as its clock can't be set, everything that it writes is from then."""
    ahead = f"{int(time.time() * 1000) + BACK_MS}-0"
    for stream in (queue.keys.events, queue.keys.lane("main")):
        client.xadd(stream, {"event": "paused"}, id=ahead)
    client.xdel(queue.keys.lane("main"), ahead)


def put_ahead(queue: Queue, client: Any, job_id: str) -> None:
    """Move the times of a job's hash into the hour before the clock was set back."""
    fields = client.hgetall(queue.keys.job(job_id))
    for name, value in fields.items():
        if name.endswith("_ms"):
            client.hset(queue.keys.job(job_id), name, int(value) + BACK_MS)
    if "fence" in fields:
        client.hset(queue.keys.job(job_id), "fence", int(fields["fence"]) + BACK_MS * 1000)


@pytest.fixture
def held(queue: Queue, client: Any, make_hands: Callable[..., Hands]) -> Hands:
    """A queue with a job of each state, all from before the clock was set back; `w1` holds one of them."""
    queue.enqueue({}, job_id="0")
    set_clock_back(queue, client)
    hands = make_hands("w1")
    for job_id, outcome in (("failed", Outcome.FAIL), ("done", Outcome.COMPLETE), ("retried", Outcome.RETRY)):
        queue.enqueue({}, job_id=job_id)
        delivery = hands.fetch().delivery
        while delivery is not None and delivery.job_id != job_id:
            hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), (), is_fetching=False)
            delivery = hands.fetch().delivery
        assert delivery is not None
        settlement = Settlement(delivery=delivery, outcome=outcome, error="no", delay_s=60.0)
        hands.consumer.exchange(settlement, (), is_fetching=False)
    queue.enqueue({}, job_id="held")
    assert hands.fetch().delivery is not None
    queue.enqueue_many([NewJob(job_id="waits", data={}), NewJob(job_id="later", data={}, delay_s=3_600)])
    for job_id in ("failed", "done", "retried", "held", "later"):
        put_ahead(queue, client, job_id)
    for key in (queue.keys.failed, queue.keys.completed, queue.keys.delayed):
        for member, score in client.zrange(key, 0, -1, withscores=True):
            client.zadd(key, {member: score + BACK_MS})
    return hands


@pytest.fixture
def run(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(line: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "400"}
        return CliRunner().invoke(main, line.split(), env=env)

    return run


def find_ages(told: Any, path: str = "") -> dict[str, float]:
    """All numbers of a view that are an age or a length."""
    if isinstance(told, list):
        return {key: age for n, each in enumerate(told) for key, age in find_ages(each, f"{path}[{n}]").items()}
    if not isinstance(told, dict):
        return {}
    found = {f"{path}.{key}": value for key, value in told.items() if key in AGES and value is not None}
    for key, value in told.items():
        found |= find_ages(value, f"{path}.{key}")
    return found


OF_A_JOB = ("inspect job", "inspect explain")
OF_ALL = [path for path in LOOKS if path not in (*OF_A_JOB, "inspect schema")]
JOBS = ("held", "waits", "later", "failed", "done", "retried")


@pytest.mark.parametrize("line", [*OF_ALL, *(f"{path} {job_id}" for path in OF_A_JOB for job_id in JOBS)])
def test_no_view_has_an_age_below_zero(run: Callable[..., Result], held: Hands, line: str) -> None:
    shown = run(line)
    as_json = run(line if line == "inspect snapshot" else f"{line} --json")

    assert {key: age for key, age in find_ages(json.loads(as_json.stdout)).items() if age < 0} == {}
    assert re.findall(r"(?<![\w-])-\d[\d.]* (?:s|min|h|d)\b", shown.stdout) == []


@pytest.mark.parametrize(
    "line",
    [
        "inspect",
        "inspect pending",
        "inspect explain held",
        "inspect explain waits",
        "inspect explain later",
        "inspect job held",
        "doctor",
    ],
)
def test_a_clock_that_was_set_back_is_told(run: Callable[..., Result], held: Hands, line: str) -> None:
    result = run(line)

    assert TOLD.search(result.stdout)


def test_the_overview_is_degraded_and_the_lease_overlong(run: Callable[..., Result], held: Hands) -> None:
    overview = json.loads(run("inspect --json").stdout)
    [pending] = json.loads(run("inspect pending --json").stdout)["pending"]
    explained = json.loads(run("inspect explain held --json").stdout)

    assert (overview["verdict"], [each["subject"] for each in overview["findings"]]) == ("DEGRADED", ["clock"])
    assert 3_590 < overview["clock_set_back_s"] <= 3_600
    [worker] = overview["workers"]
    assert (worker["is_lease_overlong"], worker["running_s"]) == (True, None)
    assert pending["verdict"] == "overlong"
    assert "has it since 20" in explained["verdict"]
    assert any("longer than a lease can" in reason for reason in explained["reasons"])


def test_a_dead_workers_lease_is_overlong_too(
    run: Callable[..., Result], held: Hands, queue: Queue, client: Any
) -> None:
    client.delete(queue.keys.worker("w1"))

    [pending] = json.loads(run("inspect pending --json").stdout)["pending"]

    assert pending["verdict"] == "overlong"


def test_a_heartbeat_sets_the_lease_right(run: Callable[..., Result], held: Hands, queue: Queue, client: Any) -> None:
    client.hset(queue.keys.job("held"), "lease_until_ms", int(time.time() * 1000) + 29_000)

    [pending] = json.loads(run("inspect pending --json").stdout)["pending"]

    assert pending["verdict"] == "healthy"


def test_a_clock_that_goes_right_is_no_finding(
    run: Callable[..., Result], queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()

    assert json.loads(run("inspect --json").stdout)["findings"] == []
    assert json.loads(run("inspect pending --json").stdout)["pending"][0]["verdict"] == "healthy"
