"""What the read loop and the heartbeat ask: fetch, the six settles, hold_name, leave, heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosq import NewJob
from rosq.execution.settlement import Outcome
from tests.deliveries import forge
from tests.integration.rosq.contracts.stage import LONG, SHORT_S, Stage, case, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNS_OF_LIFE = ("workers",)
NONE_KEPT: dict[str, Any] = {"keep_completed": 0, "keep_failed": 0, "keep_cancelled": 0}
#: The count lets the first completion of a process trim, too.
NONE_KEPT_LONG: dict[str, Any] = {"keep_completed": 9, "keep_completed_s": 0, "keep_failed_s": 0, "keep_cancelled_s": 0}


# -- fetch -------------------------------------------------------------------------------------------------------------


@case("fetch", 1, again=1, is_writing_again=True)
def _hands_out_a_waiting_job(stage: Stage) -> Iterator[None]:
    stage.put("1", "2")
    hands = stage.hands()
    yield
    assert stage.take(hands).job_id == "1"


@case("fetch", 1, again=1, is_writing_again=True)
def _hands_out_its_own_pending_job_first(stage: Stage) -> Iterator[None]:
    stage.put("1", "2")
    hands = stage.hands()
    stage.take(hands)
    yield
    assert stage.take(hands).job_id == "1"


@refused("fetch", 1)
def _has_nothing(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    hands.fetch()
    yield
    assert hands.fetch().delivery is None


@refused("fetch", 1)
def _gives_nothing_new_while_paused(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    hands.fetch()
    stage.put("1")
    stage.steering.pause()
    yield
    assert hands.fetch().delivery is None


@refused("fetch", 1)
def _gives_nothing_to_who_doesnt_hold_the_name(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands(is_holding=False)
    yield
    assert hands.fetch().fetched == "unheld"


# -- the five settles --------------------------------------------------------------------------------------------------


def _enter_settle(outcome: Outcome) -> None:
    name = outcome.script

    @case(name, 1, again=0)
    def _settles(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        yield
        stage.settle(hands, delivery, outcome)

    @case(name, 1, again=0)
    def _settles_a_job_with_long_data(stage: Stage) -> Iterator[None]:
        stage.put("1", data=LONG)
        hands = stage.hands()
        delivery = stage.take(hands)
        yield
        stage.settle(hands, delivery, outcome)
        found = stage.queue.find_job("1")
        assert found is not None
        assert found.data == LONG

    @case(name, 1, again=0, is_writing_again=True)
    def _settles_and_fetches_the_next(stage: Stage) -> Iterator[None]:
        stage.put("1", "2")
        hands = stage.hands()
        delivery = stage.take(hands)
        yield
        stage.settle(hands, delivery, outcome, is_fetching=True)

    for how, kept in {"by_count": NONE_KEPT, "by_age": NONE_KEPT_LONG}.items():

        def _settles_where_nothing_is_kept(stage: Stage, kept: dict[str, Any] = kept) -> Iterator[None]:
            stage.put("1")
            hands = stage.hands(**kept)
            delivery = stage.take(hands)
            yield
            # Only a call that fetches trims.
            stage.settle(hands, delivery, outcome, is_fetching=True)

        _settles_where_nothing_is_kept.__name__ += f"_{how}"
        case(name, 1, again=0)(_settles_where_nothing_is_kept)

    @refused(name, 0)
    def _this_delivery_settled_it_already(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        stage.settle(hands, delivery, outcome)
        yield
        stage.settle(hands, delivery, outcome)

    @refused(name, -3)
    def _this_delivery_settled_it_in_another_way(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        stage.settle(hands, delivery, Outcome.COMPLETE if outcome is Outcome.FAIL else Outcome.FAIL)
        yield
        stage.settle(hands, delivery, outcome)

    @refused(name, -1)
    def _with_another_fence(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        yield
        stage.settle(hands, forge(delivery, fence=delivery.fence + 1), outcome)

    @refused(name, -1)
    def _with_another_token(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        yield
        stage.settle(hands, forge(delivery, token="forged"), outcome)

    @case(name, 1, again=0)
    def _settles_after_the_lease_ran_out(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands(lease_s=SHORT_S)
        delivery = stage.take(hands)
        stage.let_run_out(delivery)
        yield
        stage.settle(hands, delivery, outcome)

    @refused(name, -1)
    def _after_the_job_was_taken_over(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands("w1", lease_s=SHORT_S)
        delivery = stage.take(hands)
        stage.let_run_out(delivery)
        stage.sweep(hands, crash_pause_s=0)
        stage.take(stage.hands("w2"))
        yield
        stage.settle(hands, delivery, outcome)

    @refused(name, -1)
    def _after_the_job_was_started_again(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        stage.settle(hands, delivery, Outcome.COMPLETE)
        stage.queue.reopen(NewJob(job_id="1", data={"order_id": 1}))
        yield
        stage.settle(hands, delivery, outcome)

    @refused(name, -2)
    def _of_a_job_that_is_gone(stage: Stage) -> Iterator[None]:
        stage.put("1")
        hands = stage.hands()
        delivery = stage.take(hands)
        stage.client.delete(stage.keys.job("1"), stage.keys.lane("main"))
        yield
        stage.settle(hands, delivery, outcome)


for _outcome in Outcome:
    _enter_settle(_outcome)


# -- heartbeat ---------------------------------------------------------------------------------------------------------


@case("heartbeat", 1, again=1, is_writing_again=True)
def _renews_a_lease(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands(lease_s=20)
    delivery = stage.take(hands)
    yield
    stage.beat(hands, delivery)


@refused("heartbeat", 1, ignoring=SIGNS_OF_LIFE)
def _without_a_job_renews_the_name_only(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    stage.take(hands)
    yield
    stage.beat(hands)


@refused("heartbeat", 0, ignoring=SIGNS_OF_LIFE)
def _of_a_job_that_was_settled(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    delivery = stage.take(hands)
    stage.settle(hands, delivery, Outcome.COMPLETE)
    yield
    stage.beat(hands, delivery)


@refused("heartbeat", -1, ignoring=SIGNS_OF_LIFE)
def _with_another_token(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    delivery = stage.take(hands)
    yield
    stage.beat(hands, forge(delivery, token="forged"))


@case("heartbeat", 1, again=1, is_writing_again=True)
def _renews_after_the_lease_ran_out(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands(lease_s=SHORT_S)
    delivery = stage.take(hands)
    stage.let_run_out(delivery)
    yield
    stage.beat(hands, delivery)


@refused("heartbeat", -2, ignoring=SIGNS_OF_LIFE)
def _of_a_job_that_is_gone(stage: Stage) -> Iterator[None]:
    stage.put("1")
    hands = stage.hands()
    delivery = stage.take(hands)
    stage.client.delete(stage.keys.job("1"))
    yield
    stage.beat(hands, delivery)


# -- the name ----------------------------------------------------------------------------------------------------------


@case("hold_name", 1, again=1, is_writing_again=True)
def _takes_a_free_name(stage: Stage) -> Iterator[None]:
    hands = stage.hands(is_holding=False)
    yield
    assert hands.consumer.hold_name() is None


@case("hold_name", 1, again=1, is_writing_again=True)
def _takes_the_name_of_one_that_is_proven_dead(stage: Stage) -> Iterator[None]:
    dead = stage.hands()
    hands = stage.hands(is_holding=False)
    yield
    assert hands.take_name([dead.consumer.instance]) is None


@refused("hold_name", 0)
def _of_a_living_holder(stage: Stage) -> Iterator[None]:
    stage.hands()
    hands = stage.hands(is_holding=False)
    yield
    assert hands.take_name(["of-some-other-process"]) is not None


@case("leave", 1, again=0)
def _gives_the_name_up(stage: Stage) -> Iterator[None]:
    hands = stage.hands()
    yield
    hands.consumer.leave(["main"])


@refused("leave", 0)
def _of_a_name_that_is_anothers(stage: Stage) -> Iterator[None]:
    old = stage.hands()
    new = stage.hands(is_holding=False)
    assert new.take_name([old.consumer.instance]) is None
    yield
    old.consumer.leave(["main"])
