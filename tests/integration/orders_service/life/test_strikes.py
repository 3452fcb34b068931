"""Trouble that comes again: counted by order and step, with growing pauses, and a person in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.strikes import Trouble
from orders_service.life import claiming, opening
from tests.integration.orders_service.life.bench import Bench, refused

if TYPE_CHECKING:
    from orders_service.domain.orders import Holder, OrderInHand

DAY_S = 24 * 3600.0


def strike(
    bench: Bench,
    holder: Holder,
    step: str = "card",
    *,
    limit: int = 0,
    delay_s: float = 10.0,
    reason: str = "no status",
) -> OrderInHand:
    trouble = Trouble(step=step, limit=limit)
    return bench.run(claiming.release_order(bench.db, holder, reason=reason, delay_s=delay_s, trouble=trouble))


def pause_s(answered: OrderInHand) -> float:
    assert answered.order.next_at is not None
    return (answered.order.next_at - answered.as_of).total_seconds()


def let_age(bench: Bench, seconds: float) -> None:
    """As if the first strikes were so long ago."""
    bench.execute("update strikes set first_at = first_at - make_interval(secs => %(seconds)s)", seconds=seconds)


def test_the_pause_doubles_with_each_strike_up_to_half_an_hour(bench: Bench) -> None:
    order_id = bench.add_order()

    pauses = [pause_s(strike(bench, bench.claim(order_id))) for _ in range(10)]

    assert pauses == pytest.approx([10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800], abs=1)
    assert bench.one("select state from orders")["state"] == "queued"


def test_what_the_portal_named_is_the_least(bench: Bench) -> None:
    assert pause_s(strike(bench, bench.claim(bench.add_order()), delay_s=7200.0)) == pytest.approx(7200, abs=1)


def test_each_step_is_counted_by_itself(bench: Bench) -> None:
    order_id = bench.add_order()

    for step in ("card", "upload", "card"):
        strike(bench, bench.claim(order_id), step)

    assert bench.all("select step, count from strikes order by step") == [
        {"step": "card", "count": 2},
        {"step": "upload", "count": 1},
    ]


def test_the_repeat_of_a_delivery_counts_once(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())

    first, again = strike(bench, holder, limit=2), strike(bench, holder, limit=2)

    assert bench.one("select count from strikes")["count"] == 1
    assert again.order.hold_reason is None
    assert again.order.next_at == first.order.next_at


def test_after_its_limit_a_person_decides_and_the_order_is_free_for_any_account(bench: Bench) -> None:
    order_id = bench.add_order()
    bench.intend(bench.claim(order_id))  # bound, and left behind: nothing was sent

    for _ in range(3):
        answered = strike(bench, bench.claim(order_id), limit=3)

    row = bench.one("select state, bound_at, hold_reason from orders")
    assert (row["state"], row["bound_at"]) == ("queued", None)
    assert "3 times" in row["hold_reason"]
    assert "card" in row["hold_reason"]
    assert "no status" in row["hold_reason"]
    assert "orders-service orders show" in row["hold_reason"]
    assert answered.order.hold_reason == row["hold_reason"]
    with refused("ORDER_ON_HOLD"):
        bench.claim(order_id)


def test_one_strike_can_be_enough_and_is_told_as_it_was(bench: Bench) -> None:
    answered = strike(bench, bench.claim(bench.add_order()), limit=1, reason="It may be paid")

    assert (answered.order.hold_reason or "").startswith("It may be paid.")


@pytest.mark.parametrize(
    ("age_s", "strikes", "is_held"),
    [(DAY_S - 60, 5, False), (DAY_S + 60, 4, False), (DAY_S + 60, 5, True)],
    ids=["not a day", "now and then", "a day"],
)
def test_without_a_limit_a_day_of_it_is_enough(bench: Bench, age_s: float, strikes: int, is_held: bool) -> None:
    order_id = bench.add_order()
    for _ in range(strikes - 1):
        strike(bench, bench.claim(order_id))
    let_age(bench, age_s)

    answered = strike(bench, bench.claim(order_id))

    assert (answered.order.hold_reason is not None) is is_held


def test_a_registered_order_has_three_days(bench: Bench) -> None:
    holder = bench.registered()
    for _ in range(5):
        strike(bench, holder, "download")
        holder = bench.claim(holder.order_id)
    let_age(bench, DAY_S + 60)
    assert strike(bench, holder, "download").order.hold_reason is None
    let_age(bench, 2 * DAY_S)

    answered = strike(bench, bench.claim(holder.order_id), "download")

    assert answered.order.hold_reason is not None
    assert answered.order.state == "registered", "it is paid: it only waits for a person"


def test_an_order_that_moves_on_begins_anew(bench: Bench) -> None:
    order_id = bench.add_order()
    strike(bench, bench.claim(order_id))
    holder = bench.claim(order_id)
    assert bench.all("select step from strikes") == [{"step": "card"}], "a claim alone is no move"

    bench.intend(holder)
    bench.upload(holder)
    bench.gate(holder)

    assert bench.all("select step from strikes") == []


def test_a_person_who_lets_it_go_on_lets_it_begin_anew(bench: Bench) -> None:
    order_id = bench.add_order()
    strike(bench, bench.claim(order_id), limit=1)

    bench.execute("update orders set hold_reason = null, hold_at = null")

    assert bench.all("select step from strikes") == []


def test_an_order_on_hold_or_over_is_struck_no_more(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    bench.execute("update orders set hold_reason = 'why', hold_at = now()")

    strike(bench, holder, limit=1)

    assert bench.one("select hold_reason from orders")["hold_reason"] == "why"
    assert bench.all("select step from strikes") == []


@pytest.mark.parametrize(("step", "limit"), [("", 0), (" ", 0), ("x" * 65, 0), ("card", -1)])
def test_trouble_that_isnt_told_properly_is_refused(bench: Bench, step: str, limit: int) -> None:
    with pytest.raises(errors.InvalidInput, match=r"trouble\."):
        strike(bench, bench.claim(bench.add_order()), step, limit=limit)


def count_password(bench: Bench, epoch: int, *, was_useful: bool = False) -> tuple[int, float | None]:
    account = bench.run(opening.record_password(bench.db, "first", epoch, was_useful=was_useful)).account
    return account.passwords_sent, account.password_age_s


def test_passwords_are_counted_over_openings_until_a_call_was_of_use(bench: Bench) -> None:
    epoch = bench.open()
    assert count_password(bench, epoch)[0] == 1
    epoch = bench.open()
    sent, age_s = count_password(bench, epoch)
    assert sent == 2
    assert age_s is not None
    assert age_s < 60
    updated_at = bench.one("select updated_at from rosreestr_users")["updated_at"]

    assert count_password(bench, epoch, was_useful=True) == (0, None)
    assert bench.one("select updated_at from rosreestr_users")["updated_at"] == updated_at, "no news to anybody"
    with refused("STALE_EPOCH"):
        count_password(bench, epoch - 1)


@pytest.mark.parametrize(
    "assignment",
    ["password_encrypted = 'new'", "session_encrypted = 'new'", "totp_encrypted = 'new'", "is_active = true"],
)
def test_who_gives_a_new_secret_or_activates_the_account_looked_at_it(bench: Bench, assignment: str) -> None:
    epoch = bench.open()
    count_password(bench, epoch)

    bench.execute(f"update rosreestr_users set {assignment}")

    assert bench.one("select passwords_sent, password_sent_at from rosreestr_users") == {
        "passwords_sent": 0,
        "password_sent_at": None,
    }


def test_a_standby_says_how_long_it_lasts_by_the_databases_clock(bench: Bench) -> None:
    epoch = bench.open()

    marked = bench.run(
        opening.mark_account(bench.db, "first", epoch, kind="limited", reason="the day's limit", retry_in_s=600.0)
    ).account

    assert marked.standby_left_s == pytest.approx(600, abs=5)
    assert not marked.can_take_new


def test_a_paid_call_that_is_never_sent_is_counted_over_all_of_its_gates(bench: Bench) -> None:
    """At each the order moves on and comes back: it went on for ever, with a visit and a send each time."""
    order_id = bench.add_order()

    for _ in range(4):
        holder = bench.claim(order_id)
        bench.intend(holder)
        bench.upload(holder)
        bench.gate(holder)
        bench.tell(holder, facts.NotSent(reason="the connection closed"))
        answered = strike(bench, holder, "finish", limit=4)

    assert answered.order.hold_reason is not None
    bench.execute("update orders set hold_reason = null, hold_at = null")
    assert bench.find("select * from strikes") is None, "a person let it go on"
