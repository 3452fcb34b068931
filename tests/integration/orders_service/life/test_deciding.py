"""What a person decides, and that the relay then puts the order back on the queue."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import deciding
from tests.integration.orders_service.life.bench import PERSON, Bench, refused, row

if TYPE_CHECKING:
    from orders_service.domain.orders import Holder

OTHER = "77:01:0001001:1002"


def sent(bench: Bench) -> Holder:
    """An order whose paid call can't be on its way any more."""
    holder = bench.sent()
    bench.age(holder.order_id, 0.1)
    return holder


def resend(bench: Bench, holder: Holder) -> Holder:
    """Send it again, once the list was looked at."""
    bench.read(holder)
    bench.intend(holder)
    bench.gate(holder)
    return holder


def relayed(bench: Bench) -> None:
    """As it is once the relay has put everything on the queue."""
    bench.execute("update orders set relayed_at = now()")


def hold(bench: Bench) -> None:
    bench.execute("update orders set hold_reason = 'why', hold_at = now(), seen_at = null")


def test_a_number_registers_an_unconfirmed_order_and_lifts_the_hold(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    relayed(bench)

    bench.by_number(holder.order_id, " N-2 ")

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_order_num"], order["hold_reason"]) == ("registered", "N-2", None)
    assert order["rosreestr_application_id"] == 902
    assert order["relayed_at"] is None
    (send,) = bench.sends(holder.order_id)
    assert (send["outcome"], send["settled_by"]) == ("number", "operator:ivan")
    assert bench.events(holder.order_id, "transition")[-1]["actor"] == "operator:ivan"


def test_the_repeat_of_a_number_changes_nothing_more(bench: Bench) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)
    bench.by_number(on, "N-1", is_unseen=True)
    relayed(bench)
    before = bench.snapshot(holder.order_id)

    bench.by_number(on, "N-1", is_unseen=True)

    assert bench.snapshot(holder.order_id) == before


def test_the_stored_number_lifts_the_hold_of_a_registered_order(bench: Bench) -> None:
    holder = bench.registered("N-1")
    hold(bench)
    relayed(bench)

    bench.by_number(holder.order_id, "N-1")

    order = bench.order(holder.order_id)
    assert (order["state"], order["hold_reason"], order["relayed_at"]) == ("registered", None, None)
    bench.claim(holder.order_id)


def test_a_persons_number_against_finishs_answer_names_it_and_is_written_down(bench: Bench) -> None:
    holder = sent(bench)
    bench.answer(holder, "N-1")

    with refused("UNNAMED", need="answer"):
        bench.by_number(holder.order_id, "N-2", is_unseen=True)
    bench.by_number(holder.order_id, "N-2", is_unseen=True, despite=("N-1",))

    assert "N-1" in bench.events(holder.order_id, "transition")[-1]["reason"]


def test_a_number_that_no_reading_showed_is_a_slip_unless_it_is_said_not_to_be(bench: Bench) -> None:
    holder = sent(bench)
    before = bench.snapshot(holder.order_id)

    with refused("UNNAMED", need="unseen"):
        bench.by_number(holder.order_id, "N-7")
    assert bench.snapshot(holder.order_id) == before
    bench.by_number(holder.order_id, "N-7", is_unseen=True)

    assert bench.state(holder.order_id) == "registered"


def test_a_number_waits_for_the_paid_call_to_be_over(bench: Bench) -> None:
    """The call in flight may be answered with another number."""
    holder = bench.sent()

    with refused("WRONG_STATE", need="time"):
        bench.by_number(holder.order_id, "N-1", is_unseen=True)

    assert bench.state(holder.order_id) == "unconfirmed"


def test_the_number_of_a_row_from_before_the_gate_is_refused(bench: Bench) -> None:
    """Last month's extract would be delivered as today's."""
    holder = bench.claim(bench.add_order())
    bench.intend(holder, known_application_ids=(900,))
    bench.upload(holder)
    bench.gate(holder)
    bench.age(holder.order_id, 0.1)
    bench.read(holder, row(900, "N-0"))

    with refused("NUMBER_NOT_OURS"):
        bench.by_number(holder.order_id, "N-0", is_unseen=True)


def test_the_number_of_another_objects_row_is_refused(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1", OTHER))

    with refused("NUMBER_NOT_OURS"):
        bench.by_number(holder.order_id, "N-1", is_unseen=True)


def test_a_wrong_number_is_corrected_as_often_as_it_takes(bench: Bench) -> None:
    holder = sent(bench)
    bench.by_number(holder.order_id, "N-7", is_unseen=True)
    later = bench.claim(holder.order_id)

    for number in ("N-8", "N-7", "N-1"):
        bench.by_number(holder.order_id, number, is_unseen=True)
        assert bench.order(holder.order_id)["rosreestr_order_num"] == number

    assert len(bench.events(holder.order_id, "number_corrected")) == 3
    with refused("STALE_FENCE"):
        # It may be bringing the paper of a number that was wrong.
        bench.check(later)


def test_the_number_of_an_order_with_its_paper_stays(bench: Bench) -> None:
    holder = bench.completed()

    with refused("WRONG_STATE", state="completed"):
        bench.by_number(holder.order_id, "N-2", is_unseen=True)


def test_a_row_that_a_person_ruled_out_may_be_the_orders_after_all(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    bench.as_absent(holder.order_id, 901, 902)

    bench.by_number(holder.order_id, "N-1")

    assert bench.order(holder.order_id)["rosreestr_order_num"] == "N-1"
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["number"]


def test_a_number_of_another_order_is_refused(bench: Bench) -> None:
    bench.registered("N-1", cad_num=OTHER)
    holder = sent(bench)

    with refused("NUMBER_TAKEN"):
        bench.by_number(holder.order_id, "N-1", is_unseen=True)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.sends(holder.order_id)[0]["outcome"] is None


def test_of_two_orders_given_one_number_at_the_same_moment_one_gets_it(bench: Bench) -> None:
    first, second = bench.sent(), bench.sent(cad_num=OTHER)
    cases = []
    for holder in (first, second):
        bench.age(holder.order_id, 0.1)
        cases.append(bench.basis(holder.order_id))

    async def both() -> list[BaseException | None]:
        calls = [deciding.settle_by_number(bench.db, on, "N-1", is_unseen=True) for on in cases]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = bench.run(both())

    assert [answer.reason for answer in answers if isinstance(answer, errors.Refused)] == ["NUMBER_TAKEN"]
    assert sorted([bench.state(first.order_id), bench.state(second.order_id)]) == ["registered", "unconfirmed"]


def test_absence_allows_one_more_send_after_one_more_reading(bench: Bench) -> None:
    holder = sent(bench)
    relayed(bench)

    bench.as_absent(holder.order_id)

    order = bench.order(holder.order_id)
    assert (order["state"], order["relayed_at"]) == ("processing", None)
    assert [(send["outcome"], send["settled_by"]) for send in bench.sends(holder.order_id)] == [
        ("absent", "operator:ivan")
    ]
    bench.intend(holder)
    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder)
    assert bench.gate(holder).order.state == "unconfirmed"


def test_no_absence_is_taken_while_the_paid_call_may_be_on_its_way(bench: Bench) -> None:
    """The call of a worker between gate and answer would be charged, and the resend, too."""
    holder = bench.sent()
    before = bench.snapshot(holder.order_id)

    with refused("WRONG_STATE", need="time"):
        bench.as_absent(holder.order_id)

    assert bench.snapshot(holder.order_id) == before
    bench.age(holder.order_id, 0.1)
    bench.as_absent(holder.order_id)
    assert bench.state(holder.order_id) == "processing"


def test_a_short_time_of_absence_shortens_the_wait_for_a_persons_word(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.gate(holder, absent_after_s=0.001, is_portal_on_loopback=True)

    bench.as_absent(holder.order_id)

    assert bench.state(holder.order_id) == "processing"


@pytest.mark.parametrize("actor", ["ivan", "operator:ivan", "maria"])
def test_the_repeat_of_an_absence_changes_nothing_more(bench: Bench, actor: str) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)
    bench.as_absent(on)
    relayed(bench)
    before = bench.snapshot(holder.order_id)

    bench.as_absent(dataclasses.replace(on, actor=actor))

    assert bench.snapshot(holder.order_id) == before


@pytest.mark.parametrize("actor", ["ivan", "maria"])
def test_the_repeat_of_an_absence_doesnt_settle_the_next_send(bench: Bench, actor: str) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)
    bench.as_absent(on)
    resend(bench, holder)
    bench.age(holder.order_id, 0.1)

    bench.as_absent(dataclasses.replace(on, actor=actor))

    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["absent", None]
    assert bench.state(holder.order_id) == "unconfirmed"


def test_a_decision_about_another_send_or_case_is_refused_naming_both(bench: Bench) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)
    current = {"send_id": str(on.send_id), "case_no": str(on.case_no)}
    before = bench.snapshot(holder.order_id)

    for other in (
        dataclasses.replace(on, send_id=uuid.uuid4()),
        dataclasses.replace(on, send_id=None),
        dataclasses.replace(on, case_no=on.case_no + 1),
        dataclasses.replace(on, case_no=on.case_no - 1),
    ):
        for decide in (bench.as_absent, bench.resume, bench.give_up, lambda it: bench.by_number(it, "N-1")):
            with refused("CASE_OUTDATED", **current):
                decide(other)

    assert bench.snapshot(holder.order_id) == before


def test_what_was_held_since_is_looked_at_before_it_is_decided(bench: Bench) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))

    with refused("CASE_OUTDATED"):
        bench.as_absent(on)

    assert bench.state(holder.order_id) == "unconfirmed"


def test_a_person_may_allow_what_the_system_may_not(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.make_absent(holder)
    assert bench.order(holder.order_id)["hold_reason"] is not None

    bench.as_absent(holder.order_id)
    later = resend(bench, bench.claim(holder.order_id))
    bench.make_absent(later)

    # And not once more by itself.
    assert bench.order(holder.order_id)["hold_reason"] is not None
    assert [send["settled_by"] for send in bench.sends(holder.order_id)] == ["readings", "operator:ivan", None]


def test_an_absence_by_a_person_leaves_the_systems_own_resend(bench: Bench) -> None:
    holder = sent(bench)
    bench.as_absent(holder.order_id)
    resend(bench, holder)

    bench.make_absent(holder)

    assert bench.order(holder.order_id)["hold_reason"] is None
    bench.read(holder)
    assert bench.gate(holder).order.state == "unconfirmed"


def test_rows_that_a_person_ruled_out_dont_stop_the_order_again(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    bench.as_absent(holder.order_id, 901, 902)

    later = bench.claim(holder.order_id)
    bench.read(later, row(901, "N-1"), row(902, "N-2"))
    bench.intend(later)
    bench.gate(later)
    bench.read(later, row(901, "N-1"), row(902, "N-2"), row(903, "N-3"))

    assert bench.order(holder.order_id)["rosreestr_order_num"] == "N-3"


@pytest.mark.parametrize("rows", [(), (901,), (902,), (901, 902, 903)], ids=str)
def test_absence_names_exactly_the_rows_that_are_shown(bench: Bench, rows: tuple[int, ...]) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    before = bench.snapshot(holder.order_id)

    with refused("UNNAMED", need="rows"):
        bench.as_absent(holder.order_id, *rows)

    assert bench.snapshot(holder.order_id) == before


def test_a_row_that_came_while_the_order_was_held_is_shown_and_not_swallowed(bench: Bench) -> None:
    holder = sent(bench)
    hold(bench)
    bench.read(holder, row(901, "N-1"))
    assert [row.application_id for row in bench.case(holder.order_id).seen.rows] == [901]

    with refused("UNNAMED", need="rows"):
        bench.as_absent(holder.order_id)
    bench.by_number(holder.order_id, "N-1")

    assert bench.order(holder.order_id)["rosreestr_order_num"] == "N-1"


def test_a_row_that_nobody_was_shown_raises_the_alarm(bench: Bench) -> None:
    holder = sent(bench)
    bench.as_absent(holder.order_id)

    bench.read(bench.claim(holder.order_id), row(901, "N-1"))

    order = bench.order(holder.order_id)
    assert (order["state"], len(bench.events(holder.order_id, "alarm"))) == ("processing", 1)
    with refused("ORDER_ON_HOLD"):
        bench.claim(holder.order_id)
    bench.by_number(holder.order_id, "N-1")
    assert bench.state(holder.order_id) == "registered"


def test_a_row_without_an_id_cant_be_ruled_out(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(0, "N-1"))

    with refused("UNNAMED", need="rows"):
        bench.as_absent(holder.order_id, 0)

    assert not [way for way in bench.case(holder.order_id).ways if "--absent" in way]


def test_what_finish_answered_while_the_order_was_held_is_named_too(bench: Bench) -> None:
    holder = sent(bench)
    hold(bench)
    bench.answer(holder, "N-1")

    with refused("UNNAMED", need="answer"):
        bench.as_absent(holder.order_id)
    bench.as_absent(holder.order_id, despite=("N-1",))

    assert bench.order(holder.order_id)["hold_reason"] is None
    bench.claim(holder.order_id)
    assert bench.events(holder.order_id, "alarm") == []


def test_after_an_absence_by_a_person_any_account_may_send_the_order(bench: Bench) -> None:
    holder = sent(bench)
    bench.as_absent(holder.order_id)
    bench.execute("update rosreestr_users set is_active = false")
    bench.add_account("second")

    later = bench.claim(holder.order_id, "second")
    bench.intend(later)
    bench.upload(later)
    assert bench.gate(later).order.state == "unconfirmed"

    # And what the first account's list shows after all is no secret.
    first = bench.sends(holder.order_id)[0]["send_id"]
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=None,
        rows=(row(901, "N-1"),),
        rows_in_all=1,
    )
    bench.tell(holder, reading, first)
    assert (
        bench.order(holder.order_id)["hold_reason"] is None
    )  # the second account has it in hand: its next call weighs it
    bench.release(later)
    assert len(bench.events(holder.order_id, "alarm")) == 1


@pytest.mark.parametrize(
    "spoiled",
    ["'{}'", "content - 'rows'", "jsonb_set(content, '{begun_at}', '\"2026-01-15T12:00:00\"')", "'[1]'"],
    ids=["empty", "no rows", "no zone", "a list"],
)
def test_what_cant_be_read_rules_out_absence_and_stops_nothing_else(bench: Bench, spoiled: str) -> None:
    """It may be the order's row, in the words of a newer version."""
    holder = sent(bench)
    hold(bench)
    bench.read(holder, row(901, "N-1"))
    bench.execute(f"update facts set content = {spoiled}")

    assert bench.case(holder.order_id).seen.unread
    with refused("UNNAMED", need="facts"):
        bench.as_absent(holder.order_id)
    assert not [way for way in bench.case(holder.order_id).ways if "--absent" in way]
    bench.by_number(holder.order_id, "N-1", is_unseen=True)
    bench.claim(holder.order_id)

    assert (bench.state(holder.order_id), bench.order(holder.order_id)["hold_reason"]) == ("registered", None)


def test_an_order_given_up_under_a_number_that_nobody_saw_doesnt_say_that_it_was_paid(bench: Bench) -> None:
    holder = sent(bench)
    bench.by_number(holder.order_id, "N-7", is_unseen=True)

    bench.give_up(holder.order_id)

    assert "оплачено ли, неизвестно" in bench.order(holder.order_id)["status"]


def test_resuming_decides_nothing_about_money(bench: Bench) -> None:
    holder = sent(bench)
    hold(bench)
    relayed(bench)
    sends = bench.sends(holder.order_id)

    bench.resume(holder.order_id)

    order = bench.order(holder.order_id)
    assert (order["state"], order["hold_reason"], order["relayed_at"]) == ("unconfirmed", None, None)
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == [send["outcome"] for send in sends]


def test_an_order_that_is_given_up_says_what_may_have_been_paid(bench: Bench) -> None:
    told = {}
    for cad_num, number in (("77:01:0001001:11", ""), ("77:01:0001001:12", "N-12"), ("77:01:0001001:13", "")):
        holder = bench.sent(cad_num=cad_num)
        if number:
            bench.read(holder, row(912, number, cad_num))
        bench.age(holder.order_id, 0.1)
        if cad_num.endswith("13"):
            bench.as_absent(holder.order_id)
            hold(bench)
        bench.give_up(holder.order_id)
        order = bench.order(holder.order_id)
        assert order["state"] == "failed"
        told[cad_num[-2:]] = order["status"]

    assert "мог быть оплачен" in told["11"]
    assert "N-12" in told["12"]
    assert "не найдена" in told["13"]


def test_an_order_held_after_absence_goes_on_or_gets_its_number(bench: Bench) -> None:
    for application_id, cad_num in ((901, OTHER), (911, "77:01:0001001:1003")):
        holder = bench.sent(cad_num=cad_num)
        bench.make_absent(holder)
        rows = (row(application_id, f"N-{application_id}", cad_num), row(application_id + 1, "N-X", cad_num))
        bench.read(holder, *rows)
        assert bench.order(holder.order_id)["hold_reason"] is not None

        if cad_num == OTHER:
            bench.by_number(holder.order_id, f"N-{application_id}", despite=())
            assert bench.state(holder.order_id) == "registered"
        else:
            bench.as_absent(holder.order_id, application_id, application_id + 1)
            assert bench.state(holder.order_id) == "processing"
        assert bench.order(holder.order_id)["hold_reason"] is None


def test_what_came_in_meanwhile_decides_before_the_person(bench: Bench) -> None:
    holder = sent(bench)
    bench.claim(holder.order_id)
    on = bench.basis(holder.order_id)
    bench.read(holder, row(901, "N-1"))

    with refused("WRONG_STATE", state="registered"):
        bench.as_absent(on)

    # The fact stands, though the decision was refused.
    assert bench.state(holder.order_id) == "registered"


@pytest.mark.parametrize("state", ["queued", "processing", "completed", "failed"])
def test_an_order_that_waits_for_nothing_is_refused(bench: Bench, state: str) -> None:
    match state:
        case "queued":
            order_id = bench.add_order()
        case "processing":
            order_id = bench.uploaded().order_id
        case "completed":
            order_id = bench.completed().order_id
        case _:
            holder = bench.uploaded()
            bench.fail(holder)
            order_id = holder.order_id
    before = bench.snapshot(order_id)

    with refused("WRONG_STATE", state=state):
        bench.as_absent(order_id)
    with refused("WRONG_STATE", state=state):
        bench.by_number(order_id, "N-9")

    assert bench.snapshot(order_id) == before


def test_a_decision_names_its_order_number_and_person(bench: Bench) -> None:
    holder = sent(bench)
    on = bench.basis(holder.order_id)

    with pytest.raises(errors.NotFound):
        bench.as_absent(dataclasses.replace(on, order_id=404))
    with pytest.raises(errors.InvalidInput, match="number"):
        bench.by_number(on, "  ")
    with pytest.raises(errors.InvalidInput, match="reason"):
        bench.run(deciding.give_up(bench.db, on))
    for actor in ("operator: ", ""):
        with pytest.raises(errors.InvalidInput, match="actor"):
            bench.as_absent(dataclasses.replace(on, actor=actor))

    assert bench.state(holder.order_id) == "unconfirmed"
