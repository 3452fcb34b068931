"""Not found, not ready, can't be fulfilled; and jobs that failed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.domain.orders import Holder, OrderInHand
from orders_service.life import reporting, unattended
from orders_service.life.unattended import Verdict
from tests.integration.life.bench import Bench, refused, row

if TYPE_CHECKING:
    from orders_service.domain import facts

NOT_FOUND = "Ошибка: Кадастровый номер не найден на портале"


def not_found(bench: Bench, holder: Holder, recheck_s: float = 600.0) -> OrderInHand:
    return bench.run(reporting.record_not_found(bench.db, holder, recheck_s=recheck_s))


def queue_failed(bench: Bench, holder: Holder, error: str = "три раза", **changes: int) -> Verdict:
    fence = changes.get("fence", holder.fence)
    return bench.run(unattended.fail_by_queue(bench.db, holder.order_id, fence=fence, error=error))


def put_down(bench: Bench) -> None:
    """As it is when the last sign of life is older than a lease."""
    bench.execute("update orders set seen_at = now() - interval '1 h' where seen_at is not null")


def test_an_object_that_isnt_known_is_asked_again_later_by_anybody(bench: Bench) -> None:
    bench.add_account("second")
    holder = bench.claim(bench.add_order())

    answered = not_found(bench, holder)

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_user_id"]) == ("queued", None)
    assert order["not_found_at"] is not None
    wait = bench.one("select extract(epoch from next_at - clock_timestamp()) as s from orders")["s"]
    assert 590 < wait <= 600
    assert answered.order.lane == "main"
    bench.claim(holder.order_id, "second")


def test_the_second_time_it_fails_whoever_asks(bench: Bench) -> None:
    bench.add_account("second")
    not_found(bench, bench.claim(bench.add_order()))
    bench.execute("update orders set not_found_at = not_found_at - interval '550 s'")
    later = bench.claim(1, "second")

    not_found(bench, later)
    before = bench.snapshot(1)
    not_found(bench, later)

    assert bench.order(1)["status"] == NOT_FOUND
    assert bench.snapshot(1) == before


def test_asked_too_early_it_waits_on_from_the_first_time(bench: Bench) -> None:
    not_found(bench, bench.claim(bench.add_order()))
    first = bench.order(1)["not_found_at"]

    not_found(bench, bench.claim(1))

    order = bench.order(1)
    assert (order["state"], order["not_found_at"]) == ("queued", first)


def test_the_repeat_of_not_found_changes_nothing_more(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    not_found(bench, holder)
    before = bench.snapshot(holder.order_id)

    assert not_found(bench, holder).order.state == "queued"
    assert bench.snapshot(holder.order_id) == before


def test_an_order_that_was_sent_stays_with_its_account_when_the_object_isnt_known(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    answered = not_found(bench, holder)

    assert answered.order.state == "processing"
    assert answered.order.lane == "@first"
    assert bench.order(holder.order_id)["seen_at"] is None


def test_not_found_needs_an_order_that_isnt_paid(bench: Bench) -> None:
    for holder in (bench.sent(), bench.registered(cad_num="77:01:0001001:1002")):
        with refused("WRONG_STATE"):
            not_found(bench, holder)


def test_a_check_keeps_what_the_list_says_and_when_to_look_again(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)

    bench.check(holder, row=row(901, "N-1", status="В работе"), next_check_s=60.0)
    bench.check(holder, row=row(901, "N-1", status="Выполняется"))
    bench.check(holder, row=row(901, "N-1", status="Выполняется"))
    bench.check(holder)

    order = bench.order(holder.order_id)
    assert order["portal_status"] == "processing / Выполняется"
    assert order["next_at"] is not None
    # Only what is new is written down.
    assert len(bench.events(holder.order_id, "check")) == 1


def test_a_check_learns_the_application_of_a_number_that_a_person_gave(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)
    bench.execute("update orders set rosreestr_application_id = null")

    bench.check(holder, row=row(901, "N-1"))

    assert bench.order(holder.order_id)["rosreestr_application_id"] == 901


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (row(901, "N-2"), "row.order_number"),
        (row(901, "N-1", "77:01:0001001:1002"), "row.cad_num"),
        (row(902, "N-1"), "row.application_id"),
    ],
)
def test_a_row_of_another_order_is_no_check(bench: Bench, other: facts.ApplicationRow, field: str) -> None:
    holder = bench.registered("N-1", 901)
    before = bench.snapshot(holder.order_id)

    with pytest.raises(errors.InvalidInput) as caught:
        bench.check(holder, row=other)

    assert [violation.field for violation in caught.value.violations] == [field]
    assert bench.snapshot(holder.order_id) == before


def test_a_check_needs_a_number(bench: Bench) -> None:
    with refused("WRONG_STATE", state="unconfirmed"):
        bench.check(bench.sent())


def test_before_the_gate_an_order_fails(bench: Bench) -> None:
    holder = bench.uploaded()

    bench.fail(holder, "Объект погашен")
    before = bench.snapshot(holder.order_id)
    bench.fail(holder, "Объект погашен")

    order = bench.order(holder.order_id)
    assert order["status"] == "Ошибка: Объект погашен"
    assert order["finished_at"] is not None
    assert bench.snapshot(holder.order_id) == before


def test_after_absence_an_order_may_fail(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)

    assert bench.fail(holder).order.state == "failed"


def test_between_gate_and_number_an_order_is_held_in_place_of_failing(bench: Bench) -> None:
    holder = bench.sent()

    bench.fail(holder, "Ничего не вышло", is_portal_verdict=True)
    before = bench.snapshot(holder.order_id)
    bench.fail(holder, "Ещё раз")

    order = bench.order(holder.order_id)
    assert (order["state"], order["hold_reason"], order["seen_at"]) == ("unconfirmed", "Ничего не вышло", None)
    assert bench.snapshot(holder.order_id) == before


def test_a_registered_order_fails_by_the_portals_verdict_alone(bench: Bench) -> None:
    refused_by_portal, broken = bench.registered(), bench.registered("N-2", 902, cad_num="77:01:0001001:1002")

    bench.fail(refused_by_portal, "Отказ", is_portal_verdict=True)
    bench.fail(broken, "Файл не скачивается")

    assert bench.order(refused_by_portal.order_id)["status"] == "Ошибка: Отказ"
    assert bench.order(refused_by_portal.order_id)["rosreestr_order_num"] == "N-1"
    order = bench.order(broken.order_id)
    assert (order["state"], order["hold_reason"]) == ("registered", "Файл не скачивается")


def test_a_failure_says_why(bench: Bench) -> None:
    with pytest.raises(errors.InvalidInput, match="reason"):
        bench.fail(bench.uploaded(), "  ")


def test_a_queued_order_cant_be_failed_by_a_worker(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    bench.release(holder)

    with refused("WRONG_STATE", state="queued"):
        bench.fail(holder)


# Jobs that failed.


def test_with_its_job_an_order_fails_that_isnt_paid(bench: Bench) -> None:
    queued = bench.add_order()
    processing = bench.uploaded(cad_num="77:01:0001001:1002")
    put_down(bench)

    assert queue_failed(bench, bench.delivery(queued), fence=0) is Verdict.FAILED
    assert queue_failed(bench, processing) is Verdict.FAILED

    assert bench.order(queued)["status"] == "Ошибка: три раза"
    assert bench.order(processing.order_id)["status"] == "Ошибка: три раза"
    assert bench.events(queued, "transition")[-1]["actor"] == "reconciler"


def test_with_its_job_an_order_is_held_that_may_be_paid(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    holders = [bench.sent(), bench.registered(cad_num="77:01:0001001:1002")]
    put_down(bench)

    for holder, state in zip(holders, ("unconfirmed", "registered"), strict=True):
        assert queue_failed(bench, holder) is Verdict.HELD
        order = bench.order(holder.order_id)
        assert order["state"] == state
        assert "три раза" in order["hold_reason"]
        assert queue_failed(bench, holder) is Verdict.LEFT_ALONE

    held = [record for record in caplog.records if record.__dict__.get("event") == "order_held"]
    assert [record.levelno for record in held] == [logging.ERROR] * 2


def test_facts_that_wait_are_weighed_before_an_order_fails_with_its_job(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    later = bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))
    put_down(bench)

    assert queue_failed(bench, later) is Verdict.HELD

    assert bench.state(holder.order_id) == "registered"


def test_an_order_that_somebody_went_on_with_is_left_alone(bench: Bench) -> None:
    holder = bench.uploaded()

    assert queue_failed(bench, holder) is Verdict.LEFT_ALONE  # in hand
    later = bench.claim(holder.order_id)
    put_down(bench)
    assert queue_failed(bench, holder) is Verdict.LEFT_ALONE  # an older fence
    with bench.database.connect(autocommit=False) as other:
        other.execute("select 1 from orders for update")
        assert queue_failed(bench, later) is Verdict.LEFT_ALONE  # somebody decides at this moment
    assert queue_failed(bench, bench.delivery(404)) is Verdict.LEFT_ALONE

    assert bench.state(holder.order_id) == "processing"


def test_an_order_can_be_held_by_hand(bench: Bench) -> None:
    holder = bench.uploaded()

    assert bench.run(unattended.hold_order(bench.db, holder.order_id, "why", actor="reconciler", is_alarm=True))
    assert not bench.run(unattended.hold_order(bench.db, holder.order_id, "again", actor="reconciler"))

    assert bench.order(holder.order_id)["hold_reason"] == "why"
    with refused("ORDER_ON_HOLD"):
        bench.gate(holder)


def test_a_claim_and_a_failed_job_at_the_same_moment_leave_one_of_both(bench: Bench) -> None:
    holder = bench.uploaded()
    put_down(bench)

    async def both() -> tuple[object, object]:
        claim = bench.claim_async(bench.delivery(holder.order_id))
        fail = unattended.fail_by_queue(bench.db, holder.order_id, fence=holder.fence, error="три раза")
        return await asyncio.gather(claim, fail, return_exceptions=True)

    claimed, verdict = bench.run(both())

    assert isinstance(claimed, OrderInHand)
    is_failed = verdict is Verdict.FAILED
    assert claimed.order.state == ("failed" if is_failed else "processing")
    assert bench.state(holder.order_id) == claimed.order.state
