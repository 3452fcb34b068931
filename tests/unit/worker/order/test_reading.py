"""Reading the list for an order whose paid call may have been sent: when, how often, and what is told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2, worker_pb2
from rosq import Fail, Snooze
from tests.unit.worker.doubles import NUMBER, START, delivery, row
from tests.unit.worker.order.test_register import given_intent
from worker.order.reading import READINGS, is_counting_due, next_look_s
from worker.portal.errors import AccountUnusable, Lack

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


def an_order(*, elapsed_s: float, absent_after_s: float = 3600.0, counted: int = 0) -> worker_pb2.OrderInHand:
    order = worker_pb2.OrderInHand(open_send=worker_pb2.OrderSend(counted_readings=counted))
    order.open_send.gate_at.FromDatetime(START)
    order.open_send.absent_from.FromDatetime(START + dt.timedelta(seconds=absent_after_s))
    order.as_of.FromDatetime(START + dt.timedelta(seconds=elapsed_s))
    return order


def given_unconfirmed(bench: Bench, *, elapsed_s: float, absent_after_s: float = 3600.0) -> None:
    given_intent(bench, is_uploaded=True, was_sent=True)
    bench.service.order.submission.known_application_ids.append(11)
    bench.service.open_send("5e4d0000-0000-4000-8000-000000000001", absent_after_s)
    bench.service.now += dt.timedelta(seconds=elapsed_s)


@pytest.mark.parametrize(
    ("elapsed_s", "counted", "expected"),
    [
        (0, 0, False),
        (719, 0, False),
        (720, 0, True),
        (1000, 1, False),
        (1440, 1, True),
        (3599, 4, False),
        (3600, 4, True),
    ],
)
def test_a_counting_reading_is_due_a_fifth_of_the_absence_after_the_one_before(
    elapsed_s: float, counted: int, expected: bool
) -> None:
    assert is_counting_due(an_order(elapsed_s=elapsed_s, counted=counted)) is expected


@pytest.mark.parametrize("absent_after_s", [4.0, 15.0, 600.0, 3600.0, 86400.0])
@pytest.mark.parametrize("check_interval_s", [0.3, 60.0, 7200.0])
def test_whoever_keeps_to_the_pauses_makes_all_readings_within_little_more_than_the_absence(
    absent_after_s: float, check_interval_s: float
) -> None:
    elapsed_s, counted, last_s, looks = 0.0, 0, 0.0, 0
    while counted < READINGS:
        order = an_order(elapsed_s=elapsed_s, absent_after_s=absent_after_s, counted=counted)
        # The service's rule, on the same times.
        if is_counting_due(order) and elapsed_s >= last_s + absent_after_s / READINGS:
            counted, last_s = counted + 1, elapsed_s
        pause_s = next_look_s(order, check_interval_s=check_interval_s)
        assert 0 < pause_s <= absent_after_s / 6
        elapsed_s += pause_s
        looks += 1
    assert last_s >= absent_after_s
    assert last_s < 2 * absent_after_s
    assert looks < 200


def test_the_row_is_found_by_a_filtered_reading(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=5)
    bench.portal.rows.extend([row(11, number="OfSite-2020-01-01-111111-77-01"), row()])

    signal = bench.run(delivery(lane="@a1"))

    [fact] = bench.service.requests["RecordFact:reading"]
    assert fact.send_id == "5e4d0000-0000-4000-8000-000000000001"
    assert not fact.reading.is_unfiltered
    assert {told.application_id for told in fact.reading.rows} == {11, 900001}
    assert "portal.list" not in bench.log
    assert isinstance(signal, Snooze)
    assert bench.service.order.order_number == NUMBER


def test_a_reading_claims_a_time_of_the_service_from_before_its_first_page(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=5)
    bench.portal.rows.append(row())
    before = bench.service.now

    bench.run(delivery(lane="@a1"))

    [fact] = bench.service.requests["RecordFact:reading"]
    # Of the claim, which was the first answer of the visit: 10 ms later by the service's clock.
    assert fact.reading.begun_at.ToDatetime(tzinfo=dt.UTC) == before + dt.timedelta(milliseconds=10)


def test_a_known_row_alone_is_no_news(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=5)
    bench.portal.rows.append(row(11))

    signal = bench.run(delivery(lane="@a1"))

    assert "RecordFact:reading" not in bench.log
    assert isinstance(signal, Snooze)
    assert signal.lane == "@a1"
    assert bench.service.order.state == orders_pb2.ORDER_STATE_UNCONFIRMED


def test_when_it_may_count_the_whole_list_is_read_and_then_the_balance(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=800)

    bench.run(delivery(lane="@a1"))

    [fact] = bench.service.requests["RecordFact:reading"]
    assert fact.reading.is_unfiltered
    assert fact.reading.is_complete
    assert fact.reading.balance == 87
    assert fact.reading.person_oid == "1000000001"
    assert bench.log.index("portal.list") < bench.log.index("portal.balance") < bench.log.index("RecordFact:reading")


def test_a_balance_that_cannot_be_read_is_told_as_none(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=800)
    bench.portal.raising["balance"] = [AccountUnusable("no item", lack=Lack.BALANCE_ITEM)]

    bench.run(delivery(lane="@a1"))

    [fact] = bench.service.requests["RecordFact:reading"]
    assert not fact.reading.HasField("balance")


def test_a_row_that_does_not_say_whose_it_is_makes_a_reading_incomplete(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=800)
    bench.portal.rows.append(row(55, number="", cad_num=""))

    bench.run(delivery(lane="@a1"))

    [fact] = bench.service.requests["RecordFact:reading"]
    assert not fact.reading.is_complete


def test_nothing_is_sent_again_while_the_send_is_open(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=10_000)

    bench.run(delivery(lane="@a1"))

    assert bench.portal.sent == []
    assert "PassGate" not in bench.log
    assert "portal.upload" not in bench.log


def test_an_order_that_is_held_by_its_reading_waits_for_a_person(bench: Bench) -> None:
    given_unconfirmed(bench, elapsed_s=800)
    bench.service.order.hold_reason = "several rows: a person decides"

    signal = bench.run(delivery(lane="@a1"))

    assert isinstance(signal, Fail)
    assert "several rows" in signal.reason
