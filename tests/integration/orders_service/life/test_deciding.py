"""What a person decides, and that the relay then puts the order back on the queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.life import deciding
from tests.integration.orders_service.life.bench import Bench, refused, row

if TYPE_CHECKING:
    from orders_service.domain.orders import Holder

OTHER = "77:01:0001001:1002"


def by_number(bench: Bench, order_id: int, number: str, actor: str = "ivan") -> None:
    bench.run(deciding.settle_by_number(bench.db, order_id, number, actor=actor))


def as_absent(bench: Bench, order_id: int, actor: str = "ivan") -> None:
    bench.run(deciding.settle_as_absent(bench.db, order_id, actor=actor))


def sent(bench: Bench) -> Holder:
    """An order whose paid call can't be on its way any more."""
    holder = bench.sent()
    bench.age(holder.order_id, 0.1)
    return holder


def relayed(bench: Bench) -> None:
    """As it is once the relay has put everything on the queue."""
    bench.execute("update orders set relayed_at = now()")


def hold(bench: Bench) -> None:
    bench.execute("update orders set hold_reason = 'why', hold_at = now(), seen_at = null")


def test_a_number_registers_an_unconfirmed_order_and_lifts_the_hold(bench: Bench) -> None:
    holder = bench.sent()
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    relayed(bench)

    by_number(bench, holder.order_id, " N-2 ")

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_order_num"], order["hold_reason"]) == ("registered", "N-2", None)
    assert order["rosreestr_application_id"] == 902
    assert order["relayed_at"] is None
    (send,) = bench.sends(holder.order_id)
    assert (send["outcome"], send["settled_by"]) == ("number", "operator:ivan")
    assert bench.events(holder.order_id, "transition")[-1]["actor"] == "operator:ivan"


def test_the_repeat_of_a_number_changes_nothing_more(bench: Bench) -> None:
    holder = bench.sent()
    by_number(bench, holder.order_id, "N-1")
    relayed(bench)
    before = bench.snapshot(holder.order_id)

    by_number(bench, holder.order_id, "N-1")

    assert bench.snapshot(holder.order_id) == before


def test_another_number_than_the_stored_one_is_refused(bench: Bench) -> None:
    holder = bench.registered("N-1")
    before = bench.snapshot(holder.order_id)

    with refused("WRONG_STATE"):
        by_number(bench, holder.order_id, "N-2")

    assert bench.snapshot(holder.order_id) == before


def test_the_stored_number_lifts_the_hold_of_a_registered_order(bench: Bench) -> None:
    holder = bench.registered("N-1")
    hold(bench)
    relayed(bench)

    by_number(bench, holder.order_id, "N-1")

    order = bench.order(holder.order_id)
    assert (order["state"], order["hold_reason"], order["relayed_at"]) == ("registered", None, None)
    bench.claim(holder.order_id)


def test_a_persons_number_against_finishs_answer_is_written_down(bench: Bench) -> None:
    holder = bench.sent()
    bench.answer(holder, "N-1")

    by_number(bench, holder.order_id, "N-2")

    assert "N-1" in bench.events(holder.order_id, "transition")[-1]["reason"]


def test_a_number_of_another_order_is_refused(bench: Bench) -> None:
    bench.registered("N-1", cad_num=OTHER)
    holder = bench.sent()

    with refused("NUMBER_TAKEN"):
        by_number(bench, holder.order_id, "N-1")

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.sends(holder.order_id)[0]["outcome"] is None


def test_of_two_orders_given_one_number_at_the_same_moment_one_gets_it(bench: Bench) -> None:
    first, second = bench.sent(), bench.sent(cad_num=OTHER)

    async def both() -> list[BaseException | None]:
        calls = [
            deciding.settle_by_number(bench.db, holder.order_id, "N-1", actor="ivan") for holder in (first, second)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = bench.run(both())

    assert [answer.reason for answer in answers if isinstance(answer, errors.Refused)] == ["NUMBER_TAKEN"]
    assert sorted([bench.state(first.order_id), bench.state(second.order_id)]) == ["registered", "unconfirmed"]


def test_absence_allows_one_more_send_after_one_more_reading(bench: Bench) -> None:
    holder = sent(bench)
    relayed(bench)

    as_absent(bench, holder.order_id)

    order = bench.order(holder.order_id)
    assert (order["state"], order["relayed_at"]) == ("processing", None)
    assert [(send["outcome"], send["settled_by"]) for send in bench.sends(holder.order_id)] == [
        ("absent", "operator:ivan")
    ]
    with refused("WRONG_STATE", need="reading"):
        bench.gate(holder)
    bench.read(holder)
    assert bench.gate(holder).order.state == "unconfirmed"


def test_no_absence_is_taken_while_the_paid_call_may_be_on_its_way(bench: Bench) -> None:
    """The call of a worker between gate and answer would be charged, and the resend, too."""
    holder = bench.sent()
    before = bench.snapshot(holder.order_id)

    with refused("WRONG_STATE", need="time"):
        as_absent(bench, holder.order_id)

    assert bench.snapshot(holder.order_id) == before
    bench.age(holder.order_id, 0.1)
    as_absent(bench, holder.order_id)
    assert bench.state(holder.order_id) == "processing"


def test_a_short_time_of_absence_shortens_the_wait_for_a_persons_word(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.gate(holder, absent_after_s=0.001, is_portal_on_loopback=True)

    as_absent(bench, holder.order_id)

    assert bench.state(holder.order_id) == "processing"


@pytest.mark.parametrize("actor", ["ivan", "operator:ivan", "maria"])
def test_the_repeat_of_an_absence_changes_nothing_more(bench: Bench, actor: str) -> None:
    holder = sent(bench)
    as_absent(bench, holder.order_id)
    relayed(bench)
    before = bench.snapshot(holder.order_id)

    as_absent(bench, holder.order_id, actor)

    assert bench.snapshot(holder.order_id) == before


def test_a_person_may_allow_what_the_system_may_not(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    bench.read(holder)
    bench.gate(holder)
    bench.make_absent(holder)
    assert bench.order(holder.order_id)["hold_reason"] is not None

    as_absent(bench, holder.order_id)
    later = bench.claim(holder.order_id)
    bench.read(later)
    bench.gate(later)
    bench.make_absent(later)

    # And not once more by itself.
    assert bench.order(holder.order_id)["hold_reason"] is not None
    assert [send["settled_by"] for send in bench.sends(holder.order_id)] == ["readings", "operator:ivan", None]


def test_an_absence_by_a_person_leaves_the_systems_own_resend(bench: Bench) -> None:
    holder = sent(bench)
    as_absent(bench, holder.order_id)
    bench.read(holder)
    bench.gate(holder)

    bench.make_absent(holder)

    assert bench.order(holder.order_id)["hold_reason"] is None
    bench.read(holder)
    assert bench.gate(holder).order.state == "unconfirmed"


def test_rows_that_a_person_has_seen_dont_stop_the_order_again(bench: Bench) -> None:
    holder = sent(bench)
    bench.read(holder, row(901, "N-1"), row(902, "N-2"))
    as_absent(bench, holder.order_id)

    later = bench.claim(holder.order_id)
    bench.read(later, row(901, "N-1"), row(902, "N-2"))
    bench.gate(later)
    bench.read(later, row(901, "N-1"), row(902, "N-2"), row(903, "N-3"))

    assert bench.order(holder.order_id)["rosreestr_order_num"] == "N-3"


def test_an_order_held_after_absence_goes_on_or_gets_its_number(bench: Bench) -> None:
    for application_id, cad_num in ((901, OTHER), (911, "77:01:0001001:1003")):
        holder = bench.sent(cad_num=cad_num)
        bench.make_absent(holder)
        rows = (row(application_id, f"N-{application_id}", cad_num), row(application_id + 1, "N-X", cad_num))
        bench.read(holder, *rows)
        assert bench.order(holder.order_id)["hold_reason"] is not None

        if cad_num == OTHER:
            by_number(bench, holder.order_id, f"N-{application_id}")
            assert bench.state(holder.order_id) == "registered"
        else:
            as_absent(bench, holder.order_id)
            assert bench.state(holder.order_id) == "processing"
        assert bench.order(holder.order_id)["hold_reason"] is None


def test_what_came_in_meanwhile_decides_before_the_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))

    with refused("WRONG_STATE", state="registered"):
        as_absent(bench, holder.order_id)

    # The fact stands, though the decision was refused.
    assert bench.state(holder.order_id) == "registered"


@pytest.mark.parametrize("state", ["queued", "processing", "registered", "completed", "failed"])
def test_an_order_that_waits_for_nothing_is_refused(bench: Bench, state: str) -> None:
    match state:
        case "queued":
            order_id = bench.add_order()
        case "processing":
            order_id = bench.uploaded().order_id
        case "registered":
            order_id = bench.registered().order_id
        case "completed":
            order_id = bench.completed().order_id
        case _:
            holder = bench.uploaded()
            bench.fail(holder)
            order_id = holder.order_id
    before = bench.snapshot(order_id)

    with refused("WRONG_STATE", state=state):
        as_absent(bench, order_id)
    with refused("WRONG_STATE", state=state):
        by_number(bench, order_id, "N-9")

    assert bench.snapshot(order_id) == before


def test_a_decision_names_its_order_number_and_person(bench: Bench) -> None:
    holder = sent(bench)

    with pytest.raises(errors.NotFound):
        by_number(bench, 404, "N-1")
    with pytest.raises(errors.NotFound):
        as_absent(bench, 404)
    with pytest.raises(errors.InvalidInput, match="number"):
        by_number(bench, holder.order_id, "  ")
    with pytest.raises(errors.InvalidInput, match="actor"):
        by_number(bench, holder.order_id, "N-1", "operator: ")
    with pytest.raises(errors.InvalidInput, match="actor"):
        as_absent(bench, holder.order_id, "")

    assert bench.state(holder.order_id) == "unconfirmed"
