"""Accounts that can't go on: marked with what a person must do, their orders done by others, and never hammered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orders_service.v1 import orders_pb2, rosreestr_users_pb2

if TYPE_CHECKING:
    from tests.system import Process, System

CAD_NUM = "77:01:0001001:1001"


def start_worker(stack: System, account: str, **env: str) -> Process:
    return stack.start(f"worker-{account}", "worker.cli", "--account", account, "--lock-dir", str(stack.folder), **env)


def standing(stack: System, account: str) -> rosreestr_users_pb2.RosreestrUser:
    request = rosreestr_users_pb2.GetRosreestrUserRequest(account=account)
    return stack.users.GetRosreestrUser(request, timeout=10).user


def wait_standby(stack: System, account: str, kind: str) -> rosreestr_users_pb2.RosreestrUser:
    wanted = rosreestr_users_pb2.StandbyKind.Value(f"STANDBY_KIND_{kind.upper()}")
    user = stack.wait(
        lambda: (found := standing(stack, account)).standby_kind == wanted and found, f"{account} to stand by: {kind}"
    )
    assert user.standby_reason
    return user  # type: ignore[no-any-return]


def passwords_tried(stack: System, account: str) -> int:
    calls: list[dict[str, Any]] = stack.portal(f"/_simulator/requests?account={account}&endpoint=login")["requests"]
    return len(calls)


def test_a_refused_password_is_tried_once_and_the_order_goes_to_another_account(stack: System) -> None:
    stack.portal("/_simulator/accounts/a1", {"password": "changed at the portal"})
    start_worker(stack, "a1")
    [order_id] = stack.submit(CAD_NUM)
    wait_standby(stack, "a1", "login_refused")
    assert stack.wait_state(order_id, orders_pb2.ORDER_STATE_QUEUED).account == ""

    stack.add_accounts("a2")
    start_worker(stack, "a2")

    [order] = stack.wait_completed(order_id)
    assert order.account == "a2"
    assert passwords_tried(stack, "a1") == 1


def test_a_new_password_brings_the_account_back_without_a_restart(stack: System) -> None:
    stack.portal("/_simulator/accounts/a1", {"password": "changed at the portal"})
    start_worker(stack, "a1")
    [order_id] = stack.submit(CAD_NUM)
    wait_standby(stack, "a1", "login_refused")

    stack.users.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a1", password="changed at the portal"), timeout=10
    )

    [order] = stack.wait_completed(order_id)
    assert order.account == "a1"
    assert passwords_tried(stack, "a1") == 2


def test_a_restarted_worker_does_not_try_a_refused_password_again(stack: System) -> None:
    stack.portal("/_simulator/accounts/a1", {"password": "changed at the portal"})
    first = start_worker(stack, "a1")
    stack.submit(CAD_NUM)
    wait_standby(stack, "a1", "login_refused")
    assert first.stop() == 0

    second = start_worker(stack, "a1")
    stack.wait(lambda: "account_opened" in second.log, "the worker to open its account", process=second)
    stack.wait(lambda: standing(stack, "a1").epoch == 2, "the epoch to grow")

    assert second.stop() == 0
    assert passwords_tried(stack, "a1") == 1


def test_an_exhausted_account_still_collects_what_it_ordered(stack: System) -> None:
    stack.portal("/_simulator/accounts/a1", {"balance": 1})
    start_worker(stack, "a1")

    first, second = stack.submit(CAD_NUM, "77:01:0001001:1002")
    wait_standby(stack, "a1", "exhausted")

    states = [stack.wait_state(order_id, orders_pb2.ORDER_STATE_COMPLETED) for order_id in (first,)]
    assert states[0].account == "a1"
    assert stack.order(second).state == orders_pb2.ORDER_STATE_QUEUED
    assert len(stack.charges()) == 1


def test_an_account_without_declarant_category_orders_nothing_until_it_is_set(stack: System) -> None:
    stack.users.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a1", declarant_category=""), timeout=10
    )
    worker = start_worker(stack, "a1")
    [order_id] = stack.submit(CAD_NUM)
    stack.wait(lambda: "declarant" in worker.log, "the worker to say what to set", process=worker)
    assert stack.charges() == []

    stack.users.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a1", declarant_category="357039000000"), timeout=10
    )

    stack.wait_completed(order_id)


def test_a_session_that_ends_is_renewed_in_place(stack: System) -> None:
    worker = start_worker(stack, "a1")
    stack.wait_completed(*stack.submit(CAD_NUM))

    stack.portal("/_simulator/logout", {"account": "a1"})

    stack.wait_completed(*stack.submit("77:01:0001001:1002"))
    assert passwords_tried(stack, "a1") == 2
    assert "person_needed" not in worker.log


def test_a_killed_worker_is_followed_by_one_that_knows_how_many_passwords_were_sent(stack: System) -> None:
    stack.portal("/_simulator/faults", {"endpoint": "login", "kind": "status", "status": 500, "times": None})
    first = start_worker(stack, "a1")
    stack.submit(CAD_NUM, "77:01:0001001:1002")
    stack.wait(
        lambda: len(stack.portal("/_simulator/requests?endpoint=login")["requests"]) == 2,
        "two passwords",
        process=first,
    )
    first.kill()

    start_worker(stack, "a1")
    stack.submit("77:01:0001001:1003")

    user = wait_standby(stack, "a1", "limited")
    assert "password was sent 2 times" in user.standby_reason
    assert len(stack.portal("/_simulator/requests?endpoint=login")["requests"]) == 2


def portal_calls(stack: System, account: str) -> int:
    asked = stack.portal(f"/_simulator/requests?account={account}")["requests"]
    return sum(call["path"].startswith(("/account", "/profile")) for call in asked)


def test_an_account_whose_day_is_used_up_stands_by_after_a_restart_too_and_others_go_on(stack: System) -> None:
    limit = {"ROSREESTR_DAILY_LIMIT": "30"}
    first = start_worker(stack, "a1", **limit)
    done = stack.submit(CAD_NUM)
    stack.wait_completed(*done)
    assert first.stop() == 0

    second = start_worker(stack, "a1", **limit)
    left = stack.submit("77:01:0001001:1002", "77:01:0001001:1003", "77:01:0001001:1004")
    user = wait_standby(stack, "a1", "limited")
    stack.add_accounts("a2")
    start_worker(stack, "a2")

    assert "полуночи по московскому времени" in user.standby_reason
    assert 8 < portal_calls(stack, "a1") <= 30
    stack.wait(
        lambda: any(stack.order(order_id).account == "a2" for order_id in left), "the other account to take an order"
    )
    assert second.stop() == 0
