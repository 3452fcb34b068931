"""Cancelling and trying again: every state × what was sent × both; nothing that could be lost or paid twice is done."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import cancelling, claiming, keeping_facts, retrying, submitting, unattended
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, refused, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.orders import Holder


def cancel(bench: Bench, order_id: int, reason: str = "не нужен") -> None:
    bench.run(cancelling.cancel(bench.db, order_id, actor="client:crm", reason=reason))


def retry(bench: Bench, order_id: int) -> None:
    on = dataclasses.replace(bench.basis(order_id), reason="the portal is back")
    bench.run(retrying.retry(bench.db, on))


def hold(bench: Bench, order_id: int) -> None:
    bench.execute("update orders set hold_reason = 'why', hold_at = now() where id = %(id)s", id=order_id)


def queued(bench: Bench) -> int:
    return bench.add_order()


def bound(bench: Bench) -> int:
    return bench.uploaded().order_id


def not_sent(bench: Bench) -> int:
    holder = bench.sent()
    bench.tell(holder, facts.NotSent(reason="closed"))
    return holder.order_id


def unconfirmed(bench: Bench) -> int:
    return bench.sent().order_id


def absent(bench: Bench) -> int:
    holder = bench.sent()
    bench.make_absent(holder)
    return holder.order_id


def denied(bench: Bench) -> int:
    order_id = bench.sent().order_id
    bench.age(order_id, 1.0)
    bench.as_absent(order_id)
    return order_id


def registered(bench: Bench) -> int:
    return bench.registered().order_id


def seen_unweighed(bench: Bench) -> int:
    """Held, and what its sender said of the send wasn't judged yet."""
    order_id = not_sent(bench)
    send_id = bench.sends(order_id)[0]["send_id"]
    hold(bench, order_id)
    answer = facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1")
    bench.tell(bench.delivery(order_id), answer, send_id)
    return order_id


def answered(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    """The same, and finish answered the send of which its sender said that nothing had left."""

    def tell(bench: Bench) -> int:
        order_id = make(bench)
        bench.execute("update orders set seen_at = null")
        bench.answer(bench.delivery(order_id), "N-1")
        return order_id

    return tell


def failed(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    """The same, failed in its holder's hand, or given up where it can't fail by itself."""

    def end(bench: Bench) -> int:
        order_id = make(bench)
        state = bench.state(order_id)
        if state == "unconfirmed":
            bench.give_up(order_id)
        elif state == "registered":
            bench.fail(bench.claim(order_id), is_portal_verdict=True)
        else:
            bench.fail(bench.claim(order_id))
        assert bench.state(order_id) == "failed"
        return order_id

    return end


def failed_with_its_job(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    def end(bench: Bench) -> int:
        order_id = make(bench)
        bench.execute("update orders set seen_at = null")
        fence = bench.order(order_id)["fence"]
        bench.run(unattended.fail_by_queue(bench.db, order_id, fence=fence, error="три раза"))
        assert bench.state(order_id) == "failed"
        return order_id

    return end


def given_up(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    def end(bench: Bench) -> int:
        order_id = make(bench)
        bench.give_up(order_id)
        return order_id

    return end


def cancelled(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    def end(bench: Bench) -> int:
        order_id = make(bench)
        cancel(bench, order_id)
        return order_id

    return end


def held(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    def stop(bench: Bench) -> int:
        order_id = make(bench)
        hold(bench, order_id)
        return order_id

    return stop


def taken_over(state: str) -> Callable[[Bench], int]:
    """It was over already when it came from the system before, which kept no journal."""

    def end(bench: Bench) -> int:
        order_id = bench.add_order()
        error = "'x'" if state == "failed" else "null"
        bench.execute(
            f"update orders set state = '{state}', error = {error}, finished_at = now(), relayed_at = now() "
            "where id = %(id)s",
            id=order_id,
        )
        bench.execute(
            "insert into order_events (order_id, actor, kind, to_state) "
            f"values (%(id)s, 'old-system', 'transition', '{state}')",
            id=order_id,
        )
        return order_id

    return end


def seen_late(make: Callable[[Bench], int]) -> Callable[[Bench], int]:
    """The same, and its account's list shows a row of it by now."""

    def show(bench: Bench) -> int:
        order_id = make(bench)
        bench.read(bench.delivery(order_id), row(901, "N-1"))
        return order_id

    return show


#: What an order is like; where it is after `cancel` and after `retry`. `-`: refused, and nothing is changed.
TABLE: Final[dict[str, tuple[Callable[[Bench], int], str, str]]] = {
    "queued": (queued, "cancelled", "-"),
    "queued, held": (held(queued), "cancelled", "-"),
    "bound": (bound, "cancelled", "-"),
    "bound, held": (held(bound), "cancelled", "-"),
    "not sent": (not_sent, "cancelled", "-"),
    "not sent, and what was seen since isn't judged": (seen_unweighed, "-", "-"),
    "not sent, and answered all the same": (answered(not_sent), "-", "-"),
    "unconfirmed": (unconfirmed, "-", "-"),
    "unconfirmed, held": (held(unconfirmed), "-", "-"),
    "absent by readings": (absent, "-", "-"),
    "absent by a person": (denied, "-", "-"),
    "registered": (registered, "-", "-"),
    "completed": (lambda bench: bench.completed().order_id, "-", "-"),
    "failed before anything was sent": (failed(bound), "-", "queued"),
    "failed, not sent": (failed(not_sent), "-", "queued"),
    "failed, not sent, and answered since": (answered(failed(not_sent)), "-", "-"),
    "given up with an open send": (failed(unconfirmed), "-", "unconfirmed"),
    "given up with an open send, seen since": (seen_late(failed(unconfirmed)), "-", "unconfirmed"),
    "failed, absent by readings": (failed(absent), "-", "processing"),
    "failed, absent by readings, seen since": (seen_late(failed(absent)), "-", "-"),
    "failed, absent by a person": (failed(denied), "-", "processing"),
    "failed, absent by a person, seen since": (seen_late(failed(denied)), "-", "-"),
    "failed with its number": (failed(registered), "-", "registered"),
    "given up with its number": (given_up(registered), "-", "registered"),
    "given up while held, never claimed": (given_up(held(queued)), "-", "queued"),
    "given up while held, bound": (given_up(held(bound)), "-", "queued"),
    "given up while held, absent by readings": (given_up(held(absent)), "-", "processing"),
    "failed with its job, never claimed": (failed_with_its_job(queued), "-", "queued"),
    "failed with its job, bound": (failed_with_its_job(bound), "-", "queued"),
    "failed with its job, absent by readings": (failed_with_its_job(absent), "-", "processing"),
    "cancelled": (cancelled(queued), "cancelled", "queued"),
    "cancelled in its account's hand": (cancelled(bound), "cancelled", "queued"),
    "cancelled, not sent": (cancelled(not_sent), "cancelled", "queued"),
    "cancelled, not sent, and answered since": (answered(cancelled(not_sent)), "cancelled", "-"),
    "failed in the system before": (taken_over("failed"), "-", "-"),
    "cancelled in the system before": (taken_over("cancelled"), "cancelled", "-"),
}
OPERATIONS: Final[dict[str, Callable[[Bench, int], Any]]] = {"cancel": cancel, "retry": retry}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", TABLE)
def test_each_order_ends_where_the_table_says_and_is_never_sent_by_it(bench: Bench, name: str, operation: str) -> None:
    make, *ends = TABLE[name]
    wanted = dict(zip(OPERATIONS, ends, strict=True))[operation]
    order_id = make(bench)
    before = bench.snapshot(order_id)

    if wanted == "-":
        with pytest.raises(errors.Refused) as caught:
            OPERATIONS[operation](bench, order_id)
        assert caught.value.reason == "WRONG_STATE"
        assert caught.value.metadata["state"] == before["order"]["state"]
        assert bench.snapshot(order_id) == before
        return
    OPERATIONS[operation](bench, order_id)

    order = bench.order(order_id)
    assert order["state"] == wanted
    assert (order["hold_reason"], order["seen_at"], order["next_at"]) == (None, None, None)
    for table in ("submissions", "sends", "papers"):
        after = bench.snapshot(order_id)[table]
        assert [each.get("send_id") for each in after] == [each.get("send_id") for each in before[table]], table
        assert [each.get("outcome") for each in after] == [each.get("outcome") for each in before[table]], table
    if wanted == "cancelled":
        assert not [send for send in bench.sends(order_id) if send["outcome"] != "not_sent"], "nothing may have left"
        assert order["relayed_at"] is not None, "it is no order for the relay"
    else:
        assert (order["relayed_at"], order["error"], order["finished_at"]) == (None, None, None)
        assert order["case_no"] == before["order"]["case_no"] + 1
    if before["order"]["state"] != wanted:
        (event,) = bench.events(order_id, "transition")[-1:]
        assert event["to_state"] == wanted
        assert event["actor"] == ("client:crm" if operation == "cancel" else "operator:ivan")


@pytest.mark.parametrize("name", [name for name, (_, _, end) in TABLE.items() if end != "-"])
def test_what_was_tried_again_is_sent_only_after_its_list_was_looked_at(bench: Bench, name: str) -> None:
    """The worker of its account, and one of another, go on as they do: a row that is there now is never paid again."""
    bench.add_account("second")
    order_id = TABLE[name][0](bench)
    may_have_left = [send for send in bench.sends(order_id) if send["outcome"] != "not_sent"]
    retry(bench, order_id)

    for username in ("second", "first"):
        try:
            go_on(bench, order_id, username, row(901, "N-1"))
        except errors.Refused:
            continue

    sends = [send for send in bench.sends(order_id) if send["outcome"] != "not_sent"]
    if any(send["settled_by"] == "operator:ivan" for send in may_have_left):
        # By a person's word it is free: an account of somebody else may have sent it.
        assert len(sends) <= 2
    elif may_have_left:
        assert len(sends) == 1, "not sent again"
        assert bench.order(order_id)["rosreestr_order_num"] == "N-1"
    else:
        assert len(sends) == 1, "sent once"


def go_on(bench: Bench, order_id: int, username: str, seen: facts.ApplicationRow) -> None:
    holder = bench.delivery(order_id, username)
    told = bench.run(claiming.claim_order(bench.db, holder))
    if told.order.state in ("unconfirmed", "registered") or told.was_sent:
        read(bench, holder, seen)
    if bench.state(order_id) == "processing":
        bench.intend(holder)
        bench.upload(holder)
        bench.gate(holder)


def read(bench: Bench, holder: Holder, *rows: facts.ApplicationRow) -> None:
    reading = facts.ListReading(
        begun_at=bench.now(),
        person_oid=PERSON if holder.username == "first" else f"{PERSON}-{holder.username}",
        is_unfiltered=True,
        is_complete=True,
        balance=BALANCE,
        rows=rows,
        rows_in_all=len(rows),
    )
    bench.run(keeping_facts.record_fact(bench.db, holder, reading, send_id=None))


def test_who_has_a_cancelled_order_in_hand_passes_no_gate(bench: Bench) -> None:
    holder = bench.uploaded()

    cancel(bench, holder.order_id)

    for step in (bench.upload, bench.gate, bench.intend):
        with refused("WRONG_STATE", state="cancelled"):
            step(holder)
    assert bench.release(holder).order.state == "cancelled", "he puts it down as it is"
    assert bench.sends(holder.order_id) == []
    assert bench.order(holder.order_id)["next_at"] is None
    assert bench.run(claiming.claim_order(bench.db, bench.delivery(holder.order_id))).order.state == "cancelled"


def test_of_a_gate_and_a_cancelling_at_the_same_moment_one_is_refused(bench: Bench) -> None:
    for number in range(1, 11):
        holder = bench.uploaded(cad_num=f"77:01:0001001:{number}")

        async def both(holder: Holder = holder) -> tuple[object, object]:
            gate = submitting.pass_gate(
                bench.db, holder, uuid.uuid4(), absent_after_s=3600.0, is_portal_on_loopback=False
            )
            end = cancelling.cancel(bench.db, holder.order_id, actor="client:crm", reason="не нужен")
            return await asyncio.gather(gate, end, return_exceptions=True)

        answers = bench.run(both())

        refusals = [answer.reason for answer in answers if isinstance(answer, errors.Refused)]
        assert refusals == ["WRONG_STATE"]
        sent = len(bench.sends(holder.order_id))
        assert bench.state(holder.order_id) == ("unconfirmed" if sent else "cancelled")


def test_a_cancelling_that_is_repeated_changes_nothing_more(bench: Bench) -> None:
    order_id = queued(bench)
    cancel(bench, order_id)
    before = bench.snapshot(order_id)

    cancel(bench, order_id, "once more")

    assert bench.snapshot(order_id) == before


def test_a_retry_that_is_repeated_changes_nothing_more_whatever_came_of_the_order(bench: Bench) -> None:
    order_id = failed(bound)(bench)
    on = dataclasses.replace(bench.basis(order_id), reason="the portal is back")
    bench.run(retrying.retry(bench.db, on))
    bench.fail(bench.claim(order_id), "again")
    before = bench.snapshot(order_id)

    bench.run(retrying.retry(bench.db, on))

    assert bench.snapshot(order_id) == before


def test_a_retry_needs_a_reason_and_so_does_a_cancelling(bench: Bench) -> None:
    order_id = failed(bound)(bench)

    with pytest.raises(errors.InvalidInput, match="reason"):
        bench.run(retrying.retry(bench.db, bench.basis(order_id)))
    with pytest.raises(errors.InvalidInput, match="reason"):
        cancel(bench, order_id, " ")
    with pytest.raises(errors.NotFound):
        cancel(bench, 404)


def test_an_order_isnt_looked_for_again_while_another_of_its_object_is_at_its_gate(bench: Bench) -> None:
    order_id = failed(unconfirmed)(bench)
    bench.sent()

    with refused("WRONG_STATE", need="time"):
        retry(bench, order_id)

    assert bench.state(order_id) == "failed"


def test_an_object_that_wasnt_known_is_asked_about_twice_again(bench: Bench) -> None:
    order_id = failed(bound)(bench)
    bench.execute("update orders set not_found_at = now() - interval '1 day'")

    retry(bench, order_id)

    assert bench.order(order_id)["not_found_at"] is None


@pytest.mark.parametrize("name", TABLE)
def test_each_way_that_is_shown_is_one(bench: Bench, name: str) -> None:
    make, after_cancel, after_retry = TABLE[name]
    order_id = make(bench)
    is_cancelled = bench.state(order_id) == "cancelled"

    ways = bench.case(order_id).ways

    can_cancel = after_cancel != "-" and not is_cancelled
    assert (f"orders-service orders cancel {order_id} --why WHY" in ways) is can_cancel
    assert (f"orders-service orders retry {order_id} --why WHY" in ways) is (after_retry != "-")
