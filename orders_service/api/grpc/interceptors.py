"""What stands around every call of the contract, so that no method has to think of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from orders_service import errors
from orders_service.api.grpc import texts
from orders_service.api.grpc.status import abort

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    from orders_service.api.grpc.status import Context

#: Health and reflection have rules of their own.
OURS: Final = "/orders_service.v1."


class Unreadable:
    """What came instead of a message of the call's type."""


class CallGuard(grpc.aio.ServerInterceptor):
    """Checks the texts of what comes in, and turns what goes wrong into a status by the table of `status`."""

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
        read, write = _reading(handler.request_deserializer), handler.response_serializer
        match handler.request_streaming, handler.response_streaming:
            case False, False:
                return grpc.unary_unary_rpc_method_handler(_unary_unary(handler.unary_unary, method), read, write)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(_unary_stream(handler.unary_stream, method), read, write)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(_stream_unary(handler.stream_unary, method), read, write)
        raise AssertionError(f"{method} streams both ways: give it a guard here")


def _unary_unary(call: Callable[..., Awaitable[Message]], method: str) -> Callable[..., Awaitable[Message]]:
    async def guarded(request: Message | Unreadable, context: Context) -> Message:
        try:
            return await call(_checked(request), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await abort(context, error, method)

    return guarded


def _unary_stream(call: Callable[..., AsyncGenerator[Message]], method: str) -> Callable[..., AsyncIterator[Message]]:
    async def guarded(request: Message | Unreadable, context: Context) -> AsyncIterator[Message]:
        try:
            # Closed in the very task that read it: what stands around a call remembers its caller by the task.
            async with contextlib.aclosing(call(_checked(request), context)) as messages:
                async for message in messages:
                    yield message
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await abort(context, error, method)

    return guarded


def _stream_unary(call: Callable[..., Awaitable[Message]], method: str) -> Callable[..., Awaitable[Message]]:
    async def checked(requests: AsyncIterator[Message | Unreadable]) -> AsyncIterator[Message]:
        async for request in requests:
            yield _checked(request)

    async def guarded(requests: AsyncIterator[Message | Unreadable], context: Context) -> Message:
        try:
            return await call(checked(requests), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await abort(context, error, method)

    return guarded


def _checked(request: Message | Unreadable) -> Message:
    if isinstance(request, Unreadable):
        raise errors.InvalidInput.of("request", "isn't a message of this call: it was made by another contract.")
    texts.check(request)
    return request


def _reading(read: Callable[[bytes], Message]) -> Callable[[bytes], Message | Unreadable]:
    def reading(data: bytes) -> Message | Unreadable:
        try:
            return read(data)
        except DecodeError:
            # Else gRPC answers INTERNAL, as if the fault were ours.
            return Unreadable()

    return reading
