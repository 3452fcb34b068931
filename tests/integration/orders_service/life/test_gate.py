"""The gate: once, in order, by the holder alone."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.orders import OrderInHand
from orders_service.life import submitting
from tests.integration.orders_service.life.bench import ABSENT_AFTER_S, PERSON, Bench, refused, row

OTHER_CAD_NUM = "77:01:0001001:1002"


def test_the_intents_guids_are_kept_and_the_rest_is_refreshed(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    first = bench.intend(holder, known_application_ids=(1,)).submission

    second = bench.intend(holder, balance=7, access_key="new", known_application_ids=(1, 2)).submission

    assert first is not None
    assert second is not None
    assert second.super_package_guid == first.super_package_guid
    assert second.statement_guid == first.statement_guid
    assert second.package_guid == first.package_guid
    assert second.draft_guid == first.draft_guid
    assert (second.balance, second.access_key, second.known_application_ids) == (7, "new", (1, 2))
    assert len(bench.events(holder.order_id, "intent")) == 1


@pytest.mark.parametrize("changes", [{"person_oid": "2"}, {"access_key": "new"}, {"portal_cad_num": "77:1:1001:1001"}])
def test_an_upload_that_said_something_else_is_to_be_made_again(bench: Bench, changes: dict[str, str]) -> None:
    holder = bench.uploaded()

    same = bench.intend(holder, balance=7).submission
    bench.execute("update rosreestr_users set person_oid = %(oid)s", oid=changes.get("person_oid", PERSON))
    other = bench.intend(holder, **changes).submission

    assert same is not None
    assert same.uploaded_at is not None
    assert other is not None
    assert other.uploaded_at is None
    with refused("WRONG_STATE", need="upload"):
        bench.gate(holder)


def test_the_gate_needs_intent_and_upload(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())

    with refused("WRONG_STATE", need="intent"):
        bench.upload(holder)
    with refused("WRONG_STATE", need="intent"):
        bench.gate(holder)
    bench.intend(holder)
    with refused("WRONG_STATE", need="upload"):
        bench.gate(holder)
    bench.upload(holder)
    bench.upload(holder)
    gated = bench.gate(holder)

    assert gated.order.state == "unconfirmed"
    assert len(bench.events(holder.order_id, "uploaded")) == 1


def test_the_gate_keeps_what_it_was_passed_with(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()

    gated = bench.gate(holder, send_id)

    (send,) = bench.sends(holder.order_id)
    assert send["send_id"] == send_id
    assert (send["fence"], send["fence_token"], send["epoch"]) == (holder.fence, holder.token, holder.epoch)
    assert (send["balance"], send["absent_after_s"]) == (50, ABSENT_AFTER_S)
    assert gated.open_send is not None
    assert gated.as_of >= gated.open_send.gate_at


def test_the_gates_own_lost_reply_may_be_asked_again(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()
    bench.gate(holder, send_id)
    before = bench.snapshot(holder.order_id)

    again = bench.gate(holder, send_id)

    assert again.open_send is not None
    assert again.open_send.send_id == send_id
    assert bench.snapshot(holder.order_id) == before


def test_another_send_is_refused_while_the_first_is_open(bench: Bench) -> None:
    holder = bench.sent()

    with refused("SEND_OPEN"):
        bench.gate(holder)


def test_a_send_whose_finish_answered_isnt_granted_again(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()
    bench.gate(holder, send_id)
    bench.answer(holder, "", status=500)

    with refused("SEND_OPEN"):
        bench.gate(holder, send_id)


def test_the_next_delivery_cant_use_the_open_send(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()
    bench.gate(holder, send_id)
    later = bench.claim(holder.order_id)

    with refused("SEND_OPEN"):
        bench.gate(later, send_id)
    with refused("STALE_FENCE"):
        bench.gate(holder, send_id)


def test_a_settled_sends_id_is_never_granted_again(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()
    bench.gate(holder, send_id)
    bench.tell(holder, facts.NotSent(reason="closed"), send_id)

    with refused("WRONG_STATE", need="send_id"):
        bench.gate(holder, send_id)

    bench.gate(holder)
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["not_sent", None]


def test_another_orders_send_id_is_refused(bench: Bench) -> None:
    send_id = uuid.uuid4()
    bench.gate(bench.uploaded(), send_id)

    with refused("WRONG_STATE", need="send_id"):
        bench.gate(bench.uploaded(cad_num=OTHER_CAD_NUM), send_id)


@pytest.mark.parametrize("spelling", ["77:01:0001001:1001", "77:01:001001:1001"])
def test_one_order_of_an_object_passes_the_gate_at_a_time(bench: Bench, spelling: str) -> None:
    second = bench.uploaded(cad_num=spelling)
    first = bench.sent()
    before = bench.snapshot(second.order_id)

    with refused("OBJECT_BUSY"):
        bench.gate(second)
    assert bench.snapshot(second.order_id) == before
    bench.read(first, row(901, "N-1"))

    assert bench.gate(second).order.state == "unconfirmed"


def test_another_account_may_send_the_same_object(bench: Bench) -> None:
    bench.add_account("second")
    bench.sent()

    bench.sent("second")


def test_an_order_on_hold_doesnt_pass(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.execute("update orders set hold_reason = 'why', hold_at = now()")

    with refused("ORDER_ON_HOLD"):
        bench.gate(holder)
    with refused("ORDER_ON_HOLD"):
        bench.intend(holder)
    with refused("ORDER_ON_HOLD"):
        bench.upload(holder)

    assert bench.sends(holder.order_id) == []


def test_a_short_time_of_absence_is_for_loopback_only(bench: Bench) -> None:
    holder = bench.uploaded()

    with refused("ABSENT_AFTER_TOO_SHORT"):
        bench.gate(holder, absent_after_s=3599.9)
    for wrong in (0.0, -1.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(errors.InvalidInput):
            bench.gate(holder, absent_after_s=wrong, is_portal_on_loopback=True)
    bench.gate(holder, absent_after_s=15.0, is_portal_on_loopback=True)

    assert bench.sends(holder.order_id)[0]["absent_after_s"] == 15.0


def test_a_worker_whose_account_was_opened_again_passes_nothing(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.open()

    for step in (bench.gate, bench.intend, bench.upload, bench.release, bench.fail):
        with refused("STALE_EPOCH"):
            step(holder)

    assert bench.sends(holder.order_id) == []


def test_an_unknown_account_is_refused(bench: Bench) -> None:
    with refused("ACCOUNT_UNKNOWN"):
        bench.claim(bench.add_order(), "nobody")


@pytest.mark.parametrize("round_", range(5))
def test_of_two_gates_at_the_same_moment_one_is_passed(bench: Bench, round_: int) -> None:
    holder = bench.uploaded()

    async def both() -> list[OrderInHand | BaseException]:
        gates = [
            submitting.pass_gate(
                bench.db, holder, uuid.uuid4(), absent_after_s=ABSENT_AFTER_S, is_portal_on_loopback=False
            )
            for _ in range(4)
        ]
        return await asyncio.gather(*gates, return_exceptions=True)

    answers = bench.run(both())

    assert len([answer for answer in answers if isinstance(answer, OrderInHand)]) == 1
    assert {answer.reason for answer in answers if isinstance(answer, errors.Refused)} == {"SEND_OPEN"}
    assert len(bench.sends(holder.order_id)) == 1


@pytest.mark.parametrize("round_", range(5))
def test_of_two_orders_of_an_object_at_the_same_moment_one_passes(bench: Bench, round_: int) -> None:
    holders = [bench.uploaded() for _ in range(3)]

    async def all_of_them() -> list[OrderInHand | BaseException]:
        gates = [
            submitting.pass_gate(
                bench.db, holder, uuid.uuid4(), absent_after_s=ABSENT_AFTER_S, is_portal_on_loopback=False
            )
            for holder in holders
        ]
        return await asyncio.gather(*gates, return_exceptions=True)

    answers = bench.run(all_of_them())

    assert len([answer for answer in answers if isinstance(answer, OrderInHand)]) == 1
    assert {answer.reason for answer in answers if isinstance(answer, errors.Refused)} == {"OBJECT_BUSY"}
    assert bench.one("select count(*) as sends from sends")["sends"] == 1


def test_a_gate_that_meets_another_account_row_mid_way_is_an_object_busy_by_the_index_alone(bench: Bench) -> None:
    """The index refuses where the look before it can't: the other gate isn't committed yet."""
    first, second = bench.uploaded(), bench.uploaded()
    with bench.database.connect(autocommit=False) as other:
        other.execute(
            "with sent as (insert into sends (send_id, order_id, submission_id, person_oid, fence, fence_token, epoch, "
            "absent_after_s, balance) select gen_random_uuid(), order_id, id, person_oid, 1, 't', 1, 3600, 1 "
            "from submissions where order_id = %s returning order_id, send_id) "
            "update orders set state = 'unconfirmed', open_send_id = send_id from sent where id = order_id",
            [first.order_id],
        )

        async def gate_while_the_other_is_open() -> OrderInHand:
            task = asyncio.create_task(
                submitting.pass_gate(
                    bench.db, second, uuid.uuid4(), absent_after_s=ABSENT_AFTER_S, is_portal_on_loopback=False
                )
            )
            await bench.wait_for_blocked()
            other.commit()
            return await task

        with refused("OBJECT_BUSY"):
            bench.run(gate_while_the_other_is_open())

    assert bench.state(second.order_id) == "processing"


def test_an_opening_waits_for_the_gate_and_comes_after_it(bench: Bench) -> None:
    """A decision is before an opening or after it: never beside it, with an epoch that is over at its commit."""
    holder = bench.uploaded()
    with bench.database.connect(autocommit=False) as other:
        other.execute("select 1 from orders where id = %s for update", [holder.order_id])

        async def open_during_the_gate() -> tuple[OrderInHand, int]:
            gate = asyncio.create_task(
                submitting.pass_gate(
                    bench.db, holder, uuid.uuid4(), absent_after_s=ABSENT_AFTER_S, is_portal_on_loopback=False
                )
            )
            await bench.wait_for_blocked()
            opening = asyncio.create_task(bench.open_async("first"))
            await bench.wait_for_blocked(2)
            other.commit()
            return await gate, await opening

        gated, epoch = bench.run(open_during_the_gate())

    assert gated.order.state == "unconfirmed"
    assert epoch == holder.epoch + 1
