"""What cancels a job, what ends one whose cancelling was asked for, and what a handler notes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from rosq import JobState, LeaseLost
from rosq.execution.settlement import Outcome
from tests.deliveries import forge
from tests.integration.rosq.contracts.stage import LONG, SHORT_S, Stage, case, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def _cancel(stage: Stage) -> None:
    stage.queue.cancel("1", by="ann", reason="a test")


# -- cancel ------------------------------------------------------------------------------------------------------------


@case("cancel", 1, again=0)
def _cancels_a_waiting_job(stage: Stage) -> Iterator[None]:
    stage.put("1", data=LONG)
    yield
    _cancel(stage)


@case("cancel", 1, again=0)
def _cancels_a_delayed_job(stage: Stage) -> Iterator[None]:
    stage.put("1", delay_s=60)
    yield
    _cancel(stage)


@case("cancel", 1, again=0)
def _cancels_a_job_whose_lease_ran_out(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.let_run_out(stage.take(stage.hands(lease_s=SHORT_S)))
    yield
    _cancel(stage)


@case("cancel", 2, again=2)
def _asks_the_holder_of_a_running_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.take()
    yield
    _cancel(stage)


@refused("cancel", 2)
def _of_a_job_whose_holder_was_asked_already(stage: Stage) -> Iterator[None]:
    stage.put("1")
    stage.take()
    _cancel(stage)
    yield
    stage.queue.cancel("1", by="bob", reason="another")


@refused("cancel", 0)
def _of_a_completed_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.settle(hands, stage.take(hands), Outcome.COMPLETE)
    yield
    _cancel(stage)


@refused("cancel", 0)
def _of_a_job_in_another_state_than_it_was_seen(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = dataclasses.replace(stage.see(), state=JobState.DELAYED)
    yield
    stage.steering.cancel([seen])


@refused("cancel", -1)
def _of_a_job_that_is_in_another_lane(stage: Stage) -> Iterator[None]:
    stage.put("1")
    seen = dataclasses.replace(stage.see(), lane="urgent")
    yield
    stage.steering.cancel([seen])


@refused("cancel", -2)
def _of_a_job_that_is_unknown(stage: Stage) -> Iterator[None]:
    stage.put("2")
    yield
    _cancel(stage)


# -- what ends a job whose cancelling was asked for ------------------------------------------------------------------


def _enter_put_back(outcome: Outcome) -> None:
    @case(outcome.script, 2, again=2)
    def _ends_as_cancelled_what_was_asked_for(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        _cancel(stage)
        yield
        stage.settle(hands, delivery, outcome)


for _outcome in (Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE):
    _enter_put_back(_outcome)


@case("recover", 3, again=-1)
def _cancels_what_was_asked_for(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands(lease_s=SHORT_S)
    delivery = stage.take(hands)
    _cancel(stage)
    stage.let_run_out(delivery)
    yield
    stage.sweep(hands)


# -- note --------------------------------------------------------------------------------------------------------------


@case("note", 1, again=1, is_writing_again=True)
def _keeps_a_line(stage: Stage) -> Iterator[None]:
    stage.put("1")
    delivery = stage.take()
    yield
    assert delivery.log("a line")


@refused("note", 0)
def _of_a_delivery_that_settled_its_job(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    delivery = stage.take(hands)
    stage.settle(hands, delivery, Outcome.COMPLETE)
    yield
    with pytest.raises(LeaseLost):
        delivery.log("a line")


@refused("note", -1)
def _of_a_forged_delivery(stage: Stage) -> Iterator[None]:
    stage.put("1")
    delivery = forge(stage.take(), token="forged")
    yield
    with pytest.raises(LeaseLost):
        delivery.report_progress(1)


@refused("note", -2)
def _of_a_job_that_is_gone(stage: Stage) -> Iterator[None]:
    stage.put("1")
    delivery = stage.take()
    stage.client.delete(stage.keys.job("1"))
    yield
    with pytest.raises(LeaseLost):
        delivery.report_progress(1)
