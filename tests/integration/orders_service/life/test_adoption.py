"""Which row of the account's list is taken for the order's, and where a person decides."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from orders_service.domain import facts
from orders_service.life import keeping_facts
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, row

if TYPE_CHECKING:
    import pytest

OTHER = "77:01:0001001:1002"


def test_the_only_new_row_is_adopted_without_finishs_help(bench: Bench) -> None:
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1", "77:1:1001:1001", status="Создана"))

    assert told.order.order.state == "registered"
    order = bench.order(holder.order_id)
    assert order["portal_status"] == "processing / Создана"
    assert order["registered_at"] is not None


def test_a_known_row_isnt_adopted(bench: Bench) -> None:
    """An order of the same object that was made before on this account isn't taken for today's."""
    holder = bench.claim(bench.add_order())
    bench.intend(holder, known_application_ids=(900,))
    bench.upload(holder)
    bench.gate(holder)

    bench.read(holder, row(900, "OLD"))
    assert bench.state(holder.order_id) == "unconfirmed"
    bench.read(holder, row(900, "OLD"), row(901, "NEW"))

    assert bench.order(holder.order_id)["rosreestr_order_num"] == "NEW"


def test_a_row_of_another_order_isnt_adopted(bench: Bench) -> None:
    bench.registered("N-1", 901)
    holder = bench.sent()

    bench.read(holder, row(901, "N-1"))

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids() == [None]


def test_several_rows_are_for_a_person(bench: Bench) -> None:
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    assert told.order.order.state == "unconfirmed"
    assert told.order.order.hold_reason is not None
    assert "N-1, N-2" in told.order.order.hold_reason
    assert bench.order(holder.order_id)["seen_at"] is None


def test_of_several_rows_the_one_that_finish_named_is_adopted(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-2")

    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_order_num"], order["hold_reason"]) == ("registered", "N-2", None)


def test_another_row_than_finish_named_raises_an_alarm(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-2")

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.state == "unconfirmed"
    assert told.order.order.hold_reason is not None
    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert [record.levelno for record in caplog.records if record.__dict__.get("event") == "order_alarm"] == [
        logging.ERROR
    ]


def test_a_number_stored_with_an_order_of_another_object_is_no_absence(bench: Bench) -> None:
    """A person typed it into the wrong order: leaving the row out would make the right order absent, and pay again."""
    wrong = bench.registered("N-1", 900, cad_num=OTHER)
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.hold_reason is not None
    assert f"order {wrong.order_id}" in told.order.order.hold_reason


def test_a_number_that_finish_named_to_another_order_of_the_object_is_for_a_person(bench: Bench) -> None:
    other = bench.sent()
    bench.answer(other, "N-1")
    bench.execute("update sends set outcome = 'absent', settled_at = now(), settled_by = 'operator:test'")
    bench.execute("update orders set state = 'processing', open_send_id = null")
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.state == "unconfirmed"
    assert told.order.order.hold_reason is not None


def test_the_person_and_account_of_a_reading_must_be_the_sends(bench: Bench) -> None:
    bench.add_account("second")
    holder = bench.sent()
    stranger = bench.delivery(holder.order_id, "second")
    bench.execute("update orders set seen_at = null")

    bench.read(stranger, row(901, "N-1"))
    bench.read(holder, row(901, "N-1"), person_oid="2")

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids() == ["other_account", "other_person"]


def test_a_reading_begun_before_the_gate_adopts_nothing(bench: Bench) -> None:
    holder = bench.uploaded()
    before = bench.now()
    bench.gate(holder)

    bench.read(holder, row(901, "N-1"), begun_at=before)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids() == ["before_gate"]


def test_a_filtered_reading_adopts_and_proves_no_absence(bench: Bench) -> None:
    holder = bench.sent()

    bench.read(holder, is_unfiltered=False)
    bench.read(holder, row(901, "N-1"), is_unfiltered=False)

    assert bench.voids() == ["filtered"]
    assert bench.state(holder.order_id) == "registered"


def test_a_row_in_a_list_not_read_to_its_end_waits(bench: Bench) -> None:
    holder = bench.sent()

    bench.read(holder, row(901, "N-1"), is_complete=False)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids() == ["has_candidate"]


def test_of_two_orders_that_adopt_one_row_at_the_same_moment_one_gets_it(bench: Bench) -> None:
    first, second = bench.sent(), bench.sent(cad_num=OTHER)
    # Whatever may lead to it: both orders are of one object now.
    bench.execute("drop index orders_one_send_of_a_person")
    bench.execute("update orders set cad_num = '77:01:0001001:1001'")
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=(row(901, "N-1"),),
        rows_in_all=1,
    )

    async def both() -> None:
        await asyncio.gather(
            *(keeping_facts.record_fact(bench.db, holder, reading, send_id=None) for holder in (first, second))
        )

    bench.run(both())

    assert sorted([bench.state(first.order_id), bench.state(second.order_id)]) == ["registered", "unconfirmed"]
    assert bench.one("select count(*) as kept from facts where weighed_at is not null")["kept"] == 2
