"""What isn't gRPC passes the same guard: by the interceptors that `server.interceptors` names, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from orders_service.access.callers import Role, current
from orders_service.api.grpc.guarding import admitted
from orders_service.server import interceptors
from orders_service.v1 import orders_pb2
from tests.integration.orders_service.access.house import House, opened_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests import postgres


@pytest.fixture
def house(fresh_database: postgres.Database) -> Iterator[House]:
    with opened_house(fresh_database) as house:
        yield house


class Details(grpc.HandlerCallDetails):
    method = "/orders_service.v1.OrdersService/ListOrders"
    invocation_metadata = ()


class Aborted(Exception):
    pass


class Context:
    """As much of a call as a way beside gRPC has: nothing can be read from it."""

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization
        self.code: grpc.StatusCode | None = None

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return () if self._authorization is None else (("authorization", self._authorization),)

    def peer(self) -> str:
        return "ipv4:10.0.0.9:40000"

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> None:
        self.code = code
        raise Aborted


async def answer(house: House, context: Context) -> Any:
    """Call a servicer's method through the interceptors, as a handler of the very kind that it is."""

    async def list_orders(_request: Any, _context: Any) -> orders_pb2.ListOrdersResponse:
        order = orders_pb2.Order(client=current().actor, recipient="Иванов")
        return orders_pb2.ListOrdersResponse(orders=[order])

    handler: Any = grpc.unary_unary_rpc_method_handler(list_orders, orders_pb2.ListOrdersRequest.FromString)

    async def look_up(_details: Any) -> Any:
        return handler

    proceed: Any = look_up
    for one in reversed(interceptors(house.gatekeeper)):
        proceed = _around(one, proceed)
    guarded = await proceed(Details())
    assert (guarded.request_streaming, guarded.response_streaming) == (False, False)
    return await guarded.unary_unary(orders_pb2.ListOrdersRequest(), context)


def _around(interceptor: Any, inner: Any) -> Any:
    async def proceed(details: Any) -> Any:
        return await interceptor.intercept_service(inner, details)

    return proceed


def test_the_caller_is_found_and_known_to_whatever_answers(house: House) -> None:
    secret = house.add_token("auditor", Role.VIEWER)

    said = house.run(lambda: answer(house, Context(f"Bearer {secret}")))

    assert said.orders[0].client == "viewer:auditor"
    assert said.orders[0].recipient == "***"


def test_nobody_gets_by_without_a_token(house: House) -> None:
    house.add_token("auditor", Role.VIEWER)
    context = Context(None)

    with pytest.raises(Aborted):
        house.run(lambda: answer(house, context))

    assert context.code is grpc.StatusCode.UNAUTHENTICATED


def test_a_stream_of_answers_stays_one(house: House) -> None:
    async def download(_request: Any, _context: Any) -> AsyncIterator[orders_pb2.DownloadPaperResponse]:
        for piece in (b"a", b"b"):
            yield orders_pb2.DownloadPaperResponse(chunk=piece)

    handler: Any = grpc.unary_stream_rpc_method_handler(download)

    async def look_up(_details: Any) -> Any:
        return handler

    async def ask() -> list[bytes]:
        proceed: Any = look_up
        for one in reversed(interceptors(house.gatekeeper)):
            proceed = _around(one, proceed)
        details = Details()
        details.method = "/orders_service.v1.OrdersService/DownloadPaper"
        guarded = await proceed(details)
        return [part.chunk async for part in guarded.unary_stream(orders_pb2.DownloadPaperRequest(), Context(None))]

    assert house.run(ask) == [b"a", b"b"]


def test_what_was_found_at_the_door_counts_for_its_own_call_alone(house: House) -> None:
    """asyncio may run a request in the context of the one before it, of another caller."""
    secret = house.add_token("ivan", Role.OPERATOR)
    method = "/orders_service.v1.OrdersService/ListOrders"
    first: Any = Context(f"Bearer {secret}")
    second: Any = Context(None)

    async def ask() -> Any:
        async with admitted(house.gatekeeper, method, first):
            said = await answer(house, first)
            with pytest.raises(Aborted):
                await answer(house, second)
            return said

    assert house.run(ask).orders[0].client == "operator:ivan"
    assert second.code is grpc.StatusCode.UNAUTHENTICATED
