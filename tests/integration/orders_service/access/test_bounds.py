"""Nobody takes more than his share: by long messages, by many calls, or by taking his time."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from orders_service.access.callers import Role
from orders_service.api.auth.rules import RULES
from orders_service.api.grpc import taking
from orders_service.v1 import orders_pb2, orders_pb2_grpc, worker_pb2, worker_pb2_grpc
from tests.integration.orders_service.access.house import House, opened_house
from tests.unit.orders_service.api.auth.contract import RPCS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres


@pytest.fixture
def house(fresh_database: postgres.Database) -> Iterator[House]:
    with opened_house(fresh_database) as house:
        yield house


def failure(call: Any, request: Any) -> tuple[grpc.StatusCode, str, Any]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60)
    error: Any = caught.value
    status = rpc_status.from_call(error)
    assert status is not None, error
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return error.code(), info.reason, status


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_only_batches_of_orders_may_be_long(rpc: str) -> None:
    most = 64 << 20 if rpc in ("OrdersService/BatchCreateOrders", "OrdersService/CheckOrders") else 4 << 20

    assert 0 < RULES[rpc].max_bytes <= most


def test_a_message_that_is_too_long_for_its_call_isnt_parsed_and_says_how_long_it_may_be(house: House) -> None:
    stub = orders_pb2_grpc.OrdersServiceStub(house.channel())

    code, reason, status = failure(stub.GetOrder, orders_pb2.GetOrderRequest(idempotency_key="x" * 70_000))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LONG")
    assert "65536 bytes" in status.message


def test_a_piece_of_a_paper_may_have_a_mebibyte_and_no_more(house: House) -> None:
    stub = worker_pb2_grpc.WorkerServiceStub(house.channel())
    header = worker_pb2.UploadPaperRequest(header=worker_pb2.PaperHeader())
    piece = worker_pb2.UploadPaperRequest(chunk=b"x" * (2 << 20))

    # The header is refused by its use case before a piece is asked for, so the long one comes first.
    code, reason, _ = failure(stub.UploadPaper, iter([piece, header]))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LONG")


def test_an_upload_that_dawdles_is_ended_and_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = worker_pb2_grpc.WorkerServiceStub(house.channel())
    first = worker_pb2.UploadPaperRequest(header=header_of_a_registered_order(house))
    monkeypatch.setattr(taking._Taking, "__init__", with_idle_s(0.3))

    with never_ending(first) as requests:
        code, reason, _ = failure(stub.UploadPaper, requests)

    assert (code, reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW")
    assert house.rows("select count(*) from extracts") == [(0,)]


def test_a_call_whose_one_message_doesnt_come_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As no client of gRPC does it by mistake: the request is opened as a stream, and stays empty."""
    monkeypatch.setattr(taking._Taking, "__init__", with_idle_s(0.3))
    call: Any = house.channel().stream_unary("/orders_service.v1.OrdersService/ListOrders")

    with never_ending() as requests:
        code, reason, _ = failure(call, requests)

    assert (code, reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TOO_SLOW")


def test_a_call_without_any_message_is_refused_in_a_sentence(house: House) -> None:
    call: Any = house.channel().stream_unary("/orders_service.v1.OrdersService/ListOrders")

    code, reason, _ = failure(call, iter(()))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT")


def test_one_token_makes_so_many_calls_and_another_isnt_in_its_way(fresh_database: postgres.Database) -> None:
    now = [0.0]
    with opened_house(fresh_database, rate=2.0, clock=lambda: now[0]) as house:
        house.add_token("crm", Role.CLIENT, client="crm")
        house.add_token("shop", Role.CLIENT, client="shop")
        stub = orders_pb2_grpc.OrdersServiceStub(house.channel("crm"))
        for _ in range(4):
            stub.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30)

        code, reason, status = failure(stub.ListOrders, orders_pb2.ListOrdersRequest())

        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in status.details)
        assert retry.retry_delay.ToMilliseconds() == 500
        other = orders_pb2_grpc.OrdersServiceStub(house.channel("shop"))
        other.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30)
        now[0] += 0.5
        stub.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30)


@contextlib.contextmanager
def never_ending(*first: Any) -> Iterator[Iterator[Any]]:
    """Requests after which neither another nor the end comes, until the block is left."""
    requests: queue.Queue[Any] = queue.Queue()
    for request in first:
        requests.put(request)
    try:
        yield iter(requests.get, None)
    finally:
        requests.put(None)


def header_of_a_registered_order(house: House) -> worker_pb2.PaperHeader:
    """What a worker sends before the bytes of the extract of an order that it has in hand."""
    house.rows(
        "insert into rosreestr_users (username, declarant_category) values ('account_1', '357039000000') returning id"
    )
    stub = worker_pb2_grpc.WorkerServiceStub(house.channel())
    opened = stub.OpenAccount(worker_pb2.OpenAccountRequest(account="account_1", opened_by="test"), timeout=30).account
    ((order_id,),) = house.rows(
        """insert into orders
           (cad_num, state, rosreestr_user_id, rosreestr_order_num, fence, fence_token, bound_at, person_oid)
           values ('77:01:0001001:1001', 'registered', %s, 'N-1', 1, 't', now(), 'person') returning id""",
        opened.account_id,
    )
    holder = worker_pb2.OrderHolder(account="account_1", epoch=opened.epoch, order_id=order_id, fence=1, token="t")
    return worker_pb2.PaperHeader(
        holder=holder,
        kind=orders_pb2.PAPER_KIND_EXTRACT,
        sha256="0" * 64,
        size_bytes=1000,
        file_name="extract.zip",
        cad_num="77:01:0001001:1001",
    )


def with_idle_s(idle_s: float) -> Any:
    """The constructor of what takes a request in, with another patience."""
    original = taking._Taking.__init__

    def init(self: Any, handler: Any, method: str, rule: Any, admit: Any, _: float) -> None:
        original(self, handler, method, rule, admit, idle_s)

    return init


def test_whoever_takes_nothing_of_his_answers_loses_his_place(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "STALLED_S", 0.5)
    # More than any buffer between the two holds.
    house.rows(
        "with one as (insert into orders (cad_num) values ('77:01:0001001:1') returning id) "
        "insert into order_events (order_id, actor, kind, reason) "
        "select id, 'test', 'check', repeat('x', 4000) from one, generate_series(1, 10000) returning id"
    )

    async def ask() -> tuple[int, grpc.StatusCode, str]:
        following = asyncio.create_task(house.server.watch_orders())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{house.addresses[0].port}") as channel:
            stub: Any = orders_pb2_grpc.OrdersServiceStub(channel)
            call = stub.WatchOrders(orders_pb2.WatchOrdersRequest(after_event_id=0), timeout=60)
            await call.read()
            places = house.gatekeeper._few["OrdersService/WatchOrders"]
            assert places._all_taken == 1
            while places._all_taken:
                await asyncio.sleep(0.05)
            following.cancel()
            # What lay in between is there, and then the end.
            count = 0
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    count += 1
            return count, await call.code(), await call.details()

    count, code, details = house.run(ask)
    assert count < 10_000
    assert (code, "was taken for 0.5 s" in details) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)
