"""Not found, not ready, can't be fulfilled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.life import reporting
from tests.integration.orders_service.life.bench import Bench, refused, row

if TYPE_CHECKING:
    from orders_service.domain import facts
    from orders_service.domain.orders import Holder, OrderInHand

NOT_FOUND = "Ошибка: Кадастровый номер не найден на портале"


def not_found(bench: Bench, holder: Holder, recheck_s: float = 600.0) -> OrderInHand:
    return bench.run(reporting.record_not_found(bench.db, holder, recheck_s=recheck_s))


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
    assert (order["state"], order["seen_at"]) == ("unconfirmed", None)
    assert order["hold_reason"].startswith("Ничего не вышло. ")
    assert bench.snapshot(holder.order_id) == before


def test_a_registered_order_fails_by_the_portals_verdict_alone(bench: Bench) -> None:
    refused_by_portal, broken = bench.registered(), bench.registered("N-2", 902, cad_num="77:01:0001001:1002")

    bench.fail(refused_by_portal, "Отказ", is_portal_verdict=True)
    bench.fail(broken, "Файл не скачивается")

    assert bench.order(refused_by_portal.order_id)["status"] == "Ошибка: Отказ"
    assert bench.order(refused_by_portal.order_id)["rosreestr_order_num"] == "N-1"
    order = bench.order(broken.order_id)
    assert order["state"] == "registered"
    assert order["hold_reason"].startswith("Файл не скачивается. ")


def test_a_failure_says_why(bench: Bench) -> None:
    with pytest.raises(errors.InvalidInput, match="reason"):
        bench.fail(bench.uploaded(), "  ")


def test_a_queued_order_cant_be_failed_by_a_worker(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    bench.release(holder)

    with refused("WRONG_STATE", state="queued"):
        bench.fail(holder)


def test_a_registered_order_whose_row_the_list_never_shows_is_for_a_person(bench: Bench) -> None:
    """A mistyped number would be asked for without an end, and the paid order be lost."""
    holder = bench.sent()
    bench.age(holder.order_id, 0.1)
    bench.by_number(holder.order_id, "N-7", is_unseen=True)
    holder = bench.claim(holder.order_id)

    bench.check(holder)
    assert bench.order(holder.order_id)["hold_reason"] is None
    bench.execute("update orders set row_missing_since = row_missing_since - interval '3601 s'")
    bench.check(holder)

    assert "N-7" in bench.order(holder.order_id)["hold_reason"]
    bench.by_number(holder.order_id, "N-8", is_unseen=True)
    bench.check(bench.claim(holder.order_id))
    assert bench.order(holder.order_id)["hold_reason"] is None, "and is looked for over the whole time again"


def test_a_row_that_was_seen_again_is_missing_from_anew(bench: Bench) -> None:
    holder = bench.registered("N-1", 901)
    bench.check(holder)
    bench.execute("update orders set row_missing_since = row_missing_since - interval '3601 s'")

    bench.check(holder, row=row(901, "N-1"))
    bench.check(holder)

    assert bench.order(holder.order_id)["hold_reason"] is None
