"""What isn't JSON: the bytes of extracts, of many as one ZIP, of tables; in parts where that is asked for."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from orders_service import errors
from orders_service.api.rest.problem import Problem
from orders_service.api.rest.routing import Kind
from orders_service.api.rest.rpc import context_of, wait_leaving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from orders_service.api.rest.bindings import Binding
    from orders_service.api.rest.calls import CallContext
    from orders_service.api.rest.rpc import Desk

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
#: By the end of a file's name.
MEDIA_TYPES: Final = {
    "zip": "application/zip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
#: Of a stream that says nothing of itself.
_NAMELESS: Final = "выписки.zip"


def is_file(binding: Binding) -> bool:
    """Whether the rpc answers with a stream of bytes, perhaps with a header first."""
    return binding.is_stream and "chunk" in binding.method.output_type.fields_by_name


def has_parts(binding: Binding) -> bool:
    """Whether a part of the file can be asked for."""
    return "offset" in binding.method.input_type.fields_by_name


class FileEndpoint:
    """Answers with the file that the rpc streams."""

    kind = Kind.STREAM

    def __init__(self, desk: Desk, binding: Binding) -> None:
        self._desk = desk
        self._binding = binding
        self._has_header = "header" in binding.method.output_type.fields_by_name
        self._has_parts = has_parts(binding)

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """Answer with the whole, a part, or that the caller has it already."""
        context = context_of(request)
        async with contextlib.AsyncExitStack() as ending:
            await ending.enter_async_context(self._desk.calls.admitted(self._binding.rpc, context))
            message: Any = await self._desk.read(self._binding, request, path)
            if self._has_parts and message.offset:
                raise errors.InvalidInput.of("offset", "isn't for HTTP: send the header Range.")
            stream = self._open(message, context, ending)
            first = await anext(stream)
            if not self._has_header:
                if request.method == "HEAD":
                    return Response(headers=_headers_of_nameless())
                return _Streamed(stream, ending.pop_all(), first.chunk, None, 200, _headers_of_nameless())
            headers = _headers_of(first.header)
            if "etag" in headers and _has_it(request, headers["etag"]):
                return Response(status_code=304, headers=headers)
            size = first.header.size_bytes
            start, end = _range_of(request, size, headers["etag"]) if self._has_parts else (0, size)
            is_part = (start, end) != (0, size)
            headers["content-length"] = str(end - start)
            if is_part:
                headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
            status = 206 if is_part else 200
            if request.method == "HEAD":
                return Response(status_code=status, headers=headers)
            if start:
                await stream.aclose()
                message.offset = start
                stream = self._open(message, context, ending)
                await anext(stream)
            return _Streamed(stream, ending.pop_all(), b"", end - start, status, headers)
        raise AssertionError("nothing within is suppressed")

    def _open(self, message: Any, context: CallContext, ending: contextlib.AsyncExitStack) -> AsyncGenerator[Any]:
        stream = self._desk.calls.stream(self._binding.rpc, message, context)
        ending.push_async_callback(stream.aclose)
        return stream


class _Streamed(Response):
    """Sends what the stream brings. In one task from its begin to its end: what stands around a call remembers who
    makes it by the context of the task.

    Args:
        ending: What is to be closed when the answer is out, or its caller left: the stream, and the call's place.
        begin: What came already.
        length: How many bytes to send; None: all.
    """

    def __init__(
        self,
        stream: AsyncGenerator[Any],
        ending: contextlib.AsyncExitStack,
        begin: bytes,
        length: int | None,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        self._stream, self._ending = stream, ending
        self._begin, self._length = begin, length
        super().__init__(status_code=status, headers=headers)
        if length is None:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the call is over with the answer, also where the caller leaves before its end."""
        leaving = asyncio.create_task(wait_leaving(receive))
        async with self._ending:
            self._ending.callback(leaving.cancel)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in self._pieces(self._begin, self._length):
                if leaving.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pieces(self, begin: bytes, length: int | None) -> AsyncIterator[bytes]:
        """Yield them; the last of the file only when the stream's end has told that it is whole."""
        held, missing = begin, length
        async for message in self._stream:
            if held:
                yield held
            held = message.chunk if missing is None else message.chunk[:missing]
            if missing is not None:
                missing -= len(message.chunk)
                if missing < 0:
                    break
        yield held


def _headers_of(header: Any) -> dict[str, str]:
    fields = type(header).DESCRIPTOR.fields_by_name
    if "sha256" not in fields:
        return {**_named(header.file_name), "cache-control": "no-store"}
    digest = base64.b64encode(bytes.fromhex(header.sha256)).decode()
    return {
        **_named(header.file_name or f"{header.sha256}.zip"),
        "etag": f'"{header.sha256}"',
        "accept-ranges": "bytes",
        "repr-digest": f"sha-256=:{digest}:",
        # It never changes, and it is for this caller alone.
        "cache-control": "private, no-cache",
        "x-paper-kind": fields["kind"].enum_type.values_by_number[header.kind].name,
    }


def _headers_of_nameless() -> dict[str, str]:
    return {**_named(_NAMELESS), "cache-control": "no-store"}


def _named(name: str) -> dict[str, str]:
    return {
        "content-type": MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream"),
        "content-disposition": f"attachment; filename*=UTF-8''{urllib.parse.quote(name, safe='')}",
    }


def _has_it(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in known.split(",")]


def _range_of(request: Request, size: int, etag: str) -> tuple[int, int]:
    """Return where the asked part begins, and where it ends (exclusive).

    Raises:
        Problem: 416: there is no such part.
    """
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", etag).strip() != etag:
        return 0, size
    matched = _RANGE.fullmatch(asked.replace(" ", ""))
    if matched is None or matched.group(1, 2) == ("", ""):
        # Several ranges, other units, nonsense: a server may answer with the whole (RFC 9110, 14.2).
        return 0, size
    first, last = matched.group(1, 2)
    if first and last and int(last) < int(first):
        return 0, size
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= end:
        headers = {"content-range": f"bytes */{size}"}
        raise Problem(416, f"The file has {size} bytes: there is no such part.", headers=headers, code="OUT_OF_RANGE")
    return start, end
