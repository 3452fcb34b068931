"""Calls of servicers from inside: the same handlers, the same interceptors, the same statuses as by gRPC."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2

from orders_service import errors
from orders_service.api.grpc.orders import OrdersServicer
from orders_service.api.rest.calls import CallContext, CallFailed, Calls
from orders_service.server import interceptors
from orders_service.v1 import orders_pb2 as v1
from orders_service.v1 import orders_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

GET = "/orders_service.v1.OrdersService/GetOrder"
DOWNLOAD = "/orders_service.v1.OrdersService/DownloadPaper"


class Servicer(OrdersServicer):
    """Does what the test says; the calls that aren't written here aren't made."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.is_closed = False

    async def GetOrder(self, request: v1.GetOrderRequest, context: Any) -> v1.GetOrderResponse:
        await self.work(context)
        return v1.GetOrderResponse(order=v1.Order(order_id=request.order_id))

    async def DownloadPaper(
        self, request: v1.DownloadPaperRequest, context: Any
    ) -> AsyncIterator[v1.DownloadPaperResponse]:
        try:
            yield v1.DownloadPaperResponse(chunk=b"1")
            await self.work(context)
            yield v1.DownloadPaperResponse(chunk=b"2")
        finally:
            self.is_closed = True


class Noting(grpc.aio.ServerInterceptor):
    """Notes what it is shown, and lets it pass."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        self.seen.append(f"{self.name} {handler_call_details.method} {metadata.get('authorization')!r}")
        return await continuation(handler_call_details)


class Refusing(grpc.aio.ServerInterceptor):
    """Lets nobody pass, as one that asks for tokens does."""

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def refuse(request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Who are you?")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def nothing(context: Any) -> None:
    pass


def calls_of(servicer: Servicer, *around: grpc.aio.ServerInterceptor) -> Calls:
    return offer(servicer, [*around, *interceptors()])


def offer(servicer: Servicer, around: list[grpc.aio.ServerInterceptor]) -> Calls:
    calls = Calls(around)
    orders_pb2_grpc.add_OrdersServiceServicer_to_server(servicer, calls)  # type: ignore[arg-type]
    return calls


def call(calls: Calls, request: v1.GetOrderRequest | None = None) -> Any:
    async def run() -> Any:
        context = CallContext([("authorization", "Bearer x")], "ipv4:127.0.0.1:1")
        return await calls.unary(GET, request or v1.GetOrderRequest(order_id=7), context)

    return asyncio.run(run())


def test_interceptors_stand_around_a_call_in_their_order_and_see_its_metadata() -> None:
    seen: list[str] = []

    answer = call(calls_of(Servicer(nothing), Noting("outer", seen), Noting("inner", seen)))

    assert answer.order.order_id == 7
    assert seen == [f"outer {GET} 'Bearer x'", f"inner {GET} 'Bearer x'"]


def test_an_interceptor_may_refuse() -> None:
    with pytest.raises(CallFailed) as caught:
        call(calls_of(Servicer(nothing), Refusing()))

    assert caught.value.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert caught.value.status.message == "Who are you?"


def test_an_error_of_a_use_case_comes_with_the_details_of_the_table() -> None:
    async def fail(context: Any) -> None:
        raise errors.Refused("WRONG_STATE", "Not now.", state="queued")

    with pytest.raises(CallFailed) as caught:
        call(calls_of(Servicer(fail)))

    info = error_details_pb2.ErrorInfo()
    assert caught.value.status.details[0].Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("WRONG_STATE", {"state": "queued"})


def test_a_bug_tells_the_caller_nothing() -> None:
    async def fail(context: Any) -> None:
        raise ZeroDivisionError("a secret")

    with pytest.raises(CallFailed) as caught:
        call(calls_of(Servicer(fail)))

    assert caught.value.status.code == grpc.StatusCode.INTERNAL.value[0]
    assert "secret" not in caught.value.status.message


def test_the_check_of_texts_is_the_same() -> None:
    with pytest.raises(CallFailed) as caught:
        call(calls_of(Servicer(nothing)), v1.GetOrderRequest(idempotency_key="\0"))

    assert caught.value.status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_a_status_that_is_set_and_not_raised_counts() -> None:
    async def set_code(context: Any) -> None:
        context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
        context.set_details("Too much.")

    with pytest.raises(CallFailed) as caught:
        call(calls_of(Servicer(set_code)))

    assert (caught.value.status.code, caught.value.status.message) == (8, "Too much.")


def test_what_a_call_knows_of_its_caller() -> None:
    told: dict[str, Any] = {}

    async def look(context: Any) -> None:
        told.update(peer=context.peer(), metadata=dict(context.invocation_metadata()))

    call(calls_of(Servicer(look)))

    assert (told["peer"], told["metadata"]) == ("ipv4:127.0.0.1:1", {"authorization": "Bearer x"})


@pytest.mark.parametrize("is_failing", [False, True])
def test_a_stream_gives_what_came_before_its_error(is_failing: bool) -> None:
    async def work(context: Any) -> None:
        if is_failing:
            raise errors.DatabaseUnavailable("PostgreSQL is away.")

    got: list[bytes] = []

    async def run() -> None:
        context = CallContext([], "ipv4:127.0.0.1:1")
        async for message in calls_of(Servicer(work)).stream(DOWNLOAD, v1.DownloadPaperRequest(order_id=1), context):
            got.append(message.chunk)  # noqa: PERF401 - what came before the error counts

    if is_failing:
        with pytest.raises(CallFailed, match=r"database"):
            asyncio.run(run())
    else:
        asyncio.run(run())
    assert got == ([b"1"] if is_failing else [b"1", b"2"])


@pytest.mark.parametrize("around", [[], interceptors()], ids=["bare", "guarded"])
def test_a_stream_that_nobody_listens_to_any_more_is_ended_at_once(around: list[grpc.aio.ServerInterceptor]) -> None:
    """In the task that read it, so that what stands around it can take back what it set there."""
    servicer = Servicer(nothing)

    async def run() -> bool:
        context = CallContext([], "ipv4:127.0.0.1:1")
        stream = offer(servicer, around).stream(DOWNLOAD, v1.DownloadPaperRequest(order_id=1), context)
        await anext(stream)
        await stream.aclose()
        return servicer.is_closed

    assert asyncio.run(run())
