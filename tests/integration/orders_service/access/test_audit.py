"""The audit: who did what, with what it changed; nothing secret, and nothing that can be taken back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import grpc
import psycopg
import pytest

from orders_service.access import audit
from orders_service.access.callers import Role
from orders_service.api.auth.rules import RULES, Trace
from orders_service.v1 import (
    errors_pb2,
    operator_pb2,
    operator_pb2_grpc,
    orders_pb2,
    orders_pb2_grpc,
    rosreestr_users_pb2,
    rosreestr_users_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)
from tests.integration.orders_service.access.house import House, call, opened_house
from tests.unit.orders_service.api.auth.contract import RPCS, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres

PASSWORD: Final = "canary-password-7731"
COOKIE: Final = "canary-cookie-7731"
PASSPORT: Final = "4509 773177"
#: The reasons of the contract, without what stands in front of each.
REASONS: Final = {
    name.removeprefix(f"{prefix}_")
    for prefix, kind in (
        ("ERROR_REASON", errors_pb2.ErrorReason),
        ("REFUSAL_REASON", worker_pb2.RefusalReason),
        ("DECISION_REFUSAL", operator_pb2.DecisionRefusal),
    )
    for name in kind.DESCRIPTOR.values_by_name
}


@pytest.fixture
def house(fresh_database: postgres.Database) -> Iterator[House]:
    with opened_house(fresh_database) as house:
        house.add_token("ivan", Role.OPERATOR)
        house.add_token("crm", Role.CLIENT, client="crm")
        house.add_token("worker-1", Role.WORKER, account="account_1")
        yield house


@pytest.fixture
def accounts(house: House) -> rosreestr_users_pb2_grpc.RosreestrUsersServiceStub:
    return rosreestr_users_pb2_grpc.RosreestrUsersServiceStub(house.channel("ivan"))


def add_account(accounts: rosreestr_users_pb2_grpc.RosreestrUsersServiceStub) -> None:
    request = rosreestr_users_pb2.CreateRosreestrUserRequest(account="account_1", password=PASSWORD)
    accounts.CreateRosreestrUser(request, timeout=30)


def audited(house: House, action: str = "", **filters: Any) -> list[audit.AuditView]:
    """What the audit tells, newest first; all that waits to be written is written."""
    house.run(house.gatekeeper.scribe.write_all)
    rows = house.run(lambda: audit.list_audit(house.db, audit.Filters(limit=1000, **filters)))
    return [row for row in rows if row.action == action or not action]


def test_a_change_is_told_with_who_what_from_where_and_how_it_stood_before_and_after(
    house: House, accounts: rosreestr_users_pb2_grpc.RosreestrUsersServiceStub
) -> None:
    add_account(accounts)
    accounts.DeactivateRosreestrUser(
        rosreestr_users_pb2.DeactivateRosreestrUserRequest(account="account_1"), timeout=30
    )

    (row,) = audited(house, "RosreestrUsersService/DeactivateRosreestrUser")

    assert (row.actor, row.origin, row.account, row.outcome) == ("operator:ivan", "127.0.0.1", "account_1", "OK")
    assert row.before is not None
    assert row.after is not None
    assert (row.before["account"]["is_active"], row.after["account"]["is_active"]) == (True, False)
    assert row.request == {"account": "account_1"}


def test_an_account_that_is_named_by_its_id_is_told_by_its_name(
    house: House, accounts: rosreestr_users_pb2_grpc.RosreestrUsersServiceStub
) -> None:
    add_account(accounts)
    ((account_id,),) = house.rows("select id from rosreestr_users")
    accounts.ActivateRosreestrUser(rosreestr_users_pb2.ActivateRosreestrUserRequest(account_id=account_id), timeout=30)

    (row,) = audited(house, "RosreestrUsersService/ActivateRosreestrUser", account="account_1")

    assert row.account == "account_1"


def test_what_was_refused_is_told_too_with_why(house: House) -> None:
    stub = operator_pb2_grpc.OperatorServiceStub(house.channel("ivan"))
    basis = operator_pb2.DecisionBasis(order_id=999, case_no=1, reason="it isn't there")
    with pytest.raises(grpc.RpcError):
        stub.GiveUpOrder(operator_pb2.GiveUpOrderRequest(basis=basis), timeout=30)

    (row,) = audited(house, "OperatorService/GiveUpOrder", order_id=999)

    assert (row.outcome, row.reason, row.order_ids) == ("ORDER_UNKNOWN", "it isn't there", (999,))


def test_accepted_orders_are_told_with_their_ids_and_without_a_word_of_the_client(house: House) -> None:
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel("crm"))
    order = orders_pb2.NewOrder(cad_num="77:01:0001001:1001", idempotency_key="k", recipient=PASSPORT)
    order_id = stub.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=30).order.order_id
    more = [orders_pb2.NewOrder(cad_num="77:01:0001001:1002", idempotency_key=f"k{n}") for n in range(3)]
    answer = stub.BatchCreateOrders(orders_pb2.BatchCreateOrdersRequest(orders=more), timeout=30)

    batch, single = audited(house, actor="client:crm")

    assert (single.action, single.order_ids) == ("OrdersService/CreateOrder", (order_id,))
    assert batch.order_ids == tuple(one.order_id for one in answer.orders)
    assert PASSPORT not in str(single)


def test_a_decision_is_told_in_the_history_by_the_name_of_the_token(house: House) -> None:
    """Whoever it claims to be by."""
    ((order_id,),) = house.rows(
        "insert into orders (cad_num, hold_reason, hold_at) values ('77:01:0001001:1001', 'held', now()) returning id"
    )
    stub = operator_pb2_grpc.OperatorServiceStub(house.channel("ivan"))
    case = stub.GetOrderCase(operator_pb2.GetOrderCaseRequest(order_id=order_id), timeout=30)
    basis = operator_pb2.DecisionBasis(order_id=order_id, case_no=case.case_no, actor="petr", reason="go on")
    stub.ResumeOrder(operator_pb2.ResumeOrderRequest(basis=basis), timeout=30)

    actors = {actor for (actor,) in house.rows("select actor from order_events where order_id = %s", order_id)}

    assert "operator:ivan" in actors
    assert not any("petr" in actor for actor in actors)
    (row,) = audited(house, "OperatorService/ResumeOrder")
    assert row.before is not None
    assert row.after is not None
    assert (row.before["orders"][0]["hold_reason"], row.after["orders"][0]["hold_reason"]) == ("held", None)


@pytest.mark.parametrize("rpc", sorted(rpc for rpc, rule in RULES.items() if rule.trace in (Trace.WHOLE, Trace.BRIEF)))
def test_every_call_that_leaves_a_trace_has_a_row_however_it_ends(house: House, rpc: str) -> None:
    """In one database for all would be cheaper, but each row must be its own."""
    role = min(RULES[rpc].roles)
    name = {Role.CLIENT: "crm", Role.OPERATOR: "ivan", Role.WORKER: "worker-1"}[role]

    # Another's order, or one that isn't there, is told to a client as that, and nothing is asked of it.
    house.rows("insert into orders (cad_num, client) values ('77:01:0001001:1001', 'crm') returning id")
    call(house.channel(name), RPCS[rpc], request_of(rpc, RULES[rpc], order_id=1, account="account_1"))

    (row,) = audited(house, rpc)
    assert row.outcome in ("OK", *REASONS), "what a machine goes by, as the caller was told it"
    assert row.actor.startswith(f"{role}:")


def test_what_ended_nobody_knows_how_stands_alone(house: House) -> None:
    """As after the death of the service in mid-call."""
    caller = house.run(lambda: house.gatekeeper.find_caller(f"Bearer {house.secrets['ivan']}", "ipv4:10.0.0.1:1"))
    deed = audit.Deed(caller=caller, action="OperatorService/GiveUpOrder", origin="10.0.0.1", order_ids=(5,))
    house.run(lambda: audit.begin(house.db, deed))

    (row,) = audited(house, "OperatorService/GiveUpOrder")

    assert row.outcome is None


@pytest.mark.parametrize(
    "statement",
    ["update audit set actor = 'nobody'", "delete from audit", "truncate audit", "delete from audit where false"],
)
def test_a_row_of_the_audit_cant_be_changed_or_taken_away(house: House, statement: str) -> None:
    before = house.rows("select count(*) from audit")
    assert before != [(0,)], "making the tokens is audited"

    with house.database.connect() as connection:
        if statement.endswith("where false"):
            connection.execute(statement)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only appended to"):
                connection.execute(statement)

    assert house.rows("select count(*) from audit") == before


def test_no_secret_and_no_passport_is_in_the_audit_or_the_log(
    house: House, accounts: rosreestr_users_pb2_grpc.RosreestrUsersServiceStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    add_account(accounts)
    again = rosreestr_users_pb2.PortalCookie(name="SESSION", value=COOKIE, path="/back")
    session = rosreestr_users_pb2.PortalSession(cookies={"SESSION": COOKIE}, jar=[again])
    accounts.UpdateRosreestrUser(
        rosreestr_users_pb2.UpdateRosreestrUserRequest(
            account="account_1", password=PASSWORD, session=session, comment=f"passport {PASSPORT}"
        ),
        timeout=30,
    )
    worker = worker_pb2_grpc.WorkerServiceStub(house.channel("worker-1"))
    opened = worker.OpenAccount(worker_pb2.OpenAccountRequest(account="account_1", opened_by="test"), timeout=30)
    orders = orders_pb2_grpc.OrdersServiceStub(house.channel("crm"))
    order = orders_pb2.NewOrder(
        cad_num="77:01:0001001:1001", idempotency_key=f"k {PASSPORT}", recipient=PASSPORT, comment=PASSPORT
    )
    for _ in range(2):
        orders.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=30)
    order.comment = "other content"
    with pytest.raises(grpc.RpcError):
        orders.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=30)

    assert len(audited(house)) > 5
    stored = "\n".join(row for (row,) in house.rows("select a::text from audit a"))
    for canary in (
        PASSWORD,
        COOKIE,
        PASSPORT,
        opened.account.sealed_password,
        opened.account.sealed_session,
        *house.secrets.values(),
    ):
        assert canary
        assert canary not in stored
        assert canary not in caplog.text
