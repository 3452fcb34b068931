"""What proves that a send made nothing, and what vetoes it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.domain import facts
from tests.integration.orders_service.life.bench import ABSENT_AFTER_S, BALANCE, Bench, refused, row

if TYPE_CHECKING:
    from orders_service.domain.orders import Holder

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
        ({"balance": BALANCE - 1}, "other_balance"),
        ({"balance": BALANCE + 1}, "other_balance"),
        ({"person_oid": "2"}, "other_person"),
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


@pytest.mark.parametrize("balance", [BALANCE - 1, BALANCE + 1])
def test_a_balance_that_isnt_expected_is_written_down(bench: Bench, balance: int) -> None:
    holder = bench.sent()

    bench.read(holder, balance=balance)

    assert len(bench.events(holder.order_id, "balance_differs")) == 1


def read_for_the_whole_time(bench: Bench, holder: Holder, *rows: facts.ApplicationRow, **changes: Any) -> None:
    """Five readings, each a fifth of the time of absence after the one before; all but the last hold nothing."""
    begun_at = bench.one("select greatest(gate_at, decided_at, settled_at) as at from sends order by gate_at desc")[
        "at"
    ]
    for fifth in range(1, 6):
        assert bench.order(holder.order_id)["hold_reason"] is None
        bench.read(holder, *rows, begun_at=begun_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1), **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"balance": BALANCE - 1}, "expected were 50"),
        ({"balance": BALANCE + 450}, "expected were 50"),
        ({"person_oid": "2"}, "another person's"),
        ({"is_unfiltered": False}, "by a filter"),
    ],
    ids=["charged", "bought", "another person", "filtered"],
)
def test_what_stays_so_for_the_whole_time_is_for_a_person(bench: Bench, changes: dict[str, Any], why: str) -> None:
    holder = bench.sent()
    bench.age(holder.order_id, 1.5)

    read_for_the_whole_time(bench, holder, **changes)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert why in order["hold_reason"]


def test_what_changes_from_reading_to_reading_is_for_a_person_too(bench: Bench) -> None:
    holder = bench.sent()
    gate_at = bench.age(holder.order_id, 1.5)

    voids: tuple[dict[str, Any], ...] = ({"balance": 1}, {"balance": None}, {"is_complete": False})
    for fifth in range(1, 6):
        at = gate_at + dt.timedelta(seconds=ABSENT_AFTER_S * fifth / 5 + 1)
        bench.read(holder, begun_at=at, **voids[fifth % 3])

    assert bench.order(holder.order_id)["hold_reason"] is not None


@pytest.mark.parametrize("balance", [BALANCE - 1, BALANCE + 450], ids=["ordered by hand", "points bought"])
def test_after_an_absence_by_a_person_his_balance_is_the_expected_one(bench: Bench, balance: int) -> None:
    holder = bench.sent()
    bench.age(holder.order_id, 1.5)
    read_for_the_whole_time(bench, holder, balance=balance)

    bench.as_absent(holder.order_id)

    later = bench.claim(holder.order_id)
    bench.read(later, balance=balance)
    bench.intend(later, balance=balance)
    assert bench.gate(later).order.state == "unconfirmed"
    assert bench.order(holder.order_id)["hold_reason"] is None


def test_after_an_absence_by_a_person_what_is_charged_then_is_a_veto(bench: Bench) -> None:
    """He may have been wrong: the row came late."""
    holder = bench.sent()
    bench.age(holder.order_id, 1.5)
    read_for_the_whole_time(bench, holder, balance=BALANCE + 450)
    bench.as_absent(holder.order_id)

    later = bench.claim(holder.order_id)
    bench.read(later, balance=BALANCE + 449)
    bench.intend(later)

    with refused("WRONG_STATE", need="reading"):
        bench.gate(later)


def test_a_resumed_order_is_looked_for_over_one_more_time_and_held_again(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")
    bench.make_absent(holder)
    assert bench.order(holder.order_id)["hold_reason"] is not None

    bench.resume(holder.order_id)
    later = bench.claim(holder.order_id)
    bench.read(later)
    assert bench.order(holder.order_id)["hold_reason"] is None
    bench.age(holder.order_id, 1.5)
    read_for_the_whole_time(bench, later)

    assert "N-1" in bench.order(holder.order_id)["hold_reason"]


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

    assert bench.voids() == [None, "other_balance"]


def test_what_earlier_orders_of_the_account_cost_is_one(bench: Bench) -> None:
    earlier = bench.sent(cad_num=OTHER)
    holder = bench.sent()
    bench.read(earlier, row(902, "N-2", OTHER))

    bench.read(holder, balance=BALANCE - 1)

    assert bench.voids() == ["other_balance"]


def test_a_send_whose_finish_named_a_number_is_never_absent_by_itself(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")

    bench.make_absent(holder)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert "N-1" in order["hold_reason"]
