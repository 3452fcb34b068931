"""An rpc that answers with one message, as an endpoint."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from google.protobuf import json_format
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from orders_service.api.rest import problem
from orders_service.api.rest.calls import CallContext
from orders_service.api.rest.problem import Problem
from orders_service.api.rest.reading import read_request
from orders_service.api.rest.routing import Kind
from orders_service.turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from google.protobuf.message import Message
    from starlette.requests import Request
    from starlette.types import Receive

    from orders_service.api.rest.bindings import Binding
    from orders_service.api.rest.calls import Calls

T = TypeVar("T")

#: From the first byte of the request to the answer. Less than the 60 s that proxies usually wait.
DEADLINE_S: Final = 55.0
#: From here on JSON is read and written in a thread: what takes longer than a few milliseconds would hold up everybody.
LONG_BYTES: Final = 32 << 10
#: All bodies that are being received, together.
_MAX_RECEIVED_BYTES: Final = 256 << 20


class Desk:
    """What all endpoints of rpcs share: the calls, and the room for bodies."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._received_bytes = 0

    async def read(self, binding: Binding, request: Request, path: Mapping[str, str]) -> Message:
        """Receive the body, and read the whole request.

        Raises:
            Problem: The body can't be taken, or doesn't come in time.
            InvalidInput: Something in it can't be read.
            ClientDisconnect: The caller left.
        """
        query = bytes(request.scope["query_string"]).decode("ascii")
        with contextlib.ExitStack() as room:
            body = await self._receive_in_time(binding, request, room)
            if body:
                _check_type(request)
            if len(body) <= LONG_BYTES:
                return read_request(binding, path, query, body)
            return await self._read_long(room, binding, path, query, body)

    async def _receive_in_time(self, binding: Binding, request: Request, room: contextlib.ExitStack) -> bytes:
        try:
            async with asyncio.timeout(binding.rule.max_seconds):
                return await self._receive(binding, request, room)
        except TimeoutError:
            raise too_slow() from None

    async def _receive(self, binding: Binding, request: Request, room: contextlib.ExitStack) -> bytes:
        chunks: list[bytes] = []
        async for chunk in _receive(request, binding.rule.max_json_bytes):
            self._received_bytes += len(chunk)
            room.callback(self._give_room, len(chunk))
            chunks.append(chunk)
            if self._received_bytes > _MAX_RECEIVED_BYTES:
                raise problem.of_code(grpc.StatusCode.UNAVAILABLE, "Too many long bodies at once. Come again.")
        return b"".join(chunks)

    async def _read_long(self, room: contextlib.ExitStack, *what: Any) -> Message:
        """Read beside the event loop. The end of that gives the room back: a caller who leaves doesn't end it."""
        reading = asyncio.ensure_future(in_turn(read_request, *what))
        held = room.pop_all()

        def give_back(ended: asyncio.Future[Message]) -> None:
            held.close()
            if not ended.cancelled():
                ended.exception()  # whoever waits has it; where nobody does any more, it is nobody's trouble

        reading.add_done_callback(give_back)
        return await asyncio.shield(reading)

    def _give_room(self, size: int) -> None:
        self._received_bytes -= size


class UnaryEndpoint:
    """Answers with the rpc's message as JSON."""

    kind = Kind.CALL

    def __init__(self, desk: Desk, binding: Binding) -> None:
        self._desk = desk
        self._binding = binding

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """Ask who calls, read, call, answer; given up when the caller leaves or the time is over."""
        message: Message | None = None
        context = context_of(request)
        try:
            async with asyncio.timeout(DEADLINE_S), self._desk.calls.admitted(self._binding.rpc, context):
                message = await self._desk.read(self._binding, request, path)
                answered = await _while_listening(request, self._desk.calls.unary(self._binding.rpc, message, context))
                return await write_answer(self._binding, answered)
        except TimeoutError:
            if message is None:
                raise too_slow() from None
            raise self._late() from None

    def _late(self) -> Problem:
        code = grpc.StatusCode.DEADLINE_EXCEEDED
        if self._binding.verb == "GET":
            return problem.of_code(code, f"There was no answer within {DEADLINE_S:g} s: ask again.")
        return problem.outcome_unknown(
            code, f"There was no answer within {DEADLINE_S:g} s: it may be done or not. Send the same request again."
        )


def too_slow() -> Problem:
    """Make the problem of a request that takes too long to come in: nothing of it was looked at."""
    return Problem(408, "The request took too long to arrive.", code="DEADLINE_EXCEEDED")


def context_of(request: Request) -> CallContext:
    """Make the call's context: headers as metadata, and the caller's address as gRPC writes it."""
    metadata = [
        (name, value)
        for name, value in request.headers.items()
        if not name.startswith("grpc-") and not name.endswith("-bin")
    ]
    host, port = (request.client.host, request.client.port) if request.client is not None else ("", 0)
    peer = f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
    return CallContext(metadata, peer)


async def write_answer(binding: Binding, message: Message) -> Response:
    """Write the answer, or its one field that the rule names, as JSON."""
    content = await (
        in_turn(_write, binding, message) if message.ByteSize() > LONG_BYTES else _at_once(binding, message)
    )
    return Response(content, media_type="application/json", headers={"cache-control": "no-store"})


def to_plain(message: Message) -> dict[str, Any]:
    """Return the message as proto3 JSON: names as in the contract, 64-bit numbers as strings, enums by name."""
    plain: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return plain


async def _at_once(binding: Binding, message: Message) -> bytes:
    return _write(binding, message)


def _write(binding: Binding, message: Message) -> bytes:
    plain = to_plain(message)
    return problem.to_json(plain.get(binding.response_body, {}) if binding.response_body else plain)


async def _receive(request: Request, limit: int):  # type: ignore[no-untyped-def]
    most = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    too_long = Problem(
        413,
        f"The body is longer than {most}, the most for this call: send less at once.",
        code="OUT_OF_RANGE",
    )
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and len(told) < 20 and int(told) > limit:
        raise too_long
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > limit:
            raise too_long
        yield chunk


def _check_type(request: Request) -> None:
    told = request.headers.get("content-type", "")
    kind, *parameters = (part.strip().lower() for part in told.split(";"))
    charset = next((p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset=")), "utf-8")
    if kind != "application/json" or charset not in ("utf-8", "utf8"):
        detail = "The body must be JSON in UTF-8: send the header Content-Type: application/json."
        raise Problem(415, detail, headers={"accept": "application/json"}, code="INVALID_ARGUMENT")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(415, "The body must come as it is, not compressed.", code="INVALID_ARGUMENT")


async def _while_listening(request: Request, call: Coroutine[Any, Any, T]) -> T:
    """Wait for the call while the caller does.

    Raises:
        ClientDisconnect: He left; the call was cancelled.
    """
    work = asyncio.create_task(call)
    leaving = asyncio.create_task(wait_leaving(request.receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        leaving.cancel()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({work, leaving})
        if work.done() and not work.cancelled():
            work.exception()  # taken notice of: nobody else asks


async def wait_leaving(receive: Receive) -> None:
    """Return when the caller has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
