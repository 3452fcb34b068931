"""A queue whose key schema is newer than this rosq knows: told as newer, beside the others, and what to do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from rosq import Queue, QueueNewer, ServerUnfit
from rosq.inspect.inspector import Inspector
from rosq.store.keys import SCHEMA_VERSION
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.inspect.test_damaged import overwrite, run
from tests.integration.rosq.inspect.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq.inspect.overview import Overview
    from tests.servers import EmbeddedRedis


@pytest.fixture
def newer(own_redis: EmbeddedRedis) -> Iterator[Queue]:
    """A queue that a newer rosq took over, beside one of this rosq."""
    with Queue(settings_of(own_redis), "zebra") as queue:
        queue.enqueue({}, job_id="sound")
    with Queue(settings_of(own_redis), "letters") as queue, own_redis.client() as client:
        queue.enqueue({}, job_id="newer")
        client.hset(queue.keys.meta, "schema_version", SCHEMA_VERSION + 1)
        yield queue


def test_a_newer_queue_stands_in_the_list_beside_the_others(own_redis: EmbeddedRedis, newer: Queue) -> None:
    result = run(own_redis, None, "inspect queues")

    assert re.search(r"^letters +NEWER: upgrade rosq here +– +–", result.stdout, re.MULTILINE)
    assert re.search(r"^zebra +DEGRADED +1 ", result.stdout, re.MULTILINE)
    assert "Queue letters was written by a newer rosq" in result.stdout
    # What wasn't looked at mustn't pass for healthy.
    assert result.exit_code == 4


def test_a_newer_queue_is_listed_in_json_too(own_redis: EmbeddedRedis, newer: Queue) -> None:
    result = run(own_redis, None, "inspect queues --json")

    told = json.loads(result.stdout)
    check("queues", told)
    assert [(each["queue"], each["waiting"]) for each in told["queues"]] == [("zebra", 1)]
    [unreadable] = told["unreadable"]
    assert (unreadable["queue"], unreadable["verdict"], told["count"]) == ("letters", "NEWER", 2)
    assert "Upgrade rosq here." in unreadable["problems"][0]
    assert result.exit_code == 4


def test_a_newer_and_a_damaged_queue_are_told_apart(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with Queue(settings_of(own_redis), "orders") as damaged, own_redis.client() as client:
        damaged.enqueue({}, job_id="1")
        overwrite(client, damaged.keys.delayed)
        # The types of its keys are the newer rosq's own business.
        overwrite(client, newer.keys.delayed)

        told = json.loads(run(own_redis, None, "inspect queues --json").stdout)

    assert {each["queue"]: each["verdict"] for each in told["unreadable"]} == {"letters": "NEWER", "orders": "DAMAGED"}
    assert [each["queue"] for each in told["queues"]] == ["zebra"]


def test_the_doctor_takes_nothing_of_a_newer_queue_for_damage(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with own_redis.client() as client:
        overwrite(client, newer.keys.delayed)

    result = run(own_redis, "letters", "doctor")

    assert "Queue letters was written by a newer rosq" in result.stderr
    assert "RENAMENX" not in result.output
    assert result.exit_code == 1


def test_a_version_that_is_no_number_is_told_in_one_sentence(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with own_redis.client() as client:
        client.hset(newer.keys.meta, "schema_version", "abc")

    result = run(own_redis, "letters", "inspect")

    assert "Queue letters is damaged: no rosq writes a key schema 'abc'" in result.stderr
    assert "Traceback" not in result.stderr


def test_who_looks_by_code_gets_an_error_of_its_own(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with Inspector(settings_of(own_redis)) as inspector, pytest.raises(QueueNewer) as caught:
        inspector.look("letters")

    assert (caught.value.queue, caught.value.schema_version) == ("letters", SCHEMA_VERSION + 1)


class OfUnfitServer(Inspector):
    """Meets a server that turns out unfit between the list and a queue."""

    def look(self, queue: str) -> Overview:
        raise ServerUnfit(f"no place for {queue}")


def test_a_server_that_is_unfit_otherwise_is_no_verdict_of_a_queue(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with OfUnfitServer(settings_of(own_redis)) as inspector, pytest.raises(ServerUnfit, match="no place"):
        inspector.look_at_all(limit=10)
