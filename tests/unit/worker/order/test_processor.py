"""What the queue is told for whatever happens, and what an order's job costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2, rosreestr_users_pb2
from rosq import Cancel, Fail, LeaseLost, Release, Snooze
from rosq.execution.stop import StopClock
from rosq.job import CancelRequest
from tests.unit.worker.doubles import NUMBER, PERSON, delivery, failure, refusal, row
from worker.order import ends
from worker.order.points import Point
from worker.portal.errors import (
    AccountUnusable,
    Lack,
    LoginRefused,
    Need,
    Outage,
    PersonNeeded,
    PortalUnavailable,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


@pytest.mark.parametrize(
    "state",
    [orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED, orders_pb2.ORDER_STATE_CANCELLED],
)
def test_the_job_of_a_final_order_is_completed_without_asking_the_portal(
    bench: Bench, state: orders_pb2.OrderState.ValueType
) -> None:
    bench.service.order.state = state

    assert bench.run() is None
    assert bench.log == ["OpenAccount", "ClaimOrder"]


def test_a_bound_order_goes_to_its_accounts_lane(bench: Bench) -> None:
    bench.service.script["ClaimOrder"] = [refusal("BOUND_TO_OTHER_ACCOUNT", account="a2")]

    signal = bench.run()

    assert isinstance(signal, Release)
    assert signal.lane == "@a2"


def test_an_order_that_another_delivery_has_is_left_to_it_for_a_lease(bench: Bench) -> None:
    bench.service.script["ClaimOrder"] = [refusal("STALE_FENCE")]

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert signal.delay_s == bench.settings.lease_s
    assert "ReleaseOrder" not in bench.log


def test_a_worker_whose_account_was_opened_by_another_ends(bench: Bench) -> None:
    bench.service.script["ClaimOrder"] = [refusal("STALE_EPOCH")]

    signal = bench.run()

    assert isinstance(signal, Release)
    assert len(bench.ended) == 1


@pytest.mark.parametrize("reason", ["ACCOUNT_INACTIVE", "ACCOUNT_ON_STANDBY", "NO_DECLARANT_CATEGORY"])
def test_an_account_that_may_not_take_new_orders_gives_them_back_and_reads_only_its_own(
    bench: Bench, reason: str
) -> None:
    bench.service.script["ClaimOrder"] = [refusal(reason)]
    bench.service.account.can_take_new = False

    signal = bench.run(delivery(lane="urgent"))

    assert isinstance(signal, Release)
    assert signal.lane is None
    assert bench.account.lanes() == ("@a1",)


def test_an_unbound_order_in_the_own_lane_is_given_back_to_the_main_one(bench: Bench) -> None:
    bench.service.script["ClaimOrder"] = [refusal("ACCOUNT_INACTIVE")]

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Release)
    assert signal.lane == "main"


def test_an_order_whose_object_is_busy_rests_before_anything_is_asked_of_the_portal(bench: Bench) -> None:
    bench.service.script["ClaimOrder"] = [refusal("OBJECT_BUSY")]

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert signal.delay_s == bench.settings.check_interval_s
    assert bench.log == ["OpenAccount", "ClaimOrder"], "no upload, and nothing to put down"


@pytest.mark.parametrize("state", [orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED])
def test_an_order_that_is_over_is_looked_for_where_a_send_of_it_may_turn_up(
    bench: Bench, state: orders_pb2.OrderState.ValueType
) -> None:
    bench.service.order.state = state
    bench.service.order.submission.person_oid = PERSON
    bench.service.order.is_look_due = True

    bench.run()

    assert "RecordFact:reading" in bench.log


@pytest.mark.parametrize("reason", ["ORDER_ON_HOLD", "ORDER_UNKNOWN"])
def test_the_job_fails_where_nobody_may_go_on(bench: Bench, reason: str) -> None:
    bench.service.script["ClaimOrder"] = [refusal(reason)]

    assert isinstance(bench.run(), Fail)


@pytest.mark.parametrize("order_id", [None, "7", 0, True, 1.5])
def test_a_job_that_points_to_nothing_fails_at_once(bench: Bench, order_id: object) -> None:
    assert isinstance(bench.run(delivery(order_id=order_id)), Fail)
    assert "ClaimOrder" not in bench.log


@pytest.mark.parametrize("state", [orders_pb2.ORDER_STATE_UNSPECIFIED, 99])
def test_a_state_that_only_a_newer_service_knows_lets_the_order_rest_and_spends_no_attempt(
    bench: Bench, state: int
) -> None:
    bench.service.order.state = state  # type: ignore[assignment]

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Snooze)
    assert signal.delay_s > 0
    assert not [step for step in bench.log if step.startswith("portal")], "nothing is guessed about"
    assert "FailOrder" not in bench.log


@pytest.mark.parametrize(
    "error",
    [
        PortalUnavailable("down", outage=Outage.MAINTENANCE, retry_after_s=0.2),
        RateLimited("slow", retry_after_s=0.2),
        UnreadableAnswer("html", retry_after_s=0.2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_portals_own_trouble_puts_the_order_back_and_spends_no_attempt(bench: Bench, error: Exception) -> None:
    bench.portal.raising["search"] = [error]

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Snooze)
    assert bench.service.requests["ReleaseOrder"][0].delay.ToTimedelta().total_seconds() == pytest.approx(0.2)
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert "FailOrder" not in bench.log


@pytest.mark.parametrize(
    ("error", "kind", "has_retry"),
    [
        (LoginRefused(), "login_refused", False),
        (PersonNeeded("captcha", need=Need.CAPTCHA), "person_needed", False),
        (AccountUnusable("no key", lack=Lack.ACCESS_KEY), "unusable", True),
        (AccountUnusable("forbidden", lack=Lack.PERMISSION), "forbidden", True),
    ],
    ids=["login refused", "captcha", "no key", "forbidden"],
)
def test_trouble_of_the_account_marks_it_and_gives_the_order_to_others(
    bench: Bench, error: Exception, kind: str, has_retry: bool
) -> None:
    bench.portal.raising["search"] = [error]

    signal = bench.run()

    [mark] = bench.service.requests["MarkAccount"]
    assert rosreestr_users_pb2.StandbyKind.Name(mark.kind) == f"STANDBY_KIND_{kind.upper()}"
    assert mark.HasField("retry_in") is has_retry
    assert isinstance(signal, Release)
    assert bench.service.requests["ReleaseOrder"][0].delay.ToTimedelta().total_seconds() == 0


def test_a_bound_order_rests_while_its_account_may_not_log_in(bench: Bench) -> None:
    bench.service.order.state = orders_pb2.ORDER_STATE_REGISTERED
    bench.service.bind()
    bench.service.was_sent = True
    bench.service.account.can_take_new = False
    bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Snooze)
    assert signal.lane == "@a1"
    assert signal.delay_s > 60
    assert not [step for step in bench.log if step.startswith("portal")]


def test_an_account_that_stands_by_pays_nothing_more_for_an_order_that_it_had_begun(bench: Bench) -> None:
    bench.service.account.can_take_new = False
    bench.service.account.standby_kind = rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED
    bench.service.bind()

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Release)
    assert signal.lane == "main"
    assert not [step for step in bench.log if step.startswith("portal")]


def refused_object() -> RequestRefused:
    return RequestRefused("HTTP 400", step="search", status=400, text="bad number", is_of_object=True)


def test_a_refused_request_is_kept_as_a_fact_and_spends_an_attempt(bench: Bench) -> None:
    bench.portal.raising["search"] = [refused_object()]

    with pytest.raises(RequestRefused):
        bench.run()

    [fact] = bench.service.requests["RecordFact:refusal"]
    assert (fact.refusal.step, fact.refusal.http_status, fact.send_id) == ("search", 400, "")
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED


def test_the_last_attempt_fails_the_order_with_the_reason(bench: Bench) -> None:
    bench.portal.raising["search"] = [refused_object()]

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Fail)
    assert bench.service.order.state == orders_pb2.ORDER_STATE_FAILED
    assert bench.service.requests["FailOrder"][0].reason == ends.of_refusal(refused_object())


def test_a_last_attempt_that_the_service_holds_says_so_to_the_queue(bench: Bench) -> None:
    """The hold may be lifted before the job has failed: the reconciler must not take it for the order's failure."""
    bench.service.order.state = orders_pb2.ORDER_STATE_REGISTERED
    bench.service.order.order_number = NUMBER
    bench.service.bind()
    bench.portal.rows = [row(status=("processed", "Выполнено"))]
    bench.portal.paper = b"PK\x03\x04 cut"

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Fail)
    assert bench.service.order.hold_reason
    assert signal.reason.startswith("on hold")
    assert "broken" in signal.reason


def test_a_defect_of_the_service_is_not_the_orders_fault(bench: Bench) -> None:
    bench.service.script["RecordIntent"] = [failure("INTERNAL")]

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Snooze)
    assert "FailOrder" not in bench.log


def test_a_stop_whose_grace_is_over_puts_the_order_down_first(bench: Bench) -> None:
    stop = StopClock(0.0, 5.0)
    bench.at_point[Point.AFTER_CLAIM] = stop.request

    signal = bench.run(delivery(stop=stop))

    assert isinstance(signal, Release)
    assert signal.lane == "main"
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert not [step for step in bench.log if step.startswith("portal")]
    assert bench.service.reasons() == ["the worker stops"]


def test_a_cancelled_job_puts_its_order_down_first_and_says_that_it_was_cancelled(bench: Bench) -> None:
    hand_out = delivery()

    def cancel() -> None:
        hand_out.hold.cancel_request = CancelRequest(by="ann", reason="ordered twice")

    bench.at_point[Point.AFTER_CLAIM] = cancel

    signal = bench.run(hand_out)

    assert isinstance(signal, Cancel)
    assert signal.reason == "ordered twice"
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert not [step for step in bench.log if step.startswith("portal")]
    assert bench.service.reasons() == ["the job was cancelled: ordered twice"]


def test_a_stop_within_its_grace_lets_the_order_come_to_its_number(bench: Bench) -> None:
    stop = StopClock(60.0, 5.0)
    bench.at_point[Point.AFTER_CLAIM] = stop.request

    signal = bench.run(delivery(stop=stop))

    assert isinstance(signal, Snooze)
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED


def test_a_lost_lease_changes_nothing_more(bench: Bench) -> None:
    hand_out = delivery()
    bench.at_point[Point.AFTER_CLAIM] = lambda: hand_out.lease.lose("taken over")

    with pytest.raises(LeaseLost):
        bench.run(hand_out)

    assert bench.log == ["OpenAccount", "ClaimOrder", "after_claim"]


def test_an_account_that_is_well_again_is_marked_so(bench: Bench) -> None:
    bench.service.account.standby_kind = (
        rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED
    )  # until a time that is over: it may take orders

    bench.run()

    assert [mark.kind for mark in bench.service.requests["MarkAccount"]] == [
        rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED
    ]
