"""An account in trouble takes nobody's orders with it: the healthy one beside it completes them all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.v1 import orders_pb2, rosreestr_users_pb2
from tests.integration.worker.test_accounts import passwords_tried, standing, start_worker

if TYPE_CHECKING:
    from tests.system import Process, System

FOR_EVER = {"account": "a1", "times": None}
PAGE = {"kind": "html"}
#: How an account can be ill: what the simulator does to its calls alone.
WAYS: dict[str, dict[str, Any]] = {
    "limited for a day": {"endpoint": "search", "kind": "rate_limit", "retry_after_s": 36_000},
    "limited for centuries": {
        "endpoint": "search",
        "kind": "answer",
        "status": 429,
        "body": "{}",
        "content_type": "application/json",
        "headers": {"Retry-After": "9999999999"},
    },
    "firewall": {"endpoint": "search", "kind": "waf"},
    "maintenance": {"endpoint": "roles", "kind": "maintenance"},
    "forbidden everything": {"endpoint": "balance", "kind": "forbidden"},
    "no package": {"endpoint": "balance", "kind": "no_item"},
    # Whose login it is the portal doesn't know yet; the healthy one is logged in.
    "a page on the way back": {"endpoint": "login_return", "account": None, **PAGE},
    "a login that isn't JSON": {
        "endpoint": "login",
        "account": None,
        "kind": "answer",
        "status": 200,
        "body": "{",
        "content_type": "application/json",
    },
    "a captcha at login": {"endpoint": "login", "account": None, "kind": "captcha"},
    "refused at upload": {"endpoint": "upload", "kind": "status", "status": 400},
    "a page at the card": {"endpoint": "card", **PAGE},
}
#: Each takes a quarter of a minute: `make test-long` goes through all of them, every day one of each owner's.
EACH_DAY = ("limited for centuries", "no package", "a page on the way back", "forbidden everything")
TODAY = tuple(WAYS) if os.environ.get("ORDERS_ILL_WHOLE") else EACH_DAY
#: What one order meets may be that order's: only of three in a row does the account learn that it is its own. With few
#: orders the healthy one may leave it but one, which rests, and comes to either of the two again.
BY_SEVERAL = ("refused at upload", "a page at the card")


def begin(stack: System, account: str) -> Process:
    """Start the account's worker, and return when it has opened its account."""
    worker = start_worker(stack, account)
    stack.wait(lambda: "account_opened" in worker.log, f"{account} to begin", process=worker)
    return worker


@pytest.mark.timeout(600)
def test_whatever_ails_one_account_the_other_completes_all_that_is_not_bound(stack: System) -> None:
    stack.add_accounts("a2")
    start_worker(stack, "a2")
    numbers = iter(range(1001, 1900))
    for way in TODAY:
        stack.portal("/_simulator/faults", {**FOR_EVER, **WAYS[way]})
        stack.portal("/_simulator/logout", {"account": "a1"})
        before = passwords_tried(stack, "a1")
        ill = begin(stack, "a1")

        count = 20 if way in BY_SEVERAL else 5
        order_ids = stack.submit(*(f"77:01:0001001:{next(numbers)}" for _ in range(count)))

        for order in stack.wait_completed(*order_ids, timeout_s=90):
            assert order.account == "a2", way
        assert passwords_tried(stack, "a1") - before <= 2, way
        assert ill.stop() == 0, way
        stack.portal("/_simulator/faults", method="DELETE")
        stack.users.ActivateRosreestrUser(rosreestr_users_pb2.ActivateRosreestrUserRequest(account="a1"), timeout=10)
    # ... and it wasn't only that it was never tried: well again, it works.
    start_worker(stack, "a1")
    order_ids = stack.submit(*(f"77:01:0001001:{next(numbers)}" for _ in range(8)))
    assert {order.account for order in stack.wait_completed(*order_ids)} == {"a1", "a2"}


def test_an_account_that_is_limited_calls_nothing_after_a_restart_until_a_person_says_so(stack: System) -> None:
    stack.portal("/_simulator/faults", {**FOR_EVER, **WAYS["limited for a day"], "times": 1})
    first = start_worker(stack, "a1")
    [order_id] = stack.submit("77:01:0001001:1001")
    limited = rosreestr_users_pb2.STANDBY_KIND_LIMITED
    stack.wait(lambda: standing(stack, "a1").standby_kind == limited, "the standby", process=first)
    assert first.stop() == 0
    calls = len(stack.portal("/_simulator/requests?account=a1")["requests"])

    begin(stack, "a1")
    assert stack.order(order_id).state == orders_pb2.ORDER_STATE_QUEUED
    assert len(stack.portal("/_simulator/requests?account=a1")["requests"]) == calls
    stack.users.ActivateRosreestrUser(rosreestr_users_pb2.ActivateRosreestrUserRequest(account="a1"), timeout=10)

    stack.wait_completed(order_id)


def test_an_order_whose_step_fails_for_ever_is_held_and_others_go_on(stack: System) -> None:
    """A card without a status: nobody thought of it, and it was asked for without an end."""
    odd = "77:01:0001001:1777"
    stack.portal(
        "/_simulator/faults",
        {"endpoint": "card", "kind": "patch", "drop": ["elements.0.status"], "cad_num": odd, "times": None},
    )
    start_worker(stack, "a1")
    [odd_id, *others] = stack.submit(odd, "77:01:0001001:1001", "77:01:0001001:1002")

    stack.wait_completed(*others)

    stack.wait(lambda: stack.order(odd_id).next_at.seconds, "the odd one to rest")
    assert stack.order(odd_id).state == orders_pb2.ORDER_STATE_QUEUED
    assert not stack.charges()[2:]
    assert standing(stack, "a1").standby_kind == rosreestr_users_pb2.STANDBY_KIND_UNSPECIFIED


def test_a_one_time_code_is_made_where_the_account_has_the_secret(stack: System) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    row = {"username": "a4", "password": "secret-a4", "totp_secret": secret, "balance": 10}
    stack.portal("/_simulator/accounts", row)
    stack.add_accounts("a4")
    start_worker(stack, "a4")
    [order_id] = stack.submit("77:01:0001001:1001")
    needed = rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED
    user = stack.wait(lambda: (u := standing(stack, "a4")).standby_kind == needed and u, "a4 to ask for the secret")
    assert "--totp" in user.standby_reason

    stack.users.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a4", totp_secret=secret), timeout=10
    )

    stack.wait_completed(order_id)
    assert standing(stack, "a4").has_totp


def test_an_account_of_several_roles_acts_in_the_one_that_an_operator_names(stack: System) -> None:
    roles = [{"oid": "1000000901", "name": "Физическое лицо"}, {"oid": "2000000902", "name": "ООО ТЕСТ"}]
    stack.portal("/_simulator/accounts", {"username": "a5", "password": "secret-a5", "roles": roles, "balance": 10})
    stack.add_accounts("a5")
    start_worker(stack, "a5")
    [order_id] = stack.submit("77:01:0001001:1001")
    needed = rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED
    user = stack.wait(lambda: (u := standing(stack, "a5")).standby_kind == needed and u, "a5 to ask for the role")
    assert "--role" in user.standby_reason

    stack.users.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a5", role="2000000902"), timeout=10
    )

    stack.wait_completed(order_id)
    assert standing(stack, "a5").role == "2000000902"
