"""Facts are kept whatever the fence, once, and weighed by whoever may."""

from __future__ import annotations

import uuid

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import claiming, keeping_facts, unattended
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, refused, row


def kept(bench: Bench) -> list[bool]:
    return [fact["weighed"] for fact in bench.all("select weighed_at is not null as weighed from facts order by id")]


def test_an_answer_moves_nothing(bench: Bench) -> None:
    holder = bench.sent()

    for status in (200, 400, 403, 500, 0):
        bench.answer(holder, "", status=status)

    assert bench.state(holder.order_id) == "unconfirmed"
    (send,) = bench.sends(holder.order_id)
    assert (send["answer_status"], send["outcome"]) == (200, None)


def test_nothing_sent_gives_the_order_back_to_its_account(bench: Bench) -> None:
    holder = bench.sent()

    told = bench.tell(holder, facts.NotSent(reason="the lease was lost"))

    assert told.is_weighed
    assert told.order.order.state == "processing"
    assert told.order.is_bound_here
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["not_sent"]


def test_only_the_sends_own_sender_can_say_that_nothing_was_sent(bench: Bench) -> None:
    holder = bench.sent()
    later = bench.claim(holder.order_id)

    bench.tell(later, facts.NotSent(reason="I saw nothing"))

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.sends(holder.order_id)[0]["outcome"] is None
    assert len(bench.events(holder.order_id, "not_sent_ignored")) == 1


def test_nothing_sent_isnt_believed_once_finish_answered(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "", status=502)

    bench.tell(holder, facts.NotSent(reason="closed"))

    order = bench.order(holder.order_id)
    assert order["state"] == "unconfirmed"
    assert order["hold_reason"] is not None
    assert bench.sends(holder.order_id)[0]["outcome"] is None


def test_nothing_sent_after_a_number_was_adopted_raises_an_alarm(bench: Bench) -> None:
    holder = bench.registered()

    bench.tell(holder, facts.NotSent(reason="closed"))

    assert bench.state(holder.order_id) == "registered"
    assert len(bench.events(holder.order_id, "alarm")) == 1


def test_nothing_sent_after_absence_changes_nothing(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    bench.tell(holder, facts.NotSent(reason="closed"))

    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["absent"]


def test_an_answer_with_a_number_for_an_absent_send_is_for_a_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    bench.answer(holder, "N-1")

    assert len(bench.events(holder.order_id, "alarm")) == 1
    with refused("ORDER_ON_HOLD"):
        bench.gate(holder)


def test_an_answer_with_a_number_for_an_absent_send_of_a_failed_order_raises_an_alarm(bench: Bench) -> None:
    """Nobody reads the list for it any more: without this word the money would be gone unseen."""
    holder = bench.sent()
    send_id = bench.sends(holder.order_id)[0]["send_id"]
    bench.make_absent(holder)
    bench.fail(holder)

    bench.tell(holder, facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1"), send_id)

    assert bench.state(holder.order_id) == "failed"
    assert len(bench.events(holder.order_id, "alarm")) == 1


def test_an_answer_with_a_number_for_an_absent_send_beside_a_stored_one_raises_an_alarm(bench: Bench) -> None:
    """Two sends, two numbers: it was paid twice, whether the list shows the first row yet or not."""
    holder = bench.sent()
    first = bench.sends(holder.order_id)[0]["send_id"]
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.read(holder, row(902, "N-2"))
    assert bench.order(holder.order_id)["rosreestr_order_num"] == "N-2"

    bench.tell(holder, facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1"), first)

    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert bench.order(holder.order_id)["hold_reason"] is not None


def test_the_stored_number_as_the_late_answer_of_an_absent_send_is_no_news(bench: Bench) -> None:
    holder = bench.sent()
    first = bench.sends(holder.order_id)[0]["send_id"]
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.read(holder, row(901, "N-1"))

    bench.tell(holder, facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1"), first)

    assert bench.events(holder.order_id, "alarm") == []


def test_an_answer_with_a_number_for_a_send_that_never_left_is_for_a_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.tell(holder, facts.NotSent(reason="closed"))

    bench.answer(holder, "N-1")

    assert bench.order(holder.order_id)["hold_reason"] is not None


def test_two_answers_with_different_numbers_raise_an_alarm(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")

    bench.answer(holder, "N-2")

    assert len(bench.events(holder.order_id, "alarm")) == 1
    assert bench.sends(holder.order_id)[0]["expected_number"] == "N-1"


def test_a_refusal_is_only_written_down(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())

    bench.tell(holder, facts.PortalRefusal(step="upload", http_status=400, text="нет"))

    assert bench.state(holder.order_id) == "processing"
    assert [event["reason"] for event in bench.events(holder.order_id, "refusal")] == ["upload: HTTP 400"]


def test_the_repeat_of_a_fact_is_kept_once(bench: Bench) -> None:
    holder = bench.sent()

    first = bench.answer(holder, "N-1")
    second = bench.answer(holder, "N-1")

    assert first.is_weighed
    assert second.is_weighed
    assert kept(bench) == [True]
    assert len(bench.events(holder.order_id, "finish_answer")) == 1


def test_a_late_fact_waits_while_another_delivery_has_the_order(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(holder.order_id)

    told = bench.read(holder, row(901, "N-1"))

    assert not told.is_weighed
    assert told.order.order.state == "unconfirmed"
    assert kept(bench) == [False]


def test_a_late_fact_is_weighed_by_the_next_claim(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))

    claimed = bench.run(claiming.claim_order(bench.db, bench.delivery(holder.order_id)))

    assert claimed.order.state == "registered"
    assert kept(bench) == [True]


def test_a_late_fact_is_weighed_by_the_holders_next_report(bench: Bench) -> None:
    holder = bench.sent()
    later = bench.claim(holder.order_id)
    bench.tell(holder, facts.NotSent(reason="closed"))

    told = bench.tell(later, facts.PortalRefusal(step="search", http_status=500, text=""))

    assert told.order.order.state == "processing"
    assert kept(bench) == [True, True]


def test_a_late_row_stops_a_gate_and_what_it_said_stands(bench: Bench) -> None:
    """The holder is refused, and may never come back: the order is registered all the same."""
    holder = bench.sent()
    bench.make_absent(holder)
    later = bench.claim(holder.order_id)
    bench.read(later)
    bench.read(holder, row(901, "N-1"))
    assert bench.state(holder.order_id) == "processing"

    with refused("WRONG_STATE", state="registered"):
        bench.gate(later)

    assert bench.state(holder.order_id) == "registered"
    assert len(bench.sends(holder.order_id)) == 1


def test_a_late_fact_is_weighed_at_once_when_nobody_has_the_order(bench: Bench) -> None:
    holder = bench.sent()
    bench.release(bench.claim(holder.order_id))

    told = bench.read(holder, row(901, "N-1"))

    assert told.is_weighed
    assert told.order.order.state == "registered"


def test_a_fact_is_weighed_at_once_when_the_last_sign_of_life_is_old(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.execute("update orders set seen_at = now() - interval '31 s'")

    assert bench.read(holder, row(901, "N-1")).is_weighed


def test_a_fact_is_kept_whatever_the_epoch(bench: Bench) -> None:
    holder = bench.sent()
    bench.open()

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.state == "registered"


def test_the_reconciler_weighs_what_nobody_has_in_hand(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))
    in_hand = bench.sent(cad_num="77:01:0001001:1002")
    bench.claim(in_hand.order_id)
    bench.tell(in_hand, facts.NotSent(reason="closed"))
    bench.execute("update orders set seen_at = null where id = %(id)s", id=holder.order_id)

    weighed = bench.run(unattended.weigh_unheld_facts(bench.db))

    assert weighed == 1
    assert bench.state(holder.order_id) == "registered"
    assert bench.state(in_hand.order_id) == "unconfirmed"
    assert bench.run(unattended.weigh_unheld_facts(bench.db)) == 0


def test_facts_wait_for_the_person_who_decides(bench: Bench) -> None:
    holder = bench.sent()
    bench.execute("update orders set hold_reason = 'why', hold_at = now(), seen_at = null")

    told = bench.read(holder, row(901, "N-1"))

    assert not told.is_weighed
    assert bench.run(unattended.weigh_unheld_facts(bench.db)) == 0
    assert bench.state(holder.order_id) == "unconfirmed"


def test_one_order_that_cant_be_weighed_doesnt_keep_others_from_it(bench: Bench) -> None:
    broken, holder = bench.sent(), bench.sent(cad_num="77:01:0001001:1002")
    for one in (broken, holder):
        bench.claim(one.order_id)
        bench.tell(one, facts.NotSent(reason="closed"))
    bench.execute("update orders set seen_at = null")
    bench.execute("""update facts set content = '{"nonsense": 1}' where order_id = %(id)s""", id=broken.order_id)

    assert bench.run(unattended.weigh_unheld_facts(bench.db)) == 2
    assert bench.state(holder.order_id) == "processing"
    assert "can't be weighed" in bench.order(broken.order_id)["hold_reason"]
    assert kept(bench) == [False, True]


def test_facts_of_unknown_orders_and_sends_are_refused(bench: Bench) -> None:
    holder = bench.sent()
    other = bench.sent(cad_num="77:01:0001001:1002")
    foreign = bench.sends(other.order_id)[0]["send_id"]

    for send_id in (uuid.uuid4(), foreign):
        with refused("SEND_UNKNOWN"):
            bench.tell(holder, facts.NotSent(reason="closed"), send_id)
    with refused("ORDER_UNKNOWN"):
        bench.tell(bench.delivery(404), facts.PortalRefusal(step="search", http_status=500, text=""))
    with pytest.raises(errors.InvalidInput, match="send_id"):
        bench.run(keeping_facts.record_fact(bench.db, holder, facts.NotSent(reason="closed"), send_id=None))

    assert kept(bench) == []


def test_a_reading_of_an_order_that_was_never_sent_is_only_kept(bench: Bench) -> None:
    holder = bench.uploaded()
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=(row(901, "N-1"),),
        rows_in_all=1,
    )

    told = bench.run(keeping_facts.record_fact(bench.db, holder, reading, send_id=None))

    assert told.is_weighed
    assert told.order.order.state == "processing"
