"""What stands before each call: who calls, whether he may, and what of it is kept.

`Guard` stands before the calls by gRPC and by REST alike. `Intake` is gRPC's own: there a request comes bit by bit.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health

from orders_service import errors
from orders_service.api.auth import rules
from orders_service.api.grpc.status import abort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    from orders_service.access.callers import Caller
    from orders_service.api.auth.gatekeeper import Gatekeeper
    from orders_service.api.auth.rules import Rule
    from orders_service.api.grpc.status import Context

#: In front of the methods of the contract.
OURS: Final = f"/{rules.PACKAGE}"
#: A stream of requests may pause so long.
IDLE_S: Final = 30.0
#: A stream of answers is looked at so often: is its caller still let in?
_STAYS_S: Final = 30.0

#: Who calls, where the intake has found it out already.
_known: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("known_caller", default=None)


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
        return _known.get() or await self._gatekeeper.find_caller(authorization_of(context), context.peer())

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


class Intake(grpc.aio.ServerInterceptor):
    """Takes in the requests of calls by gRPC: nobody holds a place by dawdling, and what is too long is never parsed.

    Every request is read as a stream, also the one of a single message, so the caller is known before anything of his
    is read. Health asks nobody who he is; reflection asks for a token, and for no role.

    Args:
        idle_s: How long a stream of requests may pause.
    """

    def __init__(self, gatekeeper: Gatekeeper, *, idle_s: float = IDLE_S) -> None:
        self._gatekeeper = gatekeeper
        self._idle_s = idle_s

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return a handler that reads the request by itself."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(f"/{health.SERVICE_NAME}/"):
            return handler
        if not method.startswith(OURS):
            return _asking_for_a_token(handler, method, self._gatekeeper)
        rule = rules.RULES.get(method.removeprefix(OURS), _NO_RULE)
        return _Taking(self._gatekeeper, handler, method, rule, self._idle_s).handler()


class _Taking:
    """One call's request, while it comes in."""

    def __init__(self, gatekeeper: Gatekeeper, handler: Any, method: str, rule: Rule, idle_s: float) -> None:
        self._gatekeeper = gatekeeper
        self._handler = handler
        self._method = method
        self._rule = rule
        self._idle_s = idle_s
        self._end = 0.0

    def handler(self) -> Any:
        """Return what gRPC is to call."""
        read, write = self._deserialize, self._handler.response_serializer
        if self._handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._answer_stream, read, write)
        return grpc.stream_unary_rpc_method_handler(self._answer, read, write)

    def _deserialize(self, data: bytes) -> Any:
        return _TooLong(len(data)) if len(data) > self._rule.max_bytes else self._handler.request_deserializer(data)

    async def _answer(self, _requests: object, context: Context) -> Any:
        # gRPC's iterator is left alone: one that isn't read to its end is work for the event loop.
        first = await self._begin(context)
        if self._handler.request_streaming:
            return await self._handler.stream_unary(self._all_from(first, context), context)
        return await self._handler.unary_unary(first, context)

    async def _answer_stream(self, _requests: object, context: Context) -> AsyncIterator[Any]:
        first = await self._begin(context)
        async with contextlib.aclosing(self._handler.unary_stream(first, context)) as answers:
            async for answer in answers:
                yield answer

    async def _begin(self, context: Context) -> Any:
        """Find out who calls, and then what he wants."""
        try:
            _known.set(await self._gatekeeper.find_caller(authorization_of(context), context.peer()))
            self._end = asyncio.get_running_loop().time() + self._rule.max_seconds
            first = await self._read(context)
            if first is None:
                raise errors.InvalidInput.of("request", "is missing: the call ended before its first message.")
        except errors.OrdersServiceError as error:
            await abort(context, error, self._method)
        return first

    async def _all_from(self, first: Any, context: Context) -> AsyncIterator[Any]:
        message = first
        while message is not None:
            yield message
            message = await self._read(context)

    async def _read(self, context: Context) -> Any | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(self._end, loop.time() + self._idle_s)):
                message = await context.read()
        except TimeoutError as error:
            raise errors.TooSlow(
                self._method.removeprefix(OURS), idle_s=self._idle_s, max_s=self._rule.max_seconds
            ) from error
        if message is grpc.aio.EOF:
            return None
        if isinstance(message, _TooLong):
            raise errors.TooLong(self._method.removeprefix(OURS), message.size, self._rule.max_bytes)
        return message


class _TooLong:
    """Stands for a message that wasn't parsed."""

    def __init__(self, size: int) -> None:
        self.size = size


#: Of a call that has none: the guard refuses it.
_NO_RULE: Final = rules.Rule(roles=frozenset())


def authorization_of(context: Context) -> str | None:
    """Return what came as `authorization`."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("ascii", errors="replace")
    return None


def _asking_for_a_token(handler: Any, method: str, gatekeeper: Gatekeeper) -> Any:
    """Let anybody with a token ask what isn't of the contract: reflection, which tells what can be asked."""

    async def answer(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        try:
            await gatekeeper.find_caller(authorization_of(context), context.peer())
            if handler.stream_stream is None:
                raise errors.Forbidden("ROLE_FORBIDDEN", f"Nobody may call {method}.")
        except errors.OrdersServiceError as error:
            await abort(context, error, method)
        async for one in handler.stream_stream(requests, context):
            yield one

    return grpc.stream_stream_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


async def _put_first(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for one in rest:
        yield one
