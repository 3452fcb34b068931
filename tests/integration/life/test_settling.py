"""What came of a send, from the account's list alone."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging

import pytest

from orders_service.domain import facts
from orders_service.life import telling
from tests.integration.life.bench import ABSENT_AFTER_S, BALANCE, PERSON, Bench, refused, row

OTHER = "77:01:0001001:1002"


def voids(bench: Bench) -> list[str | None]:
    return [reading["void_reason"] for reading in bench.all("select void_reason from readings order by id")]


# Adopting a row.


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
    assert voids(bench) == [None]


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
    bench.execute("update orders set state = 'processing'")
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
    assert voids(bench) == ["other_account", "other_person"]


def test_a_reading_begun_before_the_gate_adopts_nothing(bench: Bench) -> None:
    holder = bench.uploaded()
    before = bench.now()
    bench.gate(holder)

    bench.read(holder, row(901, "N-1"), begun_at=before)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert voids(bench) == ["before_gate"]


def test_a_filtered_reading_adopts_and_proves_no_absence(bench: Bench) -> None:
    holder = bench.sent()

    bench.read(holder, is_unfiltered=False)
    bench.read(holder, row(901, "N-1"), is_unfiltered=False)

    assert voids(bench) == ["filtered"]
    assert bench.state(holder.order_id) == "registered"


def test_a_row_in_a_list_not_read_to_its_end_waits(bench: Bench) -> None:
    holder = bench.sent()

    bench.read(holder, row(901, "N-1"), is_complete=False)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert voids(bench) == ["has_candidate"]


def test_of_two_orders_that_adopt_one_row_at_the_same_moment_one_gets_it(bench: Bench) -> None:
    first, second = bench.sent(), bench.sent(cad_num=OTHER)
    # Whatever may lead to it: both orders are of one object now.
    bench.execute("drop index orders_one_send_per_object")
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
            *(telling.record_fact(bench.db, holder, reading, send_id=None) for holder in (first, second))
        )

    bench.run(both())

    assert sorted([bench.state(first.order_id), bench.state(second.order_id)]) == ["registered", "unconfirmed"]
    assert bench.one("select count(*) as kept from facts where weighed_at is not null")["kept"] == 2


# Absence.


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
    assert voids(bench) == ["in_future"] * 5


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
    assert voids(bench) == [*([reason] * 4), None]


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

    assert voids(bench) == [None, "low_balance"]


def test_what_earlier_orders_of_the_account_cost_is_one(bench: Bench) -> None:
    earlier = bench.sent(cad_num=OTHER)
    holder = bench.sent()
    bench.read(earlier, row(902, "N-2", OTHER))

    bench.read(holder, balance=BALANCE - 1)

    assert voids(bench) == ["low_balance"]


def test_a_send_whose_finish_named_a_number_is_never_absent_by_itself(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")

    bench.make_absent(holder)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert "N-1" in order["hold_reason"]


# Sending again.


def test_a_resend_needs_one_more_reading_after_the_settling(bench: Bench) -> None:
    holder = bench.sent()
    guid = bench.one("select super_package_guid from submissions")["super_package_guid"]
    bench.make_absent(holder)
    bench.intend(holder, known_application_ids=(901,))

    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder, is_unfiltered=False)
    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder, balance=BALANCE - 1)
    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder)
    gated = bench.gate(holder)

    assert gated.submission is not None
    assert gated.submission.super_package_guid == guid
    # From the first send on a new row could be ours.
    assert gated.submission.known_application_ids == ()
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["absent", None]


def test_the_last_look_is_after_the_last_of_all_sends_was_settled(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.tell(holder, facts.NotSent(reason="closed"))

    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder)

    assert bench.gate(holder).order.state == "unconfirmed"


def test_a_reading_about_no_send_in_particular_is_about_the_latest(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=(),
        rows_in_all=0,
    )

    bench.run(telling.record_fact(bench.db, holder, reading, send_id=None))

    assert bench.gate(holder).order.state == "unconfirmed"


def test_a_late_row_registers_the_order_in_place_of_a_resend(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.state == "registered"
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["number"]
    assert len(bench.events(holder.order_id, "send_reopened")) == 1
    moves = [(event["from_state"], event["to_state"]) for event in bench.events(holder.order_id, "transition")]
    assert moves[-1] == ("processing", "registered")


def test_several_late_rows_are_for_a_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    order = bench.order(holder.order_id)
    assert order["state"] == "processing"
    assert order["hold_reason"] is not None


def test_a_new_row_while_another_order_of_the_object_is_at_its_gate_is_nobodys_yet(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.sent()

    bench.read(holder, row(901, "N-1"))

    assert bench.state(holder.order_id) == "processing"
    assert voids(bench)[-1] == "object_busy"
    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)


def test_a_second_absence_is_for_a_person_and_the_send_stays_open(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)

    bench.make_absent(holder)

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert order["hold_reason"] is not None
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["absent", None]
    with refused("ORDER_ON_HOLD"):
        bench.claim(holder.order_id)


def test_two_absences_by_readings_never_allow_a_third_send(bench: Bench) -> None:
    """The order never comes here by itself; the gate looks all the same."""
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.execute(
        "update sends set outcome = 'absent', settled_at = now(), settled_by = 'readings' where outcome is null"
    )
    bench.execute("update orders set state = 'processing'")
    bench.read(holder)

    with refused("RESEND_NEEDS_PERSON"):
        bench.gate(holder)


def test_a_send_that_ended_in_a_number_is_never_sent_again(bench: Bench) -> None:
    """The order never comes here by itself; the gate looks all the same."""
    holder = bench.sent()
    bench.execute("update sends set outcome = 'number', settled_at = now()")
    bench.execute("update orders set state = 'processing'")
    bench.read(holder)

    with refused("WRONG_STATE"):
        bench.gate(holder)


def test_sends_that_never_left_dont_count_and_need_no_reading(bench: Bench) -> None:
    holder = bench.uploaded()

    for _ in range(4):
        bench.gate(holder)
        bench.tell(holder, facts.NotSent(reason="closed"))
    bench.intend(holder, known_application_ids=(900,))
    gated = bench.gate(holder)

    assert gated.submission is not None
    assert gated.submission.known_application_ids == (900,)
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == [*(["not_sent"] * 4), None]


def test_a_row_that_came_while_nothing_had_left_isnt_ours(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.gate(holder)
    bench.tell(holder, facts.NotSent(reason="closed"))

    bench.read(holder, row(901, "BY-HAND"))

    assert bench.state(holder.order_id) == "processing"


def test_an_intent_as_another_person_after_a_send_is_for_a_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    with refused("ORDER_ON_HOLD"):
        bench.intend(holder, person_oid="2")

    assert bench.one("select person_oid from submissions")["person_oid"] == PERSON
    assert bench.order(holder.order_id)["hold_reason"] is not None


# Two numbers for one order.


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


def test_a_late_answer_with_another_number_raises_an_alarm_where_such_a_row_exists(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    bench.answer(holder, "N-2")

    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert bench.order(holder.order_id)["hold_reason"] is not None


def test_a_late_answer_with_a_number_that_no_row_has_is_only_kept(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)

    bench.answer(holder, "NONSENSE")

    assert bench.order(holder.order_id)["hold_reason"] is None
    assert bench.sends(holder.order_id)[0]["expected_number"] == "NONSENSE"


def test_a_late_row_of_a_failed_order_raises_an_alarm(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.fail(holder)

    bench.read(holder, row(901, "N-1"))

    assert bench.state(holder.order_id) == "failed"
    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert "order_alarm" in [record.__dict__.get("event") for record in caplog.records]
