"""What producers, the clock, recovery and operators ask: everything but the read loop."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq import JobState, NewJob
from rosq.promoter import promote_due
from rosq.settlement import Outcome
from tests.integration.rosq.contracts.stage import LONG, SHORT_S, Stage, case, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


# -- enqueue, reopen, move ---------------------------------------------------------------------------------------------


@case("enqueue", 1, again=0)
def _makes_a_job(stage: Stage) -> Iterator[None]:
    yield
    stage.put("1")


@case("enqueue", 1, again=0)
def _makes_a_delayed_job(stage: Stage) -> Iterator[None]:
    yield
    stage.put("1", delay_s=60, data=LONG)


@refused("enqueue", 0)
def _an_id_that_exists(stage: Stage) -> Iterator[None]:
    stage.put("1")
    yield
    stage.put("1", lane="urgent", delay_s=60)


@refused("enqueue", -1)
def _an_id_that_exists_with_other_data(stage: Stage) -> Iterator[None]:
    stage.put("1")
    yield
    stage.put("1", data={"order_id": 2})


@refused("enqueue", -2)
def _an_id_whose_long_data_lie_in_its_entry(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    yield
    stage.put("1", data=LONG)


@case("reopen", 1, again=0)
def _starts_a_finished_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    stage.queue.reopen(NewJob(job_id="1", data={}))


@case("reopen", 1, again=0)
def _starts_a_forgotten_job(stage: Stage) -> Iterator[None]:
    yield
    stage.queue.reopen(NewJob(job_id="1", data=LONG, delay_s=60, fence_floor=2**52))


@refused("reopen", 0)
def _of_a_waiting_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    yield
    stage.queue.reopen(NewJob(job_id="1", data={}))


@refused("reopen", 0)
def _of_a_running_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.take()
    yield
    stage.queue.reopen(NewJob(job_id="1", data={}))


@refused("reopen", 0)
def _of_a_job_whose_holder_is_silent_but_will_be_recovered(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.let_run_out(stage.take(stage.hands(lease_s=SHORT_S)))
    yield
    stage.queue.reopen(NewJob(job_id="1", data={}))


@refused("reopen", 0)
def _of_a_delayed_job(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    yield
    stage.queue.reopen(NewJob(job_id="1", data={}))


@refused("reopen", -1)
def _of_a_job_that_changed_lanes_meanwhile(stage: Stage) -> Iterator[None]:
    stage.queue.reopen(NewJob(job_id="1", data={}))
    assert stage.queue.move("1", from_lane="main", to_lane="@a")
    yield
    stage.resend("reopen")


@case("move", 1, again=0)
def _moves_a_waiting_job(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    yield
    assert stage.queue.move("1", from_lane="main", to_lane="@a")


@case("move", 1, again=0)
def _moves_a_delayed_job(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    yield
    assert stage.queue.move("1", from_lane="main", to_lane="@a")


@refused("move", 0)
def _of_a_job_in_hand(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.take()
    yield
    assert not stage.queue.move("1", from_lane="main", to_lane="@a")


@refused("move", 0)
def _of_a_job_that_is_over(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    assert not stage.queue.move("1", from_lane="main", to_lane="@a")


@refused("move", 0)
def _of_a_job_elsewhere(stage: Stage) -> Iterator[None]:
    stage.put("1", lane="urgent")
    yield
    assert not stage.queue.move("1", from_lane="main", to_lane="@a")


@refused("move", 0)
def _of_no_job(stage: Stage) -> Iterator[None]:
    yield
    assert not stage.queue.move("1", from_lane="main", to_lane="@a")


# -- time: promote, recover, ring_on, forget_jobs, forget_worker -------------------------------------------------------


@case("promote", None)
def _puts_a_due_job_into_its_lane(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001, data=LONG)
    hands = stage.hands()
    stage.wait_due("1")
    yield
    assert promote_due(stage.keys, hands.consumer.wire, 1_000) is None


@case("promote", None)
def _takes_out_one_without_a_job(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    stage.client.zadd(stage.keys.delayed, {"ghost": 1})
    yield
    promote_due(stage.keys, hands.consumer.wire, 1_000)


@refused("promote", None)
def _of_one_that_changed_lanes_meanwhile(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001)
    hands = stage.hands()
    stage.wait_due("1")
    promote_due(stage.keys, hands.consumer.wire, 1_000)
    stage.steering.remove([stage.see()])
    stage.put("1", lane="@a", delay_s=0.001)
    stage.wait_due("1")
    yield
    stage.resend("promote")


@refused("promote", None)
def _of_one_that_isnt_due_any_more(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001)
    hands = stage.hands()
    stage.wait_due("1")
    promote_due(stage.keys, hands.consumer.wire, 1_000)
    stage.steering.remove([stage.see()])
    stage.put("1", delay_s=60)
    yield
    stage.resend("promote")


@case("recover", 1, again=-1)
def _puts_an_abandoned_job_back(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    hands = stage.hands(lease_s=SHORT_S)
    stage.let_run_out(stage.take(hands))
    yield
    stage.sweep(hands)


@case("recover", 2, again=-1)
def _fails_a_job_that_crashed_too_often(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    hands = stage.hands(lease_s=SHORT_S)
    stage.let_run_out(stage.take(hands))
    yield
    stage.sweep(hands, max_crashes=1)


@refused("recover", 0)
def _of_a_job_whose_lease_stands(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands(lease_s=30)
    stage.take(hands)
    stage.wait_idle()
    yield
    stage.sweep(hands)


@case("recover", -1, again=-1)
def _drops_an_entry_without_a_job(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    hands.fetch()
    stage.client.xadd(stage.keys.lane("main"), {"job_id": "ghost"})
    stage.client.sadd(stage.keys.lanes, "main")
    stage.client.xreadgroup("workers", "w1", {stage.keys.lane("main"): ">"})
    stage.wait_idle()
    yield
    stage.sweep(hands)


@case("ring_on", 1, again=1)
def _rings_for_what_waits(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.put("2", delay_s=60)
    stage.client.delete(stage.keys.lane_bell("main"), stage.keys.timer_bell)
    hands = stage.hands()
    yield
    stage.sweep(hands)


@refused("ring_on", 1)
def _is_silent_where_nothing_waits(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.take(hands)
    yield
    stage.sweep(hands)


@case("forget_jobs", 1, again=0)
def _forgets_a_job_whose_time_is_over(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    stage.sweep(hands, keep_completed_s=0)


@refused("forget_jobs", 0)
def _leaves_one_that_was_started_again(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.FAIL)
    stage.sweep(hands, keep_failed_s=0)
    stage.put("1")
    yield
    stage.resend("forget_jobs")


@case("forget_worker", 1, again=1)
def _forgets_a_dead_worker(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    hands.fetch()
    stage.client.delete(stage.keys.worker("w1"))
    yield
    stage.forget_worker(hands, "w1")


@refused("forget_worker", 0)
def _leaves_one_that_lives(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    hands.fetch()
    yield
    stage.forget_worker(hands, "w1")


@refused("forget_worker", 0)
def _leaves_one_that_has_a_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.take(hands)
    stage.client.delete(stage.keys.worker("w1"))
    yield
    stage.forget_worker(hands, "w1")


# -- steering ----------------------------------------------------------------------------------------------------------


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


@case("restart", 1, again=0)
def _starts_a_failed_job(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = stage.see()
    yield
    stage.steering.restart([seen])


@refused("restart", 0)
def _of_a_job_that_lives(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.restart([seen])


@refused("restart", 0)
def _of_a_job_whose_holder_is_silent(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.let_run_out(stage.take(stage.hands(lease_s=SHORT_S)))
    seen = stage.see()
    yield
    stage.steering.restart([seen])


@refused("restart", 0)
def _of_a_completed_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    seen = stage.see()
    yield
    stage.steering.restart([seen])


@refused("restart", 0)
def _of_a_job_that_failed_again_since(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = dataclasses.replace(stage.see(), finished_at_ms="1")
    yield
    stage.steering.restart([seen])


@refused("restart", -1)
def _of_a_job_that_is_in_another_lane(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = dataclasses.replace(stage.see(), lane="urgent")
    yield
    stage.steering.restart([seen])


@refused("restart", -2)
def _of_a_job_that_is_gone(stage: Stage) -> Iterator[None]:
    _fail(stage)
    seen = stage.see()
    stage.steering.remove([seen])
    yield
    stage.steering.restart([seen])


@refused("restart", -3)
def _of_a_job_whose_data_are_lost(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    stage.client.xtrim(stage.keys.lane("main"), 0)
    seen = stage.see()
    yield
    stage.steering.restart([seen])


@case("advance", 1, again=0)
def _wakes_a_delayed_job(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60, data=LONG)
    seen = stage.see()
    yield
    stage.steering.advance([seen])


@refused("advance", 0)
def _of_a_job_that_isnt_delayed(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.advance([seen])


@refused("advance", -1)
def _of_a_delayed_job_that_changed_lanes(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    seen = stage.see()
    assert stage.queue.move("1", from_lane="main", to_lane="@a")
    yield
    stage.steering.advance([seen])


@refused("advance", -2)
def _of_no_job_at_all(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    seen = stage.see()
    stage.steering.remove([seen])
    yield
    stage.steering.advance([seen])


@case("remove", 1, again=-2)
def _removes_a_waiting_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = stage.see()
    yield
    stage.steering.remove([seen])


@case("remove", 1, again=-2)
def _removes_a_failed_job(stage: Stage) -> Iterator[None]:
    _fail(stage)
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
    stage.steering.remove([seen])
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
def _leaves_what_was_taken_since(stage: Stage) -> Iterator[None]:
    stage.put("1", "2")
    stage.steering.drain()
    stage.put("1", "2")
    stage.take()
    yield
    stage.resend("drain")


@case("forget_by_hand", 1, again=0)
def _forgets_a_failed_job(stage: Stage) -> Iterator[None]:
    _fail(stage)
    yield
    assert stage.steering.forget(JobState.FAILED, 1) == 1


@refused("forget_by_hand", 0)
def _leaves_a_job_that_was_started_again(stage: Stage) -> Iterator[None]:
    _fail(stage)
    stage.steering.forget(JobState.FAILED, 1)
    stage.put("1")
    yield
    stage.resend("forget_by_hand")


def _fail(stage: Stage) -> None:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.FAIL)
