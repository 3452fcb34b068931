"""Garbage in every field of jobs in every state: every view can be had, and says which fields it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rosq.inspect import Inspector
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.damage import looks, table
from tests.integration.rosq.damage.clones import TEMPLATES, Clones, list_damaged_state, list_fields
from tests.integration.rosq.damage.stage import staged

if TYPE_CHECKING:
    from tests.integration.rosq.damage.stage import Stage
    from tests.servers import RedisServer

FIELDS = list_fields()


def test_every_field_of_a_real_job_is_one_of_the_table(redis_server: RedisServer, queue_name: str) -> None:
    with staged(redis_server, queue_name) as stage:
        stage.start_worker("w1")
        stage.enqueue_good("first")
        stage.wait_for_good()

        assert list_damaged_state(stage) <= set(FIELDS)


def damage_jobs(stage: Stage, garbage: str) -> list[str]:
    """Make a job of each state for each field, with garbage in that; returns their ids."""
    clones, made = Clones(stage), []
    for state in ("active", *(state for state in TEMPLATES if state != "active")):
        for field in FIELDS:
            clones.make(state, f"{state}.{field}")
            made.append(f"{state}.{field}")
        if state == "active":
            clones.take()
    for field in FIELDS:
        clones.damage([job_id for job_id in made if job_id.endswith(f".{field}")], field, table.GARBAGE[garbage])
    return made


@pytest.mark.timeout(120)
@pytest.mark.parametrize("garbage", table.GARBAGE)
def test_every_view_can_be_had_with_garbage_in_any_field(
    redis_server: RedisServer, queue_name: str, garbage: str
) -> None:
    with staged(redis_server, queue_name) as stage:
        made = damage_jobs(stage, garbage)

        look_at_each(stage, made)

        if garbage == "beyond any calendar":
            told = stage.queue.find_jobs(
                ["waiting.attempts", "failed.finished_at_ms", "waiting.state", "waiting.worker"]
            )
            assert [(job.state.value, job.unreadable) for job in told.values()] == [
                ("waiting", ("attempts",)),
                ("failed", ("finished_at_ms",)),
                ("unreadable", ()),
                ("waiting", ()),
            ]


def look_at_each(stage: Stage, job_ids: list[str]) -> None:
    looks.look_at_everything(stage, ["next"], is_whole=False)
    stage.queue.find_jobs(job_ids)
    with Inspector(settings_of(stage.server)) as inspector:
        for job_id in job_ids if table.IS_WHOLE else job_ids[::5]:
            inspector.view_job(stage.queue.name, job_id, with_data=True, with_trace=True).to_json()
            inspector.explain(stage.queue.name, job_id).to_json()
