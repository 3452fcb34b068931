"""Who may take an order in hand, and how it is put down."""

from __future__ import annotations

import dataclasses

import pytest

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import claiming
from tests.integration.orders_service.life.bench import Bench, refused


def test_a_claim_takes_a_queued_order_in_hand(bench: Bench) -> None:
    order_id = bench.add_order(next_at="2020-01-01")

    holder = bench.claim(order_id)

    order = bench.order(order_id)
    assert (order["state"], order["fence"], order["fence_token"]) == ("processing", holder.fence, holder.token)
    assert order["seen_at"] is not None
    assert order["next_at"] is None
    assert [event["actor"] for event in bench.events(order_id, "transition")] == ["worker:first"]


def test_the_repeat_of_a_claim_changes_nothing_more(bench: Bench) -> None:
    order_id = bench.add_order()
    holder = bench.claim(order_id)
    before = bench.snapshot(order_id)

    again = bench.run(claiming.claim_order(bench.db, holder))

    assert again.order.state == "processing"
    assert bench.snapshot(order_id) == before


@pytest.mark.parametrize(
    "changes", [{"fence": 1}, {"token": "another"}, {"username": "second"}], ids=["older", "token", "account"]
)
def test_a_claim_that_isnt_newer_is_refused(bench: Bench, changes: dict[str, object]) -> None:
    bench.add_account("second")
    order_id = bench.add_order()
    holder = bench.claim(order_id)
    before = bench.snapshot(order_id)
    late = dataclasses.replace(holder, **changes)  # type: ignore[arg-type]

    with refused("STALE_FENCE", fence=str(holder.fence)):
        bench.run(claiming.claim_order(bench.db, late))

    assert bench.snapshot(order_id) == before


def test_a_claim_that_comes_late_after_its_own_release_is_refused(bench: Bench) -> None:
    order_id = bench.add_order()
    holder = bench.claim(order_id)
    bench.release(holder, delay_s=60)

    with refused("STALE_FENCE"):
        bench.run(claiming.claim_order(bench.db, holder))

    assert bench.order(order_id)["next_at"] is not None


def test_an_unbound_order_changes_its_account_by_a_greater_fence(bench: Bench) -> None:
    second = bench.add_account("second")
    order_id = bench.add_order()
    first = bench.claim(order_id)

    bench.claim(order_id, "second")

    assert bench.order(order_id)["rosreestr_user_id"] == second
    with refused("STALE_FENCE"):
        bench.intend(first)


@pytest.mark.parametrize("way", ["intent", "sent", "registered"])
def test_a_bound_order_is_refused_to_another_account_and_nothing_changes(bench: Bench, way: str) -> None:
    bench.add_account("second")
    match way:
        case "intent":
            holder = bench.claim(bench.add_order())
            bench.intend(holder)
        case "sent":
            holder = bench.sent()
        case _:
            holder = bench.registered()
    before = bench.snapshot(holder.order_id)

    with refused("BOUND_TO_OTHER_ACCOUNT", account="first"):
        bench.claim(holder.order_id, "second")

    assert bench.snapshot(holder.order_id) == before
    # The holder goes on: the refused claim didn't raise the fence either.
    bench.release(holder)


def test_an_order_that_was_put_down_unbound_is_anybodys(bench: Bench) -> None:
    bench.add_account("second")
    holder = bench.uploaded()
    kept = bench.one("select super_package_guid from submissions where order_id = %(id)s", id=holder.order_id)

    released = bench.release(holder, delay_s=30)
    other = bench.claim(holder.order_id, "second")
    bench.release(other)
    again = bench.claim(holder.order_id)
    intended = bench.intend(again)

    assert released.order.state == "queued"
    assert released.order.lane == "main"
    assert intended.submission is not None
    assert intended.submission.super_package_guid == kept["super_package_guid"]
    assert intended.submission.uploaded_at is not None


def test_after_a_release_the_worker_is_told_of_no_intent(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.release(holder)

    again = bench.delivery(holder.order_id)
    claimed = bench.run(claiming.claim_order(bench.db, again))

    assert claimed.submission is None
    with refused("WRONG_STATE", need="intent"):
        bench.gate(again)


def test_a_release_after_the_gate_keeps_state_and_account(bench: Bench) -> None:
    holder = bench.sent()

    released = bench.release(holder, delay_s=30)

    order = bench.order(holder.order_id)
    assert (order["state"], order["seen_at"]) == ("unconfirmed", None)
    assert order["next_at"] is not None
    assert released.order.lane == "@first"


def test_a_release_after_a_send_that_never_left_lets_any_account_take_the_order(bench: Bench) -> None:
    """It would be bound for ever else, to an account that may be used up until the end of its month."""
    bench.add_account("second")
    holder = bench.sent()
    bench.tell(holder, facts.NotSent(reason="the connection was closed"))

    released = bench.release(holder)

    assert (released.order.state, released.order.lane) == ("queued", "main")
    other = bench.claim(holder.order_id, "second")
    bench.intend(other)
    bench.upload(other)
    assert bench.gate(other).order.state == "unconfirmed"
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["not_sent", None]


def test_the_repeat_of_a_release_changes_nothing_more(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    bench.release(holder, delay_s=30)
    before = bench.snapshot(holder.order_id)

    again = bench.release(holder, delay_s=30)

    assert again.order.state == "queued"
    assert bench.snapshot(holder.order_id) == before


def test_an_order_that_is_put_down_again_and_again_keeps_a_short_history(bench: Bench) -> None:
    holder = bench.sent()

    for _ in range(5):
        bench.release(bench.claim(holder.order_id), delay_s=60)

    assert len(bench.events(holder.order_id, "released")) == 1


def test_an_urgent_order_goes_back_to_its_lane(bench: Bench) -> None:
    holder = bench.claim(bench.add_order(is_urgent=True))

    assert bench.release(holder).order.lane == "urgent"


def test_an_order_on_hold_isnt_given_out(bench: Bench) -> None:
    order_id = bench.add_order(hold_reason="why", hold_at="2026-01-01")

    with refused("ORDER_ON_HOLD"):
        bench.claim(order_id)


def test_a_final_order_is_answered_as_it_is(bench: Bench) -> None:
    order_id = bench.add_order(state="failed", error="нет", finished_at="2026-01-01")
    before = bench.snapshot(order_id)

    answered = bench.run(claiming.claim_order(bench.db, bench.delivery(order_id)))

    assert answered.order.state == "failed"
    assert bench.snapshot(order_id) == before


def test_an_unknown_order_is_refused(bench: Bench) -> None:
    with refused("ORDER_UNKNOWN"):
        bench.claim(404)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("is_active", False, "ACCOUNT_INACTIVE"),
        ("declarant_category", None, "NO_DECLARANT_CATEGORY"),
        ("standby_kind", "exhausted", "ACCOUNT_ON_STANDBY"),
    ],
)
def test_an_account_that_takes_nothing_new_still_gets_its_own(
    bench: Bench, column: str, value: object, reason: str
) -> None:
    own = bench.sent()
    bench.release(own)
    unbound = bench.claim(bench.add_order("77:01:0001001:1002"))
    bench.execute(
        f"update rosreestr_users set {column} = %(value)s, "
        "standby_reason = case when %(standby)s then 'why' end where username = 'first'",
        value=value,
        standby=column == "standby_kind",
    )

    with refused(reason):
        bench.claim(bench.add_order("77:01:0001001:1003"))
    with refused(reason):
        bench.claim(unbound.order_id)
    # What it holds already is its own repeat; what is bound to it, its own order.
    bench.run(claiming.claim_order(bench.db, unbound))
    bench.claim(own.order_id)

    assert bench.state(own.order_id) == "unconfirmed"


def test_an_account_whose_standby_is_over_takes_orders_again(bench: Bench) -> None:
    bench.execute(
        "update rosreestr_users set standby_kind = 'exhausted', standby_reason = 'why', standby_until = now()"
    )

    bench.claim(bench.add_order())


def test_a_delay_that_isnt_one_is_refused(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())

    for delay_s in (-1.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(errors.InvalidInput):
            bench.release(holder, delay_s=delay_s)

    assert bench.state(holder.order_id) == "processing"
