"""Sending again: once, after a last look, and never by itself a second time."""

from __future__ import annotations

from orders_service.accounts import manage
from orders_service.domain import facts
from orders_service.life import keeping_facts
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, refused, row


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

    bench.run(keeping_facts.record_fact(bench.db, holder, reading, send_id=None))

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
    assert bench.voids()[-1] == "object_busy"
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
    bench.execute("update orders set state = 'processing', open_send_id = null")
    bench.read(holder)

    with refused("RESEND_NEEDS_PERSON"):
        bench.gate(holder)


def test_a_send_that_ended_in_a_number_is_never_sent_again(bench: Bench) -> None:
    """The order never comes here by itself; the gate looks all the same."""
    holder = bench.sent()
    bench.execute("update sends set outcome = 'number', settled_at = now()")
    bench.execute("update orders set state = 'processing', open_send_id = null")
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

    # The account stands by until a person confirms it; after that the order waits for one, as it was sent as another.
    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(holder, person_oid="2")
    bench.run(manage.activate_account(bench.db, "first"))
    later = bench.claim(holder.order_id)
    with refused("ORDER_ON_HOLD"):
        bench.intend(later, person_oid="2")

    assert bench.one("select person_oid from submissions")["person_oid"] == PERSON
    assert bench.order(holder.order_id)["hold_reason"] is not None
