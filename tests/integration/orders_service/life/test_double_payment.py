"""Two numbers for one order: what must never happen raises an alarm."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from orders_service.domain import facts
from orders_service.life import claiming
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, row

if TYPE_CHECKING:
    import pytest

    from orders_service.domain.orders import Holder


def test_both_rows_of_an_order_that_was_sent_twice_raise_an_alarm(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.answer(holder, "N-2")

    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_order_num"]) == ("registered", "N-2")
    assert order["hold_reason"] is not None
    assert len(bench.events(holder.order_id, "alarm")) == 1


def test_the_first_sends_row_after_the_second_was_registered_raises_an_alarm(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.read(holder, row(902, "N-2"))

    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_order_num"]) == ("registered", "N-2")
    assert "N-1" in order["hold_reason"]


def test_a_late_reading_of_the_first_send_stops_the_second(bench: Bench) -> None:
    holder = bench.sent()
    late = bench.now()
    first = bench.sends(holder.order_id)[0]["send_id"]
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)

    seen_late = facts.ListReading(
        begun_at=late - dt.timedelta(hours=1),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=(row(901, "N-1"),),
        rows_in_all=1,
    )
    bench.tell(holder, seen_late, first)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert len(bench.events(holder.order_id, "alarm")) == 1


def test_a_row_made_by_hand_after_the_number_is_no_alarm(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)

    bench.read(holder, row(901, "N-1"), row(902, "BY-HAND"))

    assert bench.order(holder.order_id)["hold_reason"] is None
    assert bench.events(holder.order_id, "alarm") == []


def test_a_late_answer_with_another_number_raises_an_alarm(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    bench.answer(holder, "N-2")

    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert bench.order(holder.order_id)["hold_reason"] is not None


def test_a_late_answer_with_a_number_that_no_row_has_raises_it_too(bench: Bench) -> None:
    """One of the two numbers isn't the order's, and the list of a registered order isn't read in full again."""
    holder = bench.registered("N-1", 901)

    bench.answer(holder, "N-2")

    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert "N-2" in bench.order(holder.order_id)["hold_reason"]
    assert bench.sends(holder.order_id)[0]["expected_number"] == "N-2"


def test_a_late_row_of_a_failed_order_raises_an_alarm(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.fail(holder)

    bench.read(holder, row(901, "N-1"))

    assert bench.state(holder.order_id) == "failed"
    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert "order_alarm" in [record.__dict__.get("event") for record in caplog.records]


def resent(bench: Bench) -> Holder:
    """An order whose first send was settled as absent, and whose second has its number."""
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.read(holder, row(902, "N-2"))
    assert bench.state(holder.order_id) == "registered"
    return holder


def is_due(bench: Bench, holder: Holder) -> bool:
    return bench.run(claiming.claim_order(bench.db, bench.delivery(holder.order_id))).is_look_due


def test_an_order_that_was_sent_twice_is_looked_for_at_its_collection_and_a_day_later(bench: Bench) -> None:
    holder = resent(bench)
    assert is_due(bench, holder)

    bench.read(holder, row(902, "N-2"), is_complete=False)
    bench.read(holder, row(902, "N-2"), person_oid="2")
    assert is_due(bench, holder), "that was no look at the whole list"
    bench.read(holder, row(902, "N-2"))
    assert not is_due(bench, holder)
    bench.execute("update orders set look_at = look_at - interval '1 day', registered_at = now() - interval '25 h'")
    bench.execute("update sends set looked_at = looked_at - interval '1 day'")
    assert is_due(bench, holder)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    assert not is_due(bench, holder)
    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert bench.order(holder.order_id)["look_at"] is None


def test_an_order_that_was_sent_once_is_not_looked_for_again(bench: Bench) -> None:
    assert not is_due(bench, bench.registered())
