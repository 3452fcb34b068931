"""Every rpc × every role × own and other, against a running service."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from grpc_status import rpc_status

from orders_service.access.callers import Role
from orders_service.api.auth.rules import RULES
from orders_service.v1 import orders_pb2, orders_pb2_grpc, worker_pb2, worker_pb2_grpc
from tests.integration.orders_service.access.house import House, call, opened_house
from tests.unit.orders_service.api.auth.contract import RPCS, request_of
from tests.unit.orders_service.api.auth.test_rules import CELLS, names_orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres

NAMES = {Role.CLIENT: "crm", Role.VIEWER: "auditor", Role.OPERATOR: "ivan", Role.WORKER: "worker-1"}
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@pytest.fixture(scope="module")
def house(postgres_server: postgres.PostgresServer, template_database: postgres.Database) -> Iterator[House]:
    database = postgres_server.create_database("rosq_test_access_table", template_database.name)
    try:
        with opened_house(database) as house:
            house.add_token("crm", Role.CLIENT, client="crm")
            house.add_token("shop", Role.CLIENT, client="shop")
            house.add_token("auditor", Role.VIEWER)
            house.add_token("ivan", Role.OPERATOR)
            house.add_token("worker-1", Role.WORKER, account="account_1")
            house.rows("insert into rosreestr_users (username) values ('account_1'), ('account_2') returning id")
            # So that no id stands in an answer by chance.
            house.rows("select setval(pg_get_serial_sequence('orders', 'id'), 700000)")
            yield house
    finally:
        postgres_server.drop_database(database.name)


@pytest.fixture(scope="module")
def orders(house: House) -> dict[str, int]:
    """An order of each client, by the client's name; both have the same key."""
    made = {}
    for client in ("crm", "shop"):
        stub = orders_pb2_grpc.OrdersServiceStub(house.channel(client))
        order = orders_pb2.NewOrder(
            cad_num="77:01:0001001:1001", idempotency_key="first", recipient=f"recipient of {client}"
        )
        made[client] = stub.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=30).order.order_id
    assert len(set(made.values())) == 2
    return made


@pytest.fixture(scope="module")
def channels(house: House) -> dict[Role, grpc.Channel]:
    return {role: house.channel(name) for role, name in NAMES.items()}


def ask(house: House, channel: grpc.Channel, rpc: str, orders: dict[str, int], *, is_own: bool) -> Any:
    request = request_of(
        rpc, RULES[rpc], order_id=orders["crm" if is_own else "shop"], account="account_1" if is_own else "account_2"
    )
    return call(channel, RPCS[rpc], request)


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_nobody_is_let_in_without_a_token(house: House, orders: dict[str, int], rpc: str) -> None:
    assert ask(house, house.channel(), rpc, orders, is_own=True) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_each_role_is_let_in_as_the_table_says(
    house: House, orders: dict[str, int], channels: dict[Role, grpc.Channel], rpc: str
) -> None:
    for role, channel in channels.items():
        for is_own in (True, False):
            cell, answer = CELLS[rpc, role], ask(house, channel, rpc, orders, is_own=is_own)
            said = f"{role}, {'own' if is_own else 'other'}: {answer}"
            if cell in ("all", "shown") or (cell == "own" and is_own):
                # Let in: what it says of a request that is mostly empty is another matter.
                assert answer not in (*REFUSED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), said
            elif cell == "own" and role is Role.CLIENT:
                assert answer is grpc.StatusCode.NOT_FOUND, said
            else:
                assert answer is grpc.StatusCode.PERMISSION_DENIED, said


def test_a_client_is_shown_its_own_orders_alone_whatever_it_asks(house: House, orders: dict[str, int]) -> None:
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel("crm"))
    own, other = orders["crm"], orders["shop"]

    listed = stub.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30).orders
    assert {order.order_id for order in listed} == {own}
    assert {order.client for order in listed} == {"crm"}
    by_number = stub.ListOrders(orders_pb2.ListOrdersRequest(cad_num="77:01:0001001:1001"), timeout=30).orders
    assert [order.order_id for order in by_number] == [own]
    found = stub.BatchGetOrders(orders_pb2.BatchGetOrdersRequest(order_ids=[own, other]), timeout=30)
    assert [order.order_id for order in found.orders] == [own]
    assert list(found.missing_order_ids) == [other]
    # Its own of the two that have this key.
    assert stub.GetOrder(orders_pb2.GetOrderRequest(idempotency_key="first"), timeout=30).order.order_id == own
    by_key = stub.BatchGetOrders(orders_pb2.BatchGetOrdersRequest(idempotency_keys=["first"]), timeout=30)
    assert [order.order_id for order in by_key.orders] == [own]


def test_another_clients_order_is_told_as_one_that_isnt_there(house: House, orders: dict[str, int]) -> None:
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel("crm"))
    said = []
    for order_id in (orders["shop"], 999_999):
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id), timeout=30)
        said.append((caught.value.code(), (caught.value.details() or "").replace(str(order_id), "N")))

    assert said[0] == said[1]


def test_a_client_doesnt_learn_of_another_by_ordering(house: House, orders: dict[str, int]) -> None:
    """Neither by a key that another has, nor by the warning about the same object, nor by a check."""
    house.add_token("newcomer", Role.CLIENT, client="newcomer")
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel("newcomer"))
    order = orders_pb2.NewOrder(cad_num="77:01:0001001:1001", idempotency_key="first", comment="other content")

    checked = stub.CheckOrders(orders_pb2.CheckOrdersRequest(orders=[order]), timeout=30)
    created = stub.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=30)

    assert not checked.bad_rows
    assert not created.is_existing
    assert not created.warnings


def test_a_viewer_sees_all_orders_and_nobodys_name(house: House, orders: dict[str, int]) -> None:
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel("auditor"))

    listed = {order.order_id: order for order in stub.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30).orders}
    one = stub.GetOrder(orders_pb2.GetOrderRequest(order_id=orders["shop"]), timeout=30).order

    assert set(orders.values()) <= set(listed)
    assert {order.recipient for order in (*listed.values(), one)} <= {"***", ""}
    assert one.client == "shop"
    as_operator = orders_pb2_grpc.OrdersServiceStub(house.channel("ivan"))
    shown = as_operator.GetOrder(orders_pb2.GetOrderRequest(order_id=orders["shop"]), timeout=30).order
    assert shown.recipient == "recipient of shop"


def test_sealed_secrets_go_to_the_accounts_own_worker(house: House) -> None:
    house.rows(
        "insert into rosreestr_users (username, password_encrypted) values ('account_3', %s) returning id",
        "sealed by a test",
    )
    house.add_token("worker-3", Role.WORKER, account="account_3")
    request = worker_pb2.OpenAccountRequest(account="account_3", opened_by="test")

    opened = worker_pb2_grpc.WorkerServiceStub(house.channel("worker-3")).OpenAccount(request, timeout=30)

    assert opened.account.sealed_password == "sealed by a test"
    for name in ("crm", "auditor", "ivan", "worker-1"):
        with pytest.raises(grpc.RpcError) as caught:
            worker_pb2_grpc.WorkerServiceStub(house.channel(name)).OpenAccount(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


NAMING = sorted(
    rpc for rpc, method in RPCS.items() if Role.CLIENT in RULES[rpc].roles and names_orders(method.input_type)
)


@pytest.mark.parametrize("rpc", NAMING)
def test_no_answer_tells_another_clients_order_from_one_that_isnt_there(
    house: House, orders: dict[str, int], rpc: str
) -> None:
    """Alone, and beside an own one, also where the rest of the request is wrong."""
    channel, absent = house.channel("crm"), 799_999

    def say(order_id: int, *more: int, **wrong: str) -> str:
        request = message_factory.GetMessageClass(RPCS[rpc].input_type)(**wrong)
        (field,) = names_orders(RPCS[rpc].input_type)
        if request.DESCRIPTOR.fields_by_name[field].is_repeated:
            getattr(request, field).extend([order_id, *more])
        else:
            setattr(request, field, order_id)
        return said(channel, rpc, request).replace(str(order_id), "N")

    wrongs: list[dict[str, str]] = [{}]
    wrongs += [
        {field.name: "wrong"} for field in RPCS[rpc].input_type.fields if field.type == FieldDescriptor.TYPE_STRING
    ]
    for wrong in wrongs:
        if any(RPCS[rpc].input_type.fields_by_name[name].containing_oneof is not None for name in wrong):
            continue
        assert say(orders["shop"], **wrong) == say(absent, **wrong), wrong
        assert say(orders["shop"], orders["crm"], **wrong) == say(absent, orders["crm"], **wrong), wrong


def said(channel: grpc.Channel, rpc: str, request: Any) -> str:
    """All that a caller learns: the answer, what is in a ZIP that it holds, or the error with its details."""
    path, write = f"/orders_service.v1.{rpc}", type(request).SerializeToString
    answer_class = message_factory.GetMessageClass(RPCS[rpc].output_type)
    ask = channel.unary_stream if RPCS[rpc].server_streaming else channel.unary_unary
    try:
        answer: Any = ask(path, write, answer_class.FromString)(request, timeout=30)
        if rpc.partition("/")[2].startswith("Watch"):
            # Begun at once, and never over by itself.
            answers = [next(answer)]
            answer.cancel()
        else:
            answers = list(answer) if RPCS[rpc].server_streaming else [answer]
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        status = rpc_status.from_call(error)
        return str(status)
    if answers and "chunk" in answers[0].DESCRIPTOR.fields_by_name:
        archive = zipfile.ZipFile(io.BytesIO(b"".join(one.chunk for one in answers)))
        return "\n".join(f"{name}: {archive.read(name).decode()}" for name in archive.namelist())
    return str(answers)
