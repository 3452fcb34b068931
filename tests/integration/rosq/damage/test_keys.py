"""A key of another type, each in turn: no worker and no view ends by it, the other jobs run, the doctor names it, and
the repair puts it aside and makes anew what can be made."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from rosq.store.keys import QUEUES
from tests.integration.rosq.damage import looks, table
from tests.integration.rosq.damage.stage import Lines, staged
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.rosq.damage.stage import Stage
    from tests.servers import EmbeddedRedis, RedisServer

#: The type of each key, and which ones of a busy queue are replaced.
REAL: dict[str, tuple[str, list[str]]] = {
    "lane:ANY": ("stream", ["lane:main", "lane:quiet", "lane:urgent"]),
    "job:ANY": (
        "hash",
        [f"job:{job_id}" for job_id in ("next", "next-long", "waits", "waits-long", "later", "soon", "retried")]
        + [f"job:{job_id}" for job_id in ("active", "completed", "failed", "cancelled", "called-off", "forgotten")],
    ),
    "delayed": ("zset", ["delayed"]),
    "completed": ("zset", ["completed"]),
    "failed": ("zset", ["failed"]),
    "cancelled": ("zset", ["cancelled"]),
    "bell:lane:ANY": ("list", ["bell:lane:main", "bell:lane:quiet"]),
    "bell:timer": ("list", ["bell:timer"]),
    "bell:name:ANY": ("list", ["bell:name:gone"]),
    "events": ("stream", ["events"]),
    "worker:ANY": ("hash", ["worker:w1", "worker:dead"]),
    "workers": ("zset", ["workers"]),
    "lanes": ("set", ["lanes"]),
    "meta": ("hash", ["meta"]),
    "turn:ANY": ("string", ["turn:recovery", "turn:retention"]),
    "steady:ANY": ("string", ["steady:300"]),
}
#: Without these no job can run: workers wait until they are mended.
NEEDED = {"lane:main", "lane:urgent", "delayed", "completed", "failed", "cancelled", "events", "worker:w1", "workers"}
NEEDED |= {"lanes", "meta"}


@dataclasses.dataclass(frozen=True)
class Case:
    key: str
    kind: str
    #: Whether it belongs to the part of the table that every test run goes through.
    is_short: bool

    @property
    def name(self) -> str:
        return f"{self.key}-is-a-{self.kind}"

    @property
    def is_of_a_job(self) -> bool:
        return self.key.startswith("job:")


def list_cases() -> Iterator[Case]:
    number = 0
    for own, keys in REAL.values():
        others = [kind for kind in table.WRITE if kind != own]
        for key in keys:
            # Each key by one type or two, each type for some keys.
            short = {others[number % len(others)]}
            number += 1
            yield from (Case(key, kind, kind in short) for kind in others)


CASES = list(list_cases())


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("rosq")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", [c for c in CASES if c.is_short or table.IS_WHOLE], ids=lambda case: case.name)
def test_a_key_of_another_type_ends_nothing_and_is_put_right(
    redis_server: RedisServer, queue_name: str, lines: Lines, case: Case
) -> None:
    with staged(redis_server, queue_name) as stage:
        # Given a worker at work, and then a key that something else wrote; a job's before anybody comes to it
        key = stage.prefix + case.key
        if case.is_of_a_job:
            table.replace(stage.client, key, case.kind)
        stage.start_worker("w1")
        wait_until(lambda: stage.client.hget(stage.queue.keys.worker("w1"), "token"), "the worker to hold its name")
        if not case.is_of_a_job:
            table.replace(stage.client, key, case.kind)

        # When jobs come, another worker starts, and people look
        stage.enqueue_good("during")
        stage.start_worker("w2")
        if case.key not in NEEDED:
            stage.wait_for_good()
        looks.look_at_everything(stage, [case.key.partition("job:")[2] or "next"], is_whole=table.IS_WHOLE)
        stage.check_workers()

        # Then the doctor names it, while it is there
        if stage.client.type(key) == case.kind:
            findings = tell(stage, "doctor", "--json")["findings"]
            named = [each for each in findings if each["level"] == "error" and name_of(case, key) in each["seen"]]
            assert named or stage.client.type(key) != case.kind, findings

        # And the repair puts it right: the doctor finds nothing more, and all jobs run
        mended = looks.check(stage, "repair", "--wait", "0", "--why", "a test")
        assert mended.exit_code == 0, mended.output
        stage.check_workers()
        after = looks.check(stage, "doctor", "--json")
        assert not json.loads(after.stdout)["is_inconsistent"], after.stdout
        stage.enqueue_good("after")
        stage.wait_for_good()
        stage.check_workers()
        assert looks.check(stage, "inspect").exit_code == 0


def tell(stage: Stage, *arguments: str) -> Any:
    result = looks.check(stage, *arguments)
    assert result.stdout, result.output
    return json.loads(result.stdout)


def name_of(case: Case, key: str) -> str:
    return case.key.removeprefix("job:") if case.is_of_a_job else key


@pytest.mark.parametrize("key", ["lane:main", "meta", "delayed", "worker:w1"])
def test_workers_wait_for_a_key_that_all_need_say_which_and_go_on_by_themselves(
    redis_server: RedisServer, queue_name: str, lines: Lines, key: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        stage.start_worker("w1")
        stage.enqueue_good("before")
        stage.wait_for_good()
        spent = time.process_time()
        table.replace(stage.client, stage.prefix + key, "string")
        full = stage.prefix + key

        told = wait_until(lambda: [line for line in lines.tell() if full in line], f"a line about {full}", 10)

        assert f"`rosq --queue {stage.queue.name} repair` mends it" in told[0], told[0]
        before, begun = len(lines.tell()), time.monotonic()
        time.sleep(1.0)
        # Pauses of up to 0.2 s, by a few threads; and not much of a processor.
        assert (len(lines.tell()) - before) / (time.monotonic() - begun) < 60
        assert time.process_time() - spent < 5
        stage.check_workers()
        assert looks.check(stage, "repair", "--wait", "0", "--why", "a test").exit_code == 0
        stage.enqueue_good("after")
        stage.wait_for_good()


@pytest.mark.parametrize("kind", [kind for kind in table.WRITE if kind != "set"])
def test_a_list_of_queues_that_something_else_wrote_stops_nobody(own_redis: EmbeddedRedis, kind: str) -> None:
    with own_redis.client() as client:
        table.replace(client, QUEUES, kind)
    with staged(own_redis, "letters") as stage:
        stage.start_worker("w1")
        stage.enqueue_good("first")
        stage.wait_for_good()
        stage.check_workers()

        queues = looks.check(stage, "inspect", "--json", "queues")
        assert [each["queue"] for each in json.loads(queues.stdout)["queues"]] == ["letters"]
        # For the fixture, which takes the queue off the list.
        stage.client.delete(QUEUES)


def test_names_that_no_queue_can_have_hide_no_queue(own_redis: EmbeddedRedis) -> None:
    with staged(own_redis, "letters") as stage:
        stage.client.sadd(QUEUES, "not a queue's name", "")

        queues = looks.check(stage, "inspect", "--json", "queues")

        assert [each["queue"] for each in json.loads(queues.stdout)["queues"]] == ["letters"]
