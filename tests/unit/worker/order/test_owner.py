"""Trouble has an owner: no order fails for what isn't its own fault, whatever goes wrong, and wherever."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import grpc
import pytest
import tenacity

from orders_service.v1 import orders_pb2, rosreestr_users_pb2
from rosq import Fail, JobSignal, Release, Snooze
from tests.unit.worker.doubles import NUMBER, delivery, failure, refusal, row
from worker.errors import PaperBroken
from worker.order import verdict
from worker.portal.errors import (
    AccountUnusable,
    DocumentNotReady,
    Lack,
    ObjectForbidden,
    Outage,
    PortalSettingsInvalid,
    PortalUnavailable,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)
from worker.service.errors import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.worker.conftest import Bench

#: What a visit asks of the portal, by the state that the order stands at.
REGISTER = ("search", "cards", "balance", "access_key", "profile", "list", "upload", "prepare", "list_filtered")
SETTLE = ("list_filtered",)
COLLECT = ("find", "download")
RPCS_OF_REGISTER = (
    "ReadAccount",
    "RecordIntent",
    "RecordUpload",
    "PassGate",
    "RecordFact:finish_answer",
    "RecordFact:reading",
    "ReleaseOrder",
)
#: Nobody foresaw these.
UNFORESEEN: tuple[Callable[[], Exception], ...] = (
    lambda: ValueError("value out of range: 99999999999"),
    lambda: AssertionError("can't be"),
    lambda: KeyError("status"),
    lambda: RecursionError("too deep"),
    lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    lambda: MemoryError(),
    lambda: OverflowError("date value out of range"),
)


def stand_at(bench: Bench, state: orders_pb2.OrderState.ValueType) -> None:
    """Let the order stand where a former visit brought it."""
    order = bench.service.order
    order.state = state
    bench.service.bind()
    bench.service.was_sent = True
    order.submission.person_oid = bench.portal.person
    order.submission.was_sent = order.submission.is_uploaded = True
    order.submission.portal_cad_num = order.cad_num
    if state == orders_pb2.ORDER_STATE_UNCONFIRMED:
        bench.service.open_send("5d7ef4a0-0000-4000-8000-000000000001", 3600)
    else:
        order.order_number = NUMBER
        bench.portal.rows = [row(status=("processed", "Выполнено"))]


def assert_lives(bench: Bench, signal: JobSignal | None) -> None:
    """The order goes on, or a person decides; it never failed, and its job comes back by itself or by a person."""
    order = bench.service.order
    assert order.state != orders_pb2.ORDER_STATE_FAILED
    assert "FailOrder" not in bench.log
    if isinstance(signal, Fail):
        assert signal.reason.startswith("on hold")
        assert order.hold_reason
    else:
        assert signal is None or isinstance(signal, Release | Snooze)
    if isinstance(signal, Snooze):
        assert 0 < signal.delay_s <= 86_400


@pytest.mark.parametrize("make_error", UNFORESEEN, ids=lambda make: type(make()).__name__)
@pytest.mark.parametrize("step", REGISTER)
def test_what_nobody_thought_of_is_never_the_orders_fault(
    bench: Bench, step: str, make_error: Callable[[], Exception]
) -> None:
    bench.portal.raising[step] = [make_error()]

    signal = bench.run(delivery(is_last=True))

    assert bench.portal.raising[step] == [], "the visit came to that step"
    assert_lives(bench, signal)
    [put_down] = bench.service.requests["ReleaseOrder"]
    assert put_down.trouble.step
    assert put_down.trouble.limit > 0, "it ends with a person"


@pytest.mark.parametrize(
    ("state", "step"),
    [(orders_pb2.ORDER_STATE_UNCONFIRMED, step) for step in SETTLE]
    + [(orders_pb2.ORDER_STATE_REGISTERED, step) for step in COLLECT],
)
def test_neither_is_it_later_on_its_way(bench: Bench, state: orders_pb2.OrderState.ValueType, step: str) -> None:
    stand_at(bench, state)
    bench.portal.raising[step] = [ValueError("odd")]

    signal = bench.run(delivery(lane="@a1", is_last=True))

    assert bench.portal.raising[step] == []
    assert_lives(bench, signal)
    assert bench.service.order.state == state
    assert bench.service.requests["ReleaseOrder"][0].trouble.limit > 0


@pytest.mark.parametrize("code", [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
@pytest.mark.parametrize("rpc", ["ClaimOrder", *RPCS_OF_REGISTER])
def test_no_answer_of_the_service_is_the_orders_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, rpc: str, code: str
) -> None:
    monkeypatch.setattr("worker.service.journal.PATIENCE_S", 0.0)
    monkeypatch.setattr("worker.service.reporter.stop_after_delay", lambda _seconds: tenacity.stop_after_attempt(2))
    monkeypatch.setattr("worker.service.reporter._RETRY_WAIT", tenacity.wait_none())
    bench.service.always[rpc] = failure(code)

    signal = bench.run(delivery(is_last=True))

    assert_lives(bench, signal)


@pytest.mark.parametrize("reason", sorted(REFUSALS))
@pytest.mark.parametrize("rpc", ["ClaimOrder", *RPCS_OF_REGISTER])
def test_no_refusal_of_the_service_is_the_orders_fault(bench: Bench, rpc: str, reason: str) -> None:
    bench.service.script[rpc] = [refusal(reason)]

    signal = bench.run(delivery(is_last=True))

    if isinstance(signal, Fail) and reason in ("ORDER_ON_HOLD", "ORDER_UNKNOWN"):
        return
    assert_lives(bench, signal)


def test_an_unreadable_page_counts_strikes_at_its_step_and_is_held_in_the_end(bench: Bench) -> None:
    bench.service.strikes_until_hold = 3
    odd = UnreadableAnswer("card has no status", retry_after_s=10.0)
    odd.step = "card"
    bench.portal.raising["cards"] = [odd] * 3

    signals = [bench.run() for _ in range(3)]

    assert [request.trouble.step for request in bench.service.requests["ReleaseOrder"]] == ["card"] * 3
    assert [type(signal) for signal in signals] == [Snooze, Snooze, Fail]
    assert bench.service.order.hold_reason
    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED


def test_a_pause_that_the_service_let_grow_is_the_jobs_too(bench: Bench) -> None:
    bench.service.grown_s = 640.0
    bench.portal.raising["cards"] = [UnreadableAnswer("?", retry_after_s=10.0)]

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert signal.delay_s == pytest.approx(640.0)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("the day's limit", retry_after_s=36_000.0),
        PortalUnavailable("firewall", outage=Outage.BLOCKED, retry_after_s=2400.0),
        PortalUnavailable("works", outage=Outage.MAINTENANCE, retry_after_s=600.0),
    ],
    ids=["limited", "blocked", "maintenance"],
)
def test_a_long_pause_is_a_standby_and_others_get_the_order_at_once(bench: Bench, error: Exception) -> None:
    bench.portal.raising["search"] = [error]

    signal = bench.run()

    [mark] = bench.service.requests["MarkAccount"]
    assert mark.kind == rosreestr_users_pb2.STANDBY_KIND_LIMITED
    assert mark.retry_in.ToTimedelta().total_seconds() == getattr(error, "retry_after_s")  # noqa: B009
    assert isinstance(signal, Release)
    assert bench.service.requests["ReleaseOrder"][0].delay.ToTimedelta().total_seconds() == 0


def test_a_paid_order_of_an_account_that_is_limited_rests_as_long(bench: Bench) -> None:
    stand_at(bench, orders_pb2.ORDER_STATE_REGISTERED)
    bench.portal.raising["find"] = [RateLimited("the day's limit", retry_after_s=7200.0)]

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Snooze)
    assert (signal.delay_s, signal.lane) == (7200.0, "@a1")


def test_a_setting_that_is_wrong_is_the_machines_and_others_get_the_order(bench: Bench) -> None:
    bench.account.making = [PortalSettingsInvalid("The CA bundle 'x' can't be used.")]

    signal = bench.run(delivery(is_last=True))

    [mark] = bench.service.requests["MarkAccount"]
    assert mark.kind == rosreestr_users_pb2.STANDBY_KIND_UNUSABLE
    assert "CA bundle" in mark.reason
    assert mark.retry_in.ToTimedelta().total_seconds() == verdict.MACHINE_RETRY_S
    assert isinstance(signal, Release)


def refused_at_upload(*, is_of_object: bool) -> RequestRefused:
    return RequestRefused("HTTP 400", step="upload", status=400, text="?", is_of_object=is_of_object)


def test_a_refusal_that_names_the_person_is_no_fault_of_the_order_and_he_is_read_anew(bench: Bench) -> None:
    bench.portal.raising["upload"] = [refused_at_upload(is_of_object=False)]

    signal = bench.run(delivery(is_last=True))

    assert_lives(bench, signal)
    assert bench.portal.forgotten_profiles == 1


@pytest.mark.parametrize(
    ("step", "make_error", "kind"),
    [
        ("upload", lambda: refused_at_upload(is_of_object=False), rosreestr_users_pb2.STANDBY_KIND_UNUSABLE),
        ("upload", lambda: refused_at_upload(is_of_object=True), rosreestr_users_pb2.STANDBY_KIND_UNUSABLE),
        ("search", lambda: ObjectForbidden("403"), rosreestr_users_pb2.STANDBY_KIND_FORBIDDEN),
        ("cards", lambda: UnreadableAnswer("?"), rosreestr_users_pb2.STANDBY_KIND_UNUSABLE),
        ("cards", lambda: ValueError("?"), rosreestr_users_pb2.STANDBY_KIND_UNUSABLE),
    ],
    ids=["refused", "object refused", "forbidden", "unreadable", "defect"],
)
def test_several_orders_in_a_row_at_one_step_are_the_accounts_trouble(
    bench: Bench,
    step: str,
    make_error: Callable[[], Exception],
    kind: rosreestr_users_pb2.StandbyKind.ValueType,
) -> None:
    processor = bench.processor()
    for order_id in (7, 8, 9):
        assert "MarkAccount" not in bench.log
        bench.service.begin_anew(order_id)
        bench.portal.raising[step] = [make_error()]
        with contextlib.suppress(RequestRefused):  # an attempt of the first ones
            bench.run(delivery(order_id=order_id), processor=processor)

    [mark] = bench.service.requests["MarkAccount"]
    assert mark.kind == kind
    assert "in a row" in mark.reason


def test_one_order_again_and_again_is_no_trouble_of_the_account(bench: Bench) -> None:
    processor = bench.processor()
    for _ in range(5):
        bench.portal.raising["cards"] = [UnreadableAnswer("?")]
        bench.run(processor=processor)

    assert "MarkAccount" not in bench.log


def test_a_step_that_goes_well_in_between_ends_the_row(bench: Bench) -> None:
    processor = bench.processor()
    for order_id in (7, 8, 9, 10, 11):
        bench.service.begin_anew(order_id)
        bench.portal.raising["cards"] = [UnreadableAnswer("?")]
        bench.portal.went_well["register"] = order_id
        bench.run(delivery(order_id=order_id), processor=processor)

    assert "MarkAccount" not in bench.log


def test_a_paid_call_of_which_the_service_knows_nothing_is_held_and_never_sent_again(bench: Bench) -> None:
    """A failover lost the gate's commit: only this process knows that it was passed."""
    bench.service.strikes_until_hold = 1

    def fail_over() -> None:
        bench.service.order.state = orders_pb2.ORDER_STATE_PROCESSING
        bench.service.order.ClearField("open_send")

    bench.portal.on_finish = fail_over
    bench.service.script["RecordFact:finish_answer"] = [refusal("SEND_UNKNOWN")]

    signal = bench.run()

    assert isinstance(signal, Fail)
    [put_down] = bench.service.requests["ReleaseOrder"]
    assert put_down.trouble.limit == 1
    assert "may be paid" in put_down.reason
    assert len(bench.portal.sent) == 1


def test_a_broken_paper_spends_an_attempt(bench: Bench) -> None:
    stand_at(bench, orders_pb2.ORDER_STATE_REGISTERED)
    bench.portal.paper = b"PK\x03\x04 cut"

    with pytest.raises(PaperBroken):
        bench.run(delivery(lane="@a1"))


def test_a_paper_that_is_ready_and_never_comes_is_counted(bench: Bench) -> None:
    stand_at(bench, orders_pb2.ORDER_STATE_REGISTERED)
    odd = UnreadableAnswer("The download brought text/html.", retry_after_s=10.0)
    odd.step = "download"
    bench.portal.raising["download"] = [odd]

    signal = bench.run(delivery(lane="@a1", is_last=True))

    assert isinstance(signal, Snooze)
    [put_down] = bench.service.requests["ReleaseOrder"]
    assert (put_down.trouble.step, put_down.trouble.limit) == ("download", verdict.MANY_STRIKES)


@pytest.mark.parametrize(
    "state",
    [orders_pb2.ORDER_STATE_UNCONFIRMED, orders_pb2.ORDER_STATE_REGISTERED],
    ids=["unconfirmed", "registered"],
)
def test_an_order_isnt_looked_for_in_another_persons_list_and_a_person_learns_of_it(
    bench: Bench, state: orders_pb2.OrderState.ValueType
) -> None:
    stand_at(bench, state)
    bench.portal.person = "2000000002"

    bench.run(delivery(lane="@a1"))

    [put_down] = bench.service.requests["ReleaseOrder"]
    assert (put_down.trouble.step, put_down.trouble.limit) == ("person", verdict.FEW_STRIKES)
    assert "another person" in put_down.reason
    assert "portal.find" not in bench.log
    assert "portal.list_filtered" not in bench.log


def test_what_the_system_before_ordered_is_read_as_whoever_the_account_is(bench: Bench) -> None:
    stand_at(bench, orders_pb2.ORDER_STATE_REGISTERED)
    bench.service.order.submission.person_oid = "old-system:3"
    bench.portal.rows = [row()]

    bench.run(delivery(lane="@a1"))

    assert "portal.find" in bench.log


def test_a_search_that_finds_nothing_of_what_is_there_fails_no_order(bench: Bench) -> None:
    processor = bench.processor()
    bench.run(processor=processor)  # one is found
    bench.portal.objects = ()
    told = []
    for order_id in (8, 9, 10):
        bench.service.begin_anew(order_id)
        bench.run(delivery(order_id=order_id), processor=processor)
        told.append(bench.log.count("RecordNotFound"))

    assert told == [1, 2, 2], "the third isn't believed any more"
    [mark] = bench.service.requests["MarkAccount"]
    assert mark.kind == rosreestr_users_pb2.STANDBY_KIND_LIMITED
    assert "degraded" in mark.reason


def test_after_a_start_the_search_is_held_against_what_the_list_shows(bench: Bench) -> None:
    processor = bench.processor()
    bench.portal.objects = ()
    bench.portal.rows = [row()]
    for order_id in (8, 9, 10):
        bench.service.begin_anew(order_id)
        bench.run(delivery(order_id=order_id), processor=processor)

    assert bench.log.count("RecordNotFound") == 2
    assert "MarkAccount" in bench.log


def test_objects_that_arent_there_are_believed_where_nothing_is_known_to_be(bench: Bench) -> None:
    processor = bench.processor()
    bench.portal.objects = ()
    for order_id in (8, 9, 10, 11):
        bench.service.begin_anew(order_id)
        bench.run(delivery(order_id=order_id), processor=processor)

    assert bench.log.count("RecordNotFound") == 4
    assert "MarkAccount" not in bench.log


def test_an_accounts_lack_is_marked_whatever_step_shows_it(bench: Bench) -> None:
    for lack in Lack:
        said = verdict.verdict(AccountUnusable("why", lack=lack), verdict.Circumstances(step="x"))
        assert isinstance(said, verdict.StandBy)


def test_a_visit_that_goes_well_in_between_ends_a_row_of_defects(bench: Bench) -> None:
    processor = bench.processor()
    for order_id in range(7, 17):
        bench.service.begin_anew(order_id)
        bench.portal.rows = []
        if order_id % 2:
            bench.portal.raising["cards"] = [ValueError("odd")]
        bench.run(delivery(order_id=order_id), processor=processor)

    assert bench.log.count("portal.send") == 5, "the others went well"
    assert "MarkAccount" not in bench.log


@pytest.mark.parametrize(
    "error",
    [
        DocumentNotReady("404"),
        UnreadableAnswer("a page"),
        PortalUnavailable("cut", outage=Outage.BROKEN, retry_after_s=10.0),
        PortalUnavailable("slow", outage=Outage.SLOW, retry_after_s=10.0),
    ],
    ids=["not there", "a page", "cut", "slow"],
)
def test_a_paper_that_doesnt_come_is_for_a_person_after_some_times_not_after_days(error: Exception) -> None:
    said = verdict.verdict(error, verdict.Circumstances(step="download"))

    assert isinstance(said, verdict.Rest)
    assert said.limit == verdict.MANY_STRIKES


def test_an_outage_leaves_no_order_to_a_person_before_a_day() -> None:
    error = PortalUnavailable("HTTP 500", outage=Outage.SERVER_ERROR, retry_after_s=10.0)

    said = verdict.verdict(error, verdict.Circumstances(step="download"))

    assert isinstance(said, verdict.Rest)
    assert said.limit == 0
