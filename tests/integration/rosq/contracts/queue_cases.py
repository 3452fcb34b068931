"""What producers, the clock and recovery ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import NewJob, QueueSettings
from rosq.execution.settlement import Outcome
from rosq.maintenance.promoter import promote_due
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


@case("put_settings", 1, again=0)
def _writes_what_is_given(stage: Stage) -> Iterator[None]:
    yield
    stage.give(QueueSettings(keep_failed=1))


@refused("put_settings", 0)
def _leaves_what_stands_already(stage: Stage) -> Iterator[None]:
    stage.give(QueueSettings(keep_failed=1))
    yield
    stage.give(QueueSettings(keep_failed=1), is_asked=True)


@refused("put_settings", 0)
def _leaves_what_another_gave_where_only_lost_ones_are_to_come_back(stage: Stage) -> Iterator[None]:
    stage.give(QueueSettings(keep_failed=1))
    yield
    stage.give(QueueSettings(keep_failed=2), is_first=1, is_asked=True)


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


# -- the clock: promote_due --------------------------------------------------------------------------------------------


@case("promote_due", None)
def _puts_a_due_job_into_its_lane(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001, data=LONG)
    hands = stage.hands()
    stage.wait_due("1")
    yield
    assert promote_due(stage.keys, hands.consumer.wire, 1_000) is None


@case("promote_due", None)
def _takes_out_one_without_a_job(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    stage.client.zadd(stage.keys.delayed, {"ghost": 1})
    yield
    promote_due(stage.keys, hands.consumer.wire, 1_000)


@refused("promote_due", None)
def _of_one_that_changed_lanes_meanwhile(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001)
    hands = stage.hands()
    stage.wait_due("1")
    promote_due(stage.keys, hands.consumer.wire, 1_000)
    stage.steering.remove([stage.see()], remember_s=0)
    stage.put("1", lane="@a", delay_s=0.001)
    stage.wait_due("1")
    yield
    stage.resend("promote_due")


@refused("promote_due", None)
def _of_one_that_isnt_due_any_more(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=0.001)
    hands = stage.hands()
    stage.wait_due("1")
    promote_due(stage.keys, hands.consumer.wire, 1_000)
    stage.steering.remove([stage.see()], remember_s=0)
    stage.put("1", delay_s=60)
    yield
    stage.resend("promote_due")
