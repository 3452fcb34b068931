"""Calls of the servicers from inside the process, through the interceptors of the gRPC server."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
from google.rpc import status_pb2

from orders_service.access.places import Places
from orders_service.api.grpc.guarding import admitted
from orders_service.api.grpc.status import DETAILS_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from google.protobuf.message import Message

    from orders_service.api.auth.gatekeeper import Gatekeeper

    Metadata = Sequence[tuple[str, str | bytes]]

#: Calls at once by HTTP, where each has a connection: of one caller, and of all.
_OF_ONE: Final = 100
_OF_ALL: Final = 800
_GIVEN_UP: Final = "The call was given up."


class CallFailed(Exception):
    """The servicer, or an interceptor before it, answered with an error.

    Attributes:
        status: The same as a caller by gRPC gets.
    """

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Calls:
    """What can be called: filled by `add_…Servicer_to_server`, as a gRPC server is.

    Args:
        interceptors: Those of the gRPC server, in the same order.
        gatekeeper: Who admits calls before their request is read; None: everybody is.
    """

    def __init__(
        self, interceptors: Sequence[grpc.aio.ServerInterceptor] = (), gatekeeper: Gatekeeper | None = None
    ) -> None:
        self._gatekeeper = gatekeeper
        self._places = Places(of_one=_OF_ONE, of_all=_OF_ALL)
        self._interceptors = tuple(interceptors)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[object]) -> None:
        """Do nothing: the same handlers come by name."""

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Take a service's handlers, each by the name of its rpc."""
        self._handlers |= {f"/{service_name}/{name}": handler for name, handler in method_handlers.items()}

    @contextlib.asynccontextmanager
    async def admitted(self, rpc: str, context: CallContext) -> AsyncIterator[None]:
        """Let the block take in a request of this rpc and call it, where its caller may make such calls at all.

        Raises:
            As `Gatekeeper.admitted`; or too many of his are under way by HTTP.
        """
        if self._gatekeeper is None:
            yield
            return
        async with admitted(self._gatekeeper, rpc, context) as caller:
            with self._places.taken(caller.key):
                yield

    async def unary(self, rpc: str, request: Message, context: CallContext) -> Message:
        """Call an rpc that answers with one message.

        Raises:
            CallFailed: It answered with an error.
        """
        handler = await self._find(rpc, context)
        answer: Message = await context.guard(handler.unary_unary(request, context))
        return answer

    async def stream(self, rpc: str, request: Message, context: CallContext) -> AsyncGenerator[Any]:
        """Call an rpc that answers with a stream, and yield its messages.

        Raises:
            CallFailed: It answered with an error; what came before counts.
        """
        handler = await self._find(rpc, context)
        messages = handler.unary_stream(request, context)
        try:
            while True:
                try:
                    message = await context.guard(anext(messages))
                except StopAsyncIteration:
                    return
                yield message
        finally:
            # At once, not when the garbage is collected: it may hold a listener.
            if inspect.isasyncgen(messages):
                await messages.aclose()

    async def _find(self, rpc: str, context: CallContext) -> Any:
        details = _Details(rpc, context.invocation_metadata())

        async def look_up(found: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
            return self._handlers[found.method]

        proceed: Callable[[Any], Awaitable[Any]] = look_up
        for interceptor in reversed(self._interceptors):
            proceed = functools.partial(interceptor.intercept_service, proceed)
        return await proceed(details)


class _Details(grpc.HandlerCallDetails):
    def __init__(self, method: str, metadata: Metadata) -> None:
        self.method = method
        self.invocation_metadata = metadata  # type: ignore[assignment]


class CallContext(grpc.aio.ServicerContext[Any, Any]):
    """What a servicer may ask of a call, and say of it, where the caller speaks HTTP: as much as ours do.

    Args:
        metadata: The request's headers.
        peer: The caller's address, as gRPC writes it.
    """

    def __init__(self, metadata: Metadata, peer: str) -> None:
        self._metadata = metadata
        self._peer = peer
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Any = ()

    async def guard(self, call: Awaitable[Any]) -> Any:
        """Wait for the call; what it says of itself besides its answer becomes CallFailed."""
        try:
            answer = await call
        except grpc.aio.AbortError:
            raise CallFailed(self._status()) from None
        if self._code not in (None, grpc.StatusCode.OK):
            raise CallFailed(self._status())
        return answer

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """End the call with an error."""
        self._code, self._details, self._trailing = code, details, trailing_metadata or self._trailing
        raise grpc.aio.AbortError

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call with an error that has its details with it."""
        await self.abort(status.code, status.details, status.trailing_metadata)

    def _status(self) -> status_pb2.Status:
        for key, value in self._trailing:
            if key == DETAILS_KEY:
                return status_pb2.Status.FromString(value)
        code = self._code or grpc.StatusCode.UNKNOWN
        return status_pb2.Status(code=code.value[0], message=self._details or _GIVEN_UP)

    def invocation_metadata(self) -> Any:
        """The request's headers."""
        return self._metadata

    def peer(self) -> str:
        """The caller's address."""
        return self._peer

    def set_code(self, code: grpc.StatusCode) -> None:
        """Note the status code."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Note the sentence."""
        self._details = details

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Note what goes with the status."""
        self._trailing = trailing_metadata

    # What follows gRPC asks of every context. Here it means nothing, or can't be.

    def peer_identities(self) -> None:
        """Nobody is known by a certificate here."""

    def peer_identity_key(self) -> None:
        """Nobody is known by a certificate here."""

    def auth_context(self) -> dict[str, Any]:
        """Nothing: certificates of clients don't reach an application of HTTP."""
        return {}

    def set_compression(self, compression: grpc.Compression) -> None:
        """Do nothing: answers aren't compressed."""

    def disable_next_message_compression(self) -> None:
        """Do nothing: answers aren't compressed."""

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Do nothing: what is answered beside the message is HTTP's."""

    async def read(self) -> Any:
        """Fail: the request is handed over whole."""
        raise NotImplementedError("A call by HTTP has one request.")

    async def write(self, message: Any) -> None:
        """Fail: answers are yielded."""
        raise NotImplementedError("A call by HTTP is answered by what the method returns or yields.")
