"""What operators ask: pause, resume, retry, promote, remove, drain, forget."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq import JobState
from rosq.execution.settlement import Outcome
from tests.integration.rosq.contracts.stage import LONG, SHORT_S, Stage, case, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@case("pause", 1, again=0)
def _pauses(stage: Stage) -> Iterator[None]:
    yield
    assert stage.steering.pause() is None


@refused("pause", 0)
def _of_a_paused_queue(stage: Stage) -> Iterator[None]:
    stage.steering.pause()
    yield
    assert stage.steering.pause() is not None


@case("resume", 1, again=0)
def _resumes(stage: Stage) -> Iterator[None]:
    stage.steering.pause()
    yield
    assert stage.steering.resume()


@refused("resume", 0)
def _of_a_queue_that_isnt_paused(stage: Stage) -> Iterator[None]:
    stage.put("1")
    yield
    assert not stage.steering.resume()


@case("retry", 1, again=0)
def _starts_a_failed_job(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@refused("retry", 0)
def _of_a_job_that_lives(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@refused("retry", 0)
def _of_a_job_whose_holder_is_silent(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.let_run_out(stage.take(stage.hands(lease_s=SHORT_S)))
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@refused("retry", 0)
def _of_a_completed_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@refused("retry", 0)
def _of_a_job_that_failed_again_since(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = dataclasses.replace(stage.see(), finished_at_ms="1")
    yield
    stage.steering.retry([seen])


@refused("retry", -1)
def _of_a_job_that_is_in_another_lane(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = dataclasses.replace(stage.see(), lane="urgent")
    yield
    stage.steering.retry([seen])


@refused("retry", -2)
def _of_a_job_that_is_gone(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = stage.see()
    stage.steering.remove([seen], remember_s=0)
    yield
    stage.steering.retry([seen])


@refused("retry", -3)
def _of_a_job_whose_data_are_lost(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    stage.client.xtrim(stage.keys.lane("main"), 0)
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@case("promote", 1, again=0)
def _wakes_a_delayed_job(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60, data=LONG)
    seen = stage.see()
    yield
    stage.steering.promote([seen])


@refused("retry", 0)
def _of_a_job_of_which_only_the_id_is_remembered(stage: Stage) -> Iterator[None]:
    _fail(stage)
    stage.steering.remove([stage.see()])
    seen = stage.see()
    yield
    stage.steering.retry([seen])


@refused("promote", 0)
def _of_a_job_that_isnt_delayed(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.promote([seen])


@refused("promote", -1)
def _of_a_delayed_job_that_changed_lanes(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    seen = stage.see()
    assert stage.queue.move("1", from_lane="main", to_lane="@a")
    yield
    stage.steering.promote([seen])


@refused("promote", -2)
def _of_no_job_at_all(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    seen = stage.see()
    stage.steering.remove([seen], remember_s=0)
    yield
    stage.steering.promote([seen])


@case("remove", 1, again=0)
def _removes_a_waiting_job_and_remembers_its_id(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.remove([seen])


@case("remove", 1, again=-2)
def _removes_a_failed_job_id_and_all(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = stage.see()
    yield
    stage.steering.remove([seen], remember_s=0)


@case("remove", 1, again=-2)
def _removes_a_remembered_id(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.steering.remove([stage.see()])
    seen = stage.see()
    yield
    stage.steering.remove([seen], remember_s=0)


@refused("remove", 0)
def _of_an_id_that_is_only_remembered(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.steering.remove([stage.see()])
    seen = stage.see()
    yield
    stage.steering.remove([seen])


@refused("remove", 0)
def _of_a_job_that_runs(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.take()
    seen = stage.see()
    yield
    stage.steering.remove([seen])


@refused("remove", 0)
def _of_a_job_that_isnt_as_it_was_seen(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    stage.steering.remove([seen])


@refused("remove", -1)
def _of_a_job_that_changed_lanes(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    assert stage.queue.move("1", from_lane="main", to_lane="@a")
    yield
    stage.steering.remove([seen])


@refused("remove", -2)
def _of_a_job_that_was_removed(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    stage.steering.remove([seen], remember_s=0)
    yield
    stage.steering.remove([seen])


@case("drain", 2, again=0)
def _removes_what_waits(stage: Stage) -> Iterator[None]:
    stage.put("1", "2")
    yield
    assert stage.steering.drain() == 2


@refused("drain", 0)
def _leaves_what_came_later(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.client.hset(stage.keys.job("1"), "created_at_ms", 2**45)
    yield
    assert stage.steering.drain() == 0


@refused("drain", 0)
def _leaves_what_came_later_by_its_entry(stage: Stage) -> Iterator[None]:
    lane = stage.keys.lane("main")
    stage.client.xdel(lane, stage.client.xadd(lane, {"job_id": "nobody"}, id=f"{2**45}-0"))
    stage.put("1")
    yield
    assert stage.steering.drain() == 0


@refused("drain", 0)
def _leaves_what_was_taken_since(stage: Stage) -> Iterator[None]:
    stage.put("1", "2")
    stage.steering.drain(remember_s=0)
    stage.put("1", "2")
    stage.take()
    yield
    stage.resend("drain")


@case("forget", 1, again=0)
def _forgets_a_failed_job(stage: Stage) -> Iterator[None]:
    _fail(stage)
    yield
    assert stage.steering.forget(JobState.FAILED, 1) == 1


@refused("forget", 0)
def _leaves_a_job_that_was_started_again(stage: Stage) -> Iterator[None]:
    _fail(stage)
    stage.steering.forget(JobState.FAILED, 1, remember_s=0)
    stage.put("1")
    yield
    stage.resend("forget")


def _fail(stage: Stage) -> None:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.FAIL)
