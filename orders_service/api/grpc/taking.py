"""Takes in the requests of calls by gRPC, bit by bit as they come.

Every request is read as a stream, also the one of a single message: so who calls, and whether he may, is known before
anything of his is read, nobody holds a place by dawdling, and what is too long is never parsed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from grpc_health.v1 import health

from orders_service import errors
from orders_service.access.places import Places
from orders_service.api.auth import rules
from orders_service.api.auth.gatekeeper import machine_of
from orders_service.api.grpc import wire
from orders_service.api.grpc.guarding import OURS, admitted, authorization_of
from orders_service.api.grpc.interceptors import Unreadable
from orders_service.api.grpc.status import abort
from orders_service.turns import in_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from google.protobuf.message import Message

    from orders_service.api.auth.gatekeeper import Gatekeeper
    from orders_service.api.auth.rules import Rule
    from orders_service.api.grpc.status import Context

    #: Lets the block take in and answer one call.
    Admit = Callable[[Context], AbstractAsyncContextManager[object]]

#: From here on a message is parsed beside the event loop.
_LONG_BYTES: Final = 32 << 10
#: A stream of requests may pause so long.
IDLE_S: Final = 30.0
#: Who takes nothing of his answers for so long loses his place. By HTTP the connection's own limit says it.
STALLED_S: Final = 60.0

_WATCH: Final = f"/{health.SERVICE_NAME}/Watch"
#: Of a call of ours that has none: it is admitted to nobody.
_NO_RULE: Final = rules.Rule(roles=frozenset())
#: What is asked beside the contract is short, and asked at once.
_BESIDE: Final = rules.Rule(roles=frozenset(), max_bytes=4 * rules.KIB, max_seconds=300.0)
#: Calls at once that no token is asked of: of one machine, and of all.
_CHECKS: Final = {"of_one": 100, "of_all": 1000}
#: The same of those that last as long as their callers listen.
_WATCHES: Final = {"of_one": 100, "of_all": 400}


class Intake(grpc.aio.ServerInterceptor):
    """Stands outermost: lets a call begin, and hands its request on message by message.

    Health asks nobody who he is; reflection asks for a token, and for no role.

    Args:
        idle_s: How long a stream of requests may pause.
    """

    def __init__(self, gatekeeper: Gatekeeper, *, idle_s: float = IDLE_S) -> None:
        self._gatekeeper = gatekeeper
        self._idle_s = idle_s
        self._checks, self._watches = Places(**_CHECKS), Places(**_WATCHES)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return a handler that reads the request by itself."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        rule, admit = self._way_of(method)
        return _Taking(handler, method, rule, admit, self._idle_s).handler()

    def _way_of(self, method: str) -> tuple[Rule, Admit]:
        if method.startswith(OURS):
            rule = rules.RULES.get(method.removeprefix(OURS), _NO_RULE)
            return rule, lambda context: admitted(self._gatekeeper, method, context)
        if method.startswith(f"/{health.SERVICE_NAME}/"):
            places = self._watches if method == _WATCH else self._checks
            return _BESIDE, lambda context: _with_a_place(places, context)
        return _BESIDE, self._with_any_token

    @contextlib.asynccontextmanager
    async def _with_any_token(self, context: Context) -> AsyncIterator[None]:
        await self._gatekeeper.find_caller(authorization_of(context), context.peer())
        async with _with_a_place(self._watches, context):
            yield


class _Taking:
    """One call's request, while it comes in."""

    def __init__(self, handler: Any, method: str, rule: Rule, admit: Admit, idle_s: float) -> None:
        self._handler = handler
        self._method = method
        self._rule = rule
        self._admit = admit
        self._idle_s = idle_s
        self._end = 0.0

    def handler(self) -> Any:
        """Return what gRPC is to call: coroutines, not generators, so that whatever ends one, it ends in its task."""
        read, write = self._deserialize, self._handler.response_serializer
        if self._handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._answer_stream, read, write)
        return grpc.stream_unary_rpc_method_handler(self._answer, read, write)

    def _deserialize(self, data: bytes) -> Any:
        # gRPC calls this on the event loop: what is long is left as it is.
        is_long = len(data) > _LONG_BYTES and not self._handler.request_streaming
        return (
            _Unread(data) if is_long or len(data) > self._rule.max_bytes else self._handler.request_deserializer(data)
        )

    async def _answer(self, _requests: object, context: Context) -> Any:
        # gRPC's iterator is left alone: one that isn't read to its end is work for the event loop.
        async with self._begun(context) as first:
            if self._handler.request_streaming:
                return await self._handler.stream_unary(self._all_from(first, context), context)
            return await self._handler.unary_unary(first, context)

    async def _answer_stream(self, _requests: object, context: Context) -> None:
        try:
            async with self._begun(context) as first:
                await self._stream(first, context)
        except errors.OrdersServiceError as error:
            # Of the caller's side; those of what answers are statuses already. Told when his place is free again: where
            # he takes nothing, he doesn't take that either.
            await abort(context, error, self._method)

    async def _stream(self, first: Any, context: Context) -> None:
        if self._handler.request_streaming:
            answers = self._handler.stream_stream(self._all_from(first, context), context)
        else:
            answers = self._handler.unary_stream(first, context)
        if not inspect.isasyncgen(answers):
            # It writes by itself.
            await answers
            return
        async with contextlib.aclosing(answers):
            async for answer in answers:
                await self._write(context, answer)

    async def _write(self, context: Context, answer: Any) -> None:
        try:
            async with asyncio.timeout(STALLED_S):
                await context.write(answer)
        except TimeoutError as error:
            raise errors.TakesNothing(self._method.removeprefix(OURS), STALLED_S) from error

    @contextlib.asynccontextmanager
    async def _begun(self, context: Context) -> AsyncIterator[Any]:
        """Find out who calls, and then what he wants; the block answers."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._admit(context))
                self._end = asyncio.get_running_loop().time() + self._rule.max_seconds
                first = await self._read(context)
                if first is None:
                    raise errors.InvalidInput.of("request", "is missing: the call ended before its first message.")
            except errors.OrdersServiceError as error:
                await abort(context, error, self._method)
            yield first

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
        return await self._parse_long(message.data) if isinstance(message, _Unread) else message

    async def _parse_long(self, data: bytes) -> Any:
        if len(data) > self._rule.max_bytes:
            raise errors.TooLong(self._method.removeprefix(OURS), len(data), self._rule.max_bytes)
        message = request_class(self._method)()
        try:
            await in_turn(wire.read, message, data)
        except DecodeError:
            return Unreadable()
        return message


class _Unread:
    """A message as it came."""

    def __init__(self, data: bytes) -> None:
        self.data = data


@functools.cache
def request_class(method: str) -> type[Message]:
    """Return the class of the requests of a method, by its path in gRPC."""
    found = descriptor_pool.Default().FindMethodByName(method.removeprefix("/").replace("/", "."))
    return message_factory.GetMessageClass(found.input_type)


@contextlib.asynccontextmanager
async def _with_a_place(places: Places, context: Context) -> AsyncIterator[None]:
    with places.taken(machine_of(context.peer())):
        yield
