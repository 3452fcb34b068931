"""Times that no calendar has, in the scores of sorted sets; and what goes on looking whatever a look comes to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import NewJob
from rosq.inspect import Inspector
from rosq.job import Event
from rosq.metrics import QueueCollector
from rosq.top.glance import Page, Wanted
from rosq.top.poller import Poller
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.damage import looks, table
from tests.integration.rosq.damage.stage import staged

if TYPE_CHECKING:
    from prometheus_client import Metric

    from rosq.inspect.overview import Overview
    from tests.servers import RedisServer


@pytest.mark.parametrize("score", table.SCORES)
@pytest.mark.parametrize("name", ["delayed", "completed", "failed", "cancelled", "workers"])
def test_every_view_can_be_had_with_any_score(
    redis_server: RedisServer, queue_name: str, name: str, score: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        key = getattr(stage.queue.keys, name)
        [job_id, *_] = stage.client.zrange(key, 0, 0)
        stage.client.execute_command("ZADD", key, score, job_id)

        looks.look_at_everything(stage, [job_id] if name != "workers" else ["next"], is_whole=table.IS_WHOLE)


def test_a_list_with_scores_that_are_no_whole_numbers_comes_to_its_end(
    redis_server: RedisServer, queue_name: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        jobs = [NewJob(job_id=f"later-{number}", data={}, delay_s=9_000) for number in range(450)]
        stage.queue.enqueue_many(jobs)
        stage.client.zadd(stage.queue.keys.delayed, {job.job_id: 9e12 + 0.5 for job in jobs})

        listed = looks.check(stage, "inspect", "jobs", "--state", "delayed", "--limit", "1000")

        assert listed.exit_code == 0
        assert all(job.job_id in listed.stdout for job in jobs)


def test_every_view_can_be_had_of_events_and_entries_that_nobody_of_ours_wrote(
    redis_server: RedisServer, queue_name: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        raw: Any = stage.client
        for event in [*Event, "something else"]:
            raw.xadd(stage.queue.keys.events, {"event": event, "job_id": "next"})
        for facts in ({"what": "ever"}, {"job_ids": ""}, {"event": b"\xff", "job_id": b"\xff"}, {"next": "next"}):
            raw.xadd(stage.queue.keys.events, facts)
            raw.xadd(stage.queue.keys.lane("main"), facts)
        raw.sadd(stage.queue.keys.lanes, b"\xff", "", "a b")
        raw.zadd(stage.queue.keys.delayed, {b"\xff": 1, "": 2})
        raw.zadd(stage.queue.keys.failed, {b"\xff": 1, "": 2})
        # Last: from here on all ids of these streams are of no time that a calendar has.
        raw.xadd(stage.queue.keys.events, {"event": "started", "job_id": "next"}, id="9999999999999999-1")
        raw.xadd(stage.queue.keys.lane("main"), {"job_id": "next"}, id="9999999999999999-1")

        looks.look_at_everything(stage, ["next", "waits"])
        stage.start_worker("w1")
        stage.enqueue_good("first")
        stage.wait_for_good()
        looks.look_at_everything(stage, ["next", "good-first-retry"])
        assert looks.check(stage, "repair", "--wait", "0", "--why", "a test").exit_code == 0
        assert looks.check(stage, "doctor").exit_code == 0
        stage.check_workers()


class FailingInspector(Inspector):
    """Meets a defect at its first look."""

    looked_at = 0

    def look(self, queue: str) -> Overview:
        self.looked_at += 1
        if self.looked_at == 1:
            raise ZeroDivisionError("a defect")
        return super().look(queue)


def test_a_look_that_fails_in_a_way_that_nobody_thought_of_freezes_no_screen(
    redis_server: RedisServer, queue_name: str
) -> None:
    with staged(redis_server, queue_name) as stage, FailingInspector(settings_of(redis_server)) as inspector:
        told: list[Any] = []
        is_seen = threading.Event()

        def tell(_: Wanted, found: Any) -> None:
            told.append(found)
            if len(told) == 2:
                is_seen.set()

        poller = Poller(inspector, Wanted(page=Page.LANES, queue=stage.queue.name), tell, every_s=0.05)
        poller.start()

        assert is_seen.wait(10), told
        poller.stop()
        assert "ZeroDivisionError" in str(told[0]) or "a defect" in str(told[0])
        assert told[1].listing.rows


def test_a_queue_that_cant_be_measured_hides_no_other(redis_server: RedisServer, queue_name: str) -> None:
    with staged(redis_server, queue_name) as stage, staged(redis_server, f"{queue_name}.other") as other:
        stage.client.hset(stage.queue.keys.meta, "schema_version", "x")
        collector = QueueCollector(settings_of(redis_server), [stage.queue.name, other.queue.name], fresh_for_s=0)

        families: dict[str, Metric] = {family.name: family for family in collector.collect()}

        up = {sample.labels["queue"]: sample.value for sample in families["rosq_queue_up"].samples}
        assert up == {stage.queue.name: 0, other.queue.name: 1}
        collector.close()
