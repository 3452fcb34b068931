"""What stands before each call, by gRPC and by REST alike: who calls, whether he may, and what of it is kept."""

from __future__ import annotations

import contextlib
import contextvars
import time
from typing import TYPE_CHECKING, Any, Final

import grpc

from orders_service import errors
from orders_service.api.auth import rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    from orders_service.access.callers import Caller
    from orders_service.api.auth.gatekeeper import Gatekeeper
    from orders_service.api.grpc.status import Context

#: In front of the methods of the contract.
OURS: Final = f"/{rules.PACKAGE}"
#: A stream of answers is looked at so often: is its caller still let in?
_STAYS_S: Final = 30.0

#: Who was admitted, to which call. Counts for that one alone: what one task of asyncio has set, another may find.
_admitted: contextvars.ContextVar[tuple[Context, Caller] | None] = contextvars.ContextVar("admitted", default=None)


@contextlib.asynccontextmanager
async def admitted(gatekeeper: Gatekeeper, method: str, context: Context) -> AsyncIterator[Caller]:
    """Let the block take in the request of a call and answer it, where its caller may make such at all.

    The guard within takes what was found here.

    Args:
        method: Its path in gRPC, of the contract.

    Raises:
        As `Gatekeeper.admitted`.
    """
    rpc = method.removeprefix(OURS)
    async with gatekeeper.admitted(rpc, authorization_of(context), context.peer()) as caller:
        _admitted.set((context, caller))
        yield caller


class Guard(grpc.aio.ServerInterceptor):
    """Passes each call of the contract through the gatekeeper."""

    def __init__(self, gatekeeper: Gatekeeper) -> None:
        self._gatekeeper = gatekeeper

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the call's handler, guarded."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OURS):
            return handler
        rpc = method.removeprefix(OURS)
        read, write = handler.request_deserializer, handler.response_serializer
        match handler.request_streaming, handler.response_streaming:
            case False, False:
                return grpc.unary_unary_rpc_method_handler(self._unary_unary(handler.unary_unary, rpc), read, write)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(self._unary_stream(handler.unary_stream, rpc), read, write)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(self._stream_unary(handler.stream_unary, rpc), read, write)
        raise AssertionError(f"{method} streams both ways: give it a guard here")

    async def _find_caller(self, context: Context) -> Caller:
        known = _admitted.get()
        if known is not None and known[0] is context:
            return known[1]
        return await self._gatekeeper.find_caller(authorization_of(context), context.peer())

    def _unary_unary(self, call: Callable[..., Awaitable[Message]], rpc: str) -> Callable[..., Awaitable[Message]]:
        async def guarded(request: Message, context: Context) -> Message:
            caller = await self._find_caller(context)
            async with self._gatekeeper.passing(rpc, caller, context.peer(), request) as passage:
                return passage.answered(await call(request, context))

        return guarded

    def _unary_stream(
        self, call: Callable[..., AsyncIterator[Message]], rpc: str
    ) -> Callable[..., AsyncIterator[Message]]:
        async def guarded(request: Message, context: Context) -> AsyncIterator[Message]:
            caller, looked_at = await self._find_caller(context), time.monotonic()
            async with self._gatekeeper.passing(rpc, caller, context.peer(), request) as passage:
                answers: Any = call(request, context)
                async with contextlib.aclosing(answers):
                    async for answer in answers:
                        if time.monotonic() - looked_at > _STAYS_S:
                            await self._gatekeeper.check_stays(authorization_of(context), context.peer())
                            looked_at = time.monotonic()
                        yield passage.answered(answer)

        return guarded

    def _stream_unary(self, call: Callable[..., Awaitable[Message]], rpc: str) -> Callable[..., Awaitable[Message]]:
        async def guarded(requests: AsyncIterator[Message], context: Context) -> Message:
            caller = await self._find_caller(context)
            rules.check_role(caller, rpc)
            first = await anext(aiter(requests), None)
            if first is None:
                raise errors.InvalidInput.of("request", "is missing: the call ended before its first message.")
            async with self._gatekeeper.passing(rpc, caller, context.peer(), first) as passage:
                return passage.answered(await call(_put_first(first, requests), context))

        return guarded


def authorization_of(context: Context) -> str | None:
    """Return what came as `authorization`."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("ascii", errors="replace")
    return None


async def _put_first(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for one in rest:
        yield one
