"""Garbage in every field of jobs in every state, with workers: the job itself runs or fails, the others run, the doctor
names it and the repair mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.rosq.damage import looks, table
from tests.integration.rosq.damage.clones import wait_for_rest
from tests.integration.rosq.damage.stage import staged
from tests.integration.rosq.damage.test_fields import damage_jobs, look_at_each
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.integration.rosq.damage.stage import Stage
    from tests.servers import RedisServer


@pytest.mark.timeout(120)
@pytest.mark.parametrize("garbage", table.GARBAGE)
def test_garbage_in_a_field_of_a_job_harms_that_job_only(
    redis_server: RedisServer, queue_name: str, garbage: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        made = damage_jobs(stage, garbage)

        # When people look, then workers run
        look_at_each(stage, made)
        told = " ".join(each["seen"] for each in tell(stage, "doctor", "--json")["findings"])
        assert "(unreadable_field)" in told
        assert "(malformed)" in told
        stage.start_worker("w1")
        stage.start_worker("w2")
        stage.enqueue_good("during")
        stage.wait_for_good()
        wait_for_rest(stage, [each for each in made if each.partition(".")[2] not in ("entry_id", "lane", "state")])
        look_at_each(stage, made)
        stage.check_workers()

        # Then what is left is mended
        mended = looks.check(stage, "repair", "--wait", "0", "--why", "a test")
        assert mended.exit_code == 0, mended.output
        after = tell(stage, "doctor", "--json")
        assert not after["is_inconsistent"], [each["seen"] for each in after["findings"] if each["level"] == "error"]
        stage.enqueue_good("after")
        stage.wait_for_good()
        look_at_each(stage, made)
        looks.steer_everything(stage, made)
        stage.check_workers()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("garbage", table.GARBAGE)
def test_garbage_in_what_all_jobs_share_is_waited_for_and_mended(
    redis_server: RedisServer, queue_name: str, garbage: str
) -> None:
    value = table.GARBAGE[garbage]
    with staged(redis_server, queue_name) as stage:
        # Given a worker at work, counters that are none, and a hold that says nothing
        stage.start_worker("w1")
        stage.enqueue_good("before")
        stage.wait_for_good()
        keys = stage.queue.keys
        for name in stage.client.hkeys(keys.meta):
            stage.client.hset(keys.meta, name, value)
        for name in set(stage.client.hkeys(keys.worker("w1"))) - {"token"}:
            stage.client.hset(keys.worker("w1"), name, value)

        # When jobs come, and people look
        stage.enqueue_good("during")
        stage.start_worker("w2")
        looks.look_at_everything(stage, ["next"], is_whole=table.IS_WHOLE)
        told = " ".join(each["seen"] for each in tell(stage, "doctor", "--json")["findings"])

        # Then the doctor names it, the repair mends it, and all jobs run
        assert "(unreadable_meta)" in told and keys.meta in told
        assert looks.check(stage, "repair", "--wait", "0", "--why", "a test").exit_code == 0
        assert not tell(stage, "doctor", "--json")["is_inconsistent"]
        stage.check_workers()
        stage.enqueue_good("after")
        stage.wait_for_good()
        wait_until(lambda: stage.client.hget(keys.worker("w2"), "token"), "the other worker to hold its name")
        stage.check_workers()


def tell(stage: Stage, *arguments: str) -> Any:
    result = looks.check(stage, *arguments)
    assert result.stdout, result.output
    return json.loads(result.stdout)
