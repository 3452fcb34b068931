"""The updates of decisions, taken alone: each is refused by its own conditions, whatever the code looked at before."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.store import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.orders import Holder
    from tests.integration.orders_service.life.bench import Bench

SQL = queries.load("life_order")

#: Each decision's statement, an order that it fits, and what it takes besides order, state, account and delivery.
DECISIONS: dict[str, tuple[Callable[[Bench], Holder], dict[str, Any]]] = {
    "pass_gate": (
        lambda bench: bench.uploaded(),
        {"send_id": uuid.uuid4(), "absent_after_s": 3600.0, "actor": "worker:first", "reason": ""},
    ),
    "unbind": (lambda bench: bench.uploaded(), {"delay_s": None, "is_not_found": False}),
    "put_down": (lambda bench: bench.sent(), {"delay_s": None, "is_not_found": False, "is_freed": False}),
    "note_check": (
        lambda bench: bench.registered(),
        {"portal_status": None, "application_id": None, "is_seen": True, "next_check_s": 60.0},
    ),
    "complete": (lambda bench: bench.registered(), {"extract_id": 1}),
    "fail": (lambda bench: bench.registered(), {"error": "нет"}),
}


def changed(bench: Bench, name: str, values: dict[str, Any]) -> int:
    """How many rows the statement changes; nothing of it stays."""
    with bench.database.connect(autocommit=False) as connection:
        count = connection.execute(SQL[name], values).rowcount
        connection.rollback()
    return count


def prepare(bench: Bench, name: str) -> dict[str, Any]:
    bench.execute("insert into extracts (sha256, size_bytes) values (repeat('0', 64), 1)")
    make, more = DECISIONS[name]
    holder = make(bench)
    order = bench.order(holder.order_id)
    return more | {
        "order_id": holder.order_id,
        "state": order["state"],
        "account_id": order["rosreestr_user_id"],
        "epoch": holder.epoch,
        "fence": holder.fence,
        "token": holder.token,
    }


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_counts_only_with_account_epoch_fence_and_token(bench: Bench, name: str) -> None:
    other = bench.add_account("second", epoch=1)
    values = prepare(bench, name)

    assert changed(bench, name, values) == 1
    for wrong in (
        {"fence": values["fence"] + 1},
        {"fence": values["fence"] - 1},
        {"token": "another"},
        {"epoch": values["epoch"] + 1},
        {"epoch": values["epoch"] - 1},
        {"account_id": other},
    ):
        assert changed(bench, name, values | wrong) == 0, wrong


@pytest.mark.parametrize("name", ["pass_gate", "unbind", "note_check", "complete", "fail"])
def test_a_decision_counts_only_without_a_hold(bench: Bench, name: str) -> None:
    values = prepare(bench, name)
    bench.execute("update orders set hold_reason = 'why', hold_at = now()")

    assert changed(bench, name, values) == 0


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_counts_only_from_its_state(bench: Bench, name: str) -> None:
    values = prepare(bench, name)
    bench.execute("update orders set state = 'failed', open_send_id = null, error = 'x', finished_at = now()")

    assert changed(bench, name, values) == 0


def test_an_order_with_a_send_is_never_unbound(bench: Bench) -> None:
    values = prepare(bench, "unbind")
    bench.gate(bench.claim(values["order_id"]))
    holder = bench.one("select fence, fence_token from orders")
    bench.execute("update orders set state = 'processing', open_send_id = null")

    assert changed(bench, "unbind", values | {"fence": holder["fence"], "token": holder["fence_token"]}) == 0


def test_an_order_with_an_open_send_never_fails_nor_leaves_unconfirmed(bench: Bench) -> None:
    holder = bench.sent()
    values: dict[str, Any] = {
        "order_id": holder.order_id,
        "account_id": bench.order(holder.order_id)["rosreestr_user_id"],
        "epoch": holder.epoch,
        "fence": holder.fence,
        "token": holder.token,
        "error": "нет",
    }

    assert changed(bench, "unconfirm", values) == 0
    bench.execute("update orders set state = 'processing', open_send_id = null")
    assert changed(bench, "fail", values | {"state": "processing"}) == 0
    assert changed(bench, "fail_by_queue", values | {"state": "processing"}) == 0
    bench.execute("update sends set outcome = 'number', settled_at = now()")
    assert changed(bench, "fail_by_queue", values | {"state": "processing"}) == 0


@pytest.mark.parametrize(("name", "state"), [("claim_queued", "queued"), ("claim_again", "processing")])
def test_a_claim_counts_only_with_a_greater_fence_and_the_current_epoch(bench: Bench, name: str, state: str) -> None:
    order_id = bench.add_order()
    if state == "processing":
        bench.claim(order_id)
    else:
        bench.execute("update orders set fence = 500, fence_token = 'x'")
    fence = bench.order(order_id)["fence"]
    account = bench.one("select id, epoch from rosreestr_users")
    values = {
        "order_id": order_id,
        "state": state,
        "account_id": account["id"],
        "epoch": account["epoch"],
        "fence": fence + 1,
        "token": "new",
    }

    assert changed(bench, name, values) == 1
    for wrong in ({"fence": fence}, {"fence": fence - 1}, {"epoch": account["epoch"] + 1}):
        assert changed(bench, name, values | wrong) == 0, wrong
    bench.execute("update orders set hold_reason = 'why', hold_at = now()")
    assert changed(bench, name, values) == 0


@pytest.mark.parametrize("state", ["processing", "unconfirmed", "registered"])
def test_a_bound_order_never_changes_its_account(bench: Bench, state: str) -> None:
    second = bench.add_account("second")
    make = {"processing": bench.uploaded, "unconfirmed": bench.sent, "registered": bench.registered}[state]
    holder = make()  # type: ignore[operator]
    values = {
        "order_id": holder.order_id,
        "state": state,
        "account_id": second,
        "epoch": 1,
        "fence": holder.fence + 1,
        "token": "new",
    }

    assert changed(bench, "claim_again", values) == 0
