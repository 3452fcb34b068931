"""Who may do what: every rpc of the contract × every role × what is his own and what is another's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service import errors
from orders_service.access.callers import ANYBODY, Caller, Role
from orders_service.access.tokens import ROLES
from orders_service.api.auth.rules import RULES, Trace, authorize, check_role, order_ids_of, reason_of
from orders_service.v1 import operator_pb2, orders_pb2
from tests.unit.orders_service.api.auth.contract import RPCS, request_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

#: `own`: orders or account of its own only. `shown`: the request names no order, and the answer holds the caller's own
#: alone (which a running service shows, not this table). `all`: whose ever they are. `-`: not at all.
TABLE: Final = """
    rpc                                             client  viewer  operator  worker
    OrdersService/CreateOrder                       shown   -       all       -
    OrdersService/BatchCreateOrders                 shown   -       all       -
    OrdersService/CheckOrders                       shown   -       all       -
    OrdersService/GetOrder                          own     all     all       -
    OrdersService/BatchGetOrders                    shown   all     all       -
    OrdersService/ListOrders                        shown   all     all       -
    OrdersService/ListOrderEvents                   own     all     all       -
    OrdersService/WatchOrders                       shown   all     all       -
    OrdersService/DownloadPaper                     own     -       all       -
    OrdersService/DownloadPapers                    shown   -       all       -
    OrdersService/GetExtractSummary                 own     -       all       -
    OrdersService/ExportOrders                      shown   -       all       -
    OrdersService/GetOrderStatistics                shown   all     all       -
    OrdersService/CancelOrder                       own     -       all       -
    OperatorService/GetOrderCase                    -       all     all       -
    OperatorService/SettleByNumber                  -       -       all       -
    OperatorService/SettleAsAbsent                  -       -       all       -
    OperatorService/ResumeOrder                     -       -       all       -
    OperatorService/GiveUpOrder                     -       -       all       -
    OperatorService/RetryOrder                      -       -       all       -
    OperatorService/DownloadAnyPaper                -       -       all       -
    OperatorService/GetWebhook                      -       all     all       -
    OperatorService/SwitchWebhook                   -       -       all       -
    OperatorService/ListWebhookNotifications        -       all     all       -
    OperatorService/ResendWebhookNotifications      -       -       all       -
    RosreestrUsersService/CreateRosreestrUser       -       -       all       -
    RosreestrUsersService/GetRosreestrUser          -       all     all       -
    RosreestrUsersService/ListRosreestrUsers        -       all     all       -
    RosreestrUsersService/UpdateRosreestrUser       -       -       all       -
    RosreestrUsersService/DeactivateRosreestrUser   -       -       all       -
    RosreestrUsersService/ActivateRosreestrUser     -       -       all       -
    WorkerService/OpenAccount                       -       -       -         own
    WorkerService/ReadAccount                       -       -       -         own
    WorkerService/MarkAccount                       -       -       -         own
    WorkerService/RecordPassword                    -       -       -         own
    WorkerService/ReserveCalls                      -       -       -         own
    WorkerService/ClaimOrder                        -       -       -         own
    WorkerService/RecordIntent                      -       -       -         own
    WorkerService/RecordUpload                      -       -       -         own
    WorkerService/PassGate                          -       -       -         own
    WorkerService/RecordFact                        -       -       -         own
    WorkerService/RecordNotFound                    -       -       -         own
    WorkerService/RecordCheck                       -       -       -         own
    WorkerService/ReleaseOrder                      -       -       -         own
    WorkerService/FailOrder                         -       -       -         own
    WorkerService/UploadPaper                       -       -       -         own
"""
_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS: Final = {(row[0], Role(role)): cell for row in _ROWS for role, cell in zip(_HEAD[1:], row[1:], strict=True)}

CALLERS: Final = {
    Role.CLIENT: Caller(role=Role.CLIENT, name="crm-2026", token_id=1, client="crm"),
    Role.VIEWER: Caller(role=Role.VIEWER, name="auditor", token_id=2),
    Role.OPERATOR: Caller(role=Role.OPERATOR, name="ivan", token_id=3),
    Role.WORKER: Caller(role=Role.WORKER, name="worker-1", token_id=4, account="account_1"),
}
OWN_ORDER, OTHERS_ORDER = 1, 2
OWNERS: Final = {OWN_ORDER: "crm", OTHERS_ORDER: "shop"}


def ask(rpc: str, caller: Caller, *, is_own: bool) -> None:
    request = request_of(
        rpc,
        RULES[rpc],
        order_id=OWN_ORDER if is_own else OTHERS_ORDER,
        account="account_1" if is_own else "account_2",
    )
    authorize(caller, rpc, request, OWNERS)


def test_every_rpc_of_the_contract_has_a_row_and_a_rule() -> None:
    assert {rpc for rpc, _ in CELLS} == set(RPCS)
    assert set(RULES) == set(RPCS)
    assert {role for _, role in CELLS} == set(ROLES) == set(CALLERS)


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "others"])
@pytest.mark.parametrize(("rpc", "role"), sorted(CELLS), ids=[f"{rpc}-{role}" for rpc, role in sorted(CELLS)])
def test_each_role_may_do_what_its_cell_says(rpc: str, role: Role, is_own: bool) -> None:
    cell, caller = CELLS[rpc, role], CALLERS[role]
    if cell in ("all", "shown") or (cell == "own" and is_own):
        ask(rpc, caller, is_own=is_own)
    elif cell == "own" and role is Role.CLIENT:
        # As if there were no such order: a client doesn't learn that another has it.
        with pytest.raises(errors.NotFound, match=f"^There is no order {OTHERS_ORDER}.$"):
            ask(rpc, caller, is_own=is_own)
    else:
        with pytest.raises(errors.Forbidden) as caught:
            ask(rpc, caller, is_own=is_own)
        assert caught.value.reason == ("ROLE_FORBIDDEN" if cell == "-" else "ACCOUNT_FORBIDDEN")
        assert "token" in str(caught.value), "says what to do"


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_what_a_client_is_only_shown_says_that_its_answers_are_filtered(rpc: str) -> None:
    assert RULES[rpc].is_filtered or CELLS[rpc, Role.CLIENT] != "shown"


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_whoever_reaches_a_service_without_tokens_may_do_everything(rpc: str) -> None:
    ask(rpc, ANYBODY, is_own=False)


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_a_call_without_a_rule_is_nobodys(caller: Caller) -> None:
    with pytest.raises(errors.Forbidden):
        authorize(caller, "OrdersService/CreateMoney", orders_pb2.GetOrderRequest(), {})
    with pytest.raises(errors.Forbidden):
        check_role(ANYBODY, "OrdersService/CreateMoney")


@pytest.mark.parametrize("rpc", sorted(rpc for rpc, role in CELLS if CELLS[rpc, role] == "own" and role is Role.WORKER))
def test_a_worker_that_names_no_account_is_let_nowhere(rpc: str) -> None:
    with pytest.raises(errors.Forbidden):
        authorize(CALLERS[Role.WORKER], rpc, request_of(rpc, RULES[rpc], order_id=1, account=""), {})


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_the_fields_that_a_rule_goes_by_are_fields_of_the_request(rpc: str) -> None:
    rule = RULES[rpc]
    # Raises where one isn't there.
    request = request_of(rpc, rule, order_id=7, account="account_1")

    assert order_ids_of(rule, request) == (7,) * len(rule.order_ids)


def names_orders(descriptor: Any, path: str = "") -> set[str]:
    """Paths of fields that name orders by id, by how they are called."""
    found = set()
    for field in descriptor.fields:
        if field.name in ("order_id", "order_ids"):
            found.add(path + field.name)
        elif field.message_type is not None and not field.is_repeated:
            found |= names_orders(field.message_type, f"{path}{field.name}.")
    return found


@pytest.mark.parametrize("rpc", sorted(rpc for rpc, role in CELLS if role is Role.CLIENT and CELLS[rpc, role] != "-"))
def test_no_order_that_a_client_can_name_goes_unasked(rpc: str) -> None:
    """A new field that names an order has to be in the rule, or the answer be filtered."""
    named = names_orders(RPCS[rpc].input_type)

    assert named <= set(RULES[rpc].order_ids) or RULES[rpc].is_filtered


READING: Final = ("Get", "List", "BatchGet", "Check", "Download", "Read", "Export", "Watch")


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_every_call_that_changes_something_leaves_a_trace(rpc: str) -> None:
    reads = rpc.partition("/")[2].startswith(READING)

    assert (RULES[rpc].trace is Trace.NONE) == reads
    if RULES[rpc].trace is Trace.JOURNAL:
        assert rpc.startswith("WorkerService/"), "only a worker's steps are in the journal"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (operator_pb2.GiveUpOrderRequest(basis=operator_pb2.DecisionBasis(reason="no money")), "no money"),
        (orders_pb2.GetOrderRequest(), ""),
    ],
)
def test_the_reason_that_somebody_gives_is_found(request_: Message, reason: str) -> None:
    assert reason_of(request_) == reason
