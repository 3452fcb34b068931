"""What proves that a send made nothing, and what vetoes it."""

from __future__ import annotations

import datetime as dt

import pytest

from orders_service.domain import facts
from tests.integration.orders_service.life.bench import ABSENT_AFTER_S, BALANCE, Bench, row

OTHER = "77:01:0001001:1002"


def test_five_readings_over_the_whole_time_settle_a_send_as_absent(bench: Bench) -> None:
    holder = bench.sent()

    bench.make_absent(holder)

    order = bench.order(holder.order_id)
    assert (order["state"], order["hold_reason"]) == ("processing", None)
    assert [(send["outcome"], send["settled_by"]) for send in bench.sends(holder.order_id)] == [("absent", "readings")]
    assert len(bench.events(holder.order_id, "reading")) == 5


def test_four_readings_dont(bench: Bench) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)

    for fifth in range(2, 6):
        bench.read(holder, begun_at=gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1))

    assert bench.state(holder.order_id) == "unconfirmed"


def test_a_reading_cant_claim_a_time_that_is_yet_to_come(bench: Bench) -> None:
    holder = bench.sent()

    for fifth in range(1, 6):
        bench.read(holder, begun_at=bench.now() + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 60))

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids() == ["in_future"] * 5


def test_the_repeat_of_a_reading_counts_once(bench: Bench) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)
    at = gate_at + dt.timedelta(seconds=ABSENT_AFTER_S / 5 + 1)

    for _ in range(5):
        told = bench.read(holder, begun_at=at)

    assert told.order.counted_readings == 1
    assert bench.one("select count(*) as kept from facts")["kept"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"balance": None}, "no_balance"),
        ({"balance": BALANCE - 1}, "low_balance"),
        ({"is_unfiltered": False}, "filtered"),
        ({"is_complete": False}, "incomplete"),
    ],
)
def test_a_void_reading_doesnt_count(bench: Bench, changes: dict[str, object], reason: str) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)

    for fifth in range(1, 5):
        bench.read(holder, begun_at=gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1), **changes)
    told = bench.read(holder)

    assert told.order.counted_readings == 1
    assert told.order.order.state == "unconfirmed"
    assert bench.voids() == [*([reason] * 4), None]


def test_a_lower_balance_is_written_down(bench: Bench) -> None:
    holder = bench.sent()

    bench.read(holder, balance=BALANCE - 1)

    assert len(bench.events(holder.order_id, "balance_low")) == 1


def test_a_balance_that_stays_lower_for_the_whole_time_is_for_a_person(bench: Bench) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)

    for fifth in range(1, 6):
        assert bench.order(holder.order_id)["hold_reason"] is None
        at = gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1)
        bench.read(holder, begun_at=at, balance=BALANCE - 1)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert order["hold_reason"] is not None


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        ((), {"balance": None}),
        ((), {"is_complete": False}),
        ((row(901, ""),), {}),
        ((row(901, ""),), {"is_unfiltered": False, "balance": None}),
    ],
    ids=["no balance", "not read to the end", "a row without number", "a row without number, by filter"],
)
def test_a_send_that_readings_tell_nothing_of_for_the_whole_time_is_for_a_person(
    bench: Bench, rows: tuple[facts.ApplicationRow, ...], changes: dict[str, object]
) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)

    for fifth in range(1, 6):
        assert bench.order(holder.order_id)["hold_reason"] is None
        at = gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1)
        bench.read(holder, *rows, begun_at=at, **changes)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert order["hold_reason"] is not None


def test_readings_that_tell_nothing_of_a_send_that_never_left_hold_nothing(bench: Bench) -> None:
    holder = bench.sent()
    bench.tell(holder, facts.NotSent(reason="closed"))
    settled_at = bench.age(holder.order_id, 1.5)

    for fifth in range(1, 7):
        bench.read(holder, begun_at=settled_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1), balance=None)

    assert bench.order(holder.order_id)["hold_reason"] is None
    assert bench.gate(holder).order.state == "unconfirmed"


def test_what_later_orders_of_the_account_cost_is_no_veto(bench: Bench) -> None:
    holder = bench.sent()
    bench.registered("N-2", 902, cad_num=OTHER)
    bench.add_account("second")
    stranger = bench.sent("second", cad_num="77:01:0001001:1003")
    bench.execute(
        "update sends set outcome = 'number', settled_at = now() where order_id = %(id)s", id=stranger.order_id
    )

    bench.read(holder, balance=BALANCE - 1)
    bench.read(holder, balance=BALANCE - 2)

    assert bench.voids() == [None, "low_balance"]


def test_what_earlier_orders_of_the_account_cost_is_one(bench: Bench) -> None:
    earlier = bench.sent(cad_num=OTHER)
    holder = bench.sent()
    bench.read(earlier, row(902, "N-2", OTHER))

    bench.read(holder, balance=BALANCE - 1)

    assert bench.voids() == ["low_balance"]


def test_a_send_whose_finish_named_a_number_is_never_absent_by_itself(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")

    bench.make_absent(holder)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert "N-1" in order["hold_reason"]
