"""What maintenance asks: recover, ring_on, forget_jobs, forget_worker, forget_consumer, forget_lane, take_turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.execution.settlement import Outcome
from tests.integration.rosq.contracts.stage import LONG, SHORT_S, case, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.rosq.contracts.stage import Stage


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


@case("forget_worker", 1, again=0)
def _forgets_a_dead_workers_name(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    stage.client.delete(stage.keys.worker("w1"))
    yield
    stage.sweep(hands, forget_worker_s=0)


@refused("forget_worker", 0)
def _leaves_the_name_of_one_that_lives(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    yield
    stage.sweep(hands, forget_worker_s=0)


@case("forget_consumer", 1, again=1, is_writing_again=False)
def _forgets_a_dead_workers_consumer(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    stage.client.delete(stage.keys.worker("w1"))
    yield
    stage.sweep(hands, forget_worker_s=0)


@refused("forget_consumer", 0)
def _leaves_the_consumer_of_one_that_lives(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    stage.sweep(hands, forget_worker_s=0)


@refused("forget_consumer", 0)
def _leaves_the_consumer_that_has_a_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.take(hands)
    stage.client.delete(stage.keys.worker("w1"))
    yield
    stage.run("forget_consumer", [stage.keys.worker("w1"), stage.keys.lane("main")], ["w1"])


@case("forget_lane", 1, again=1)
def _forgets_a_lane_that_nobody_uses(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    stage.sweep(hands, keep_empty_lanes_s=0)


@refused("forget_lane", 0)
def _leaves_a_lane_with_a_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    yield
    stage.run("forget_lane", [stage.keys.lanes, stage.keys.lane("main"), stage.keys.lane_bell("main")], ["main", 0])


@case("take_turn", 1, again=0)
def _takes_a_free_turn(stage: Stage) -> Iterator[None]:
    yield
    stage.take_turn("me")


@case("take_turn", 0, again=0)
def _takes_nobodys_turn_before_the_server_has_answered_for_long(stage: Stage) -> Iterator[None]:
    yield
    stage.take_turn("me", steady_ms=60_000)


@refused("take_turn", 1)
def _keeps_ones_own_turn(stage: Stage) -> Iterator[None]:
    stage.take_turn("me")
    yield
    stage.take_turn("me", is_mine=1)


@refused("take_turn", 0)
def _leaves_anothers_turn(stage: Stage) -> Iterator[None]:
    stage.take_turn("another")
    yield
    stage.take_turn("me", is_mine=1)
