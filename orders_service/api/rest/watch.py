"""What is told as it happens: Server-Sent Events, each with the id from which it goes on after a broken connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from orders_service import errors
from orders_service.api.rest import problem
from orders_service.api.rest.calls import CallFailed
from orders_service.api.rest.routing import Kind
from orders_service.api.rest.rpc import context_of, to_plain, wait_leaving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from orders_service.api.rest.bindings import Binding
    from orders_service.api.rest.rpc import Desk

MEDIA_TYPE: Final = "text/event-stream"
#: Whoever loses the connection opens another after so long.
_RETRY_MS: Final = 2000
_LARGEST_ID: Final = 2**63 - 1


def is_watch(binding: Binding) -> bool:
    """Whether the rpc answers with a stream of events that have ids."""
    fields = binding.method.output_type.fields_by_name
    return binding.is_stream and "event" in fields and "event_id" in fields


class WatchEndpoint:
    """Answers with what the rpc tells, for as long as the caller listens."""

    kind = Kind.STREAM

    def __init__(self, desk: Desk, binding: Binding) -> None:
        self._desk = desk
        self._binding = binding

    async def answer(self, request: Request, path: Mapping[str, str]) -> Response:
        """Begin, or say why not: the first word of the rpc comes at once."""
        context = context_of(request)
        async with contextlib.AsyncExitStack() as ending:
            await ending.enter_async_context(self._desk.calls.admitted(self._binding.rpc, context))
            message: Any = await self._desk.read(self._binding, request, path)
            if (last := request.headers.get("last-event-id", "")) != "":
                message.after_event_id = _read_id(last)
            stream = self._desk.calls.stream(self._binding.rpc, message, context)
            ending.push_async_callback(stream.aclose)
            first = await anext(stream)
            if request.method == "HEAD":
                return Response(headers=_HEADERS)
            return _Events(stream, ending.pop_all(), first)
        raise AssertionError("nothing within is suppressed")


_HEADERS: Final = {
    "content-type": MEDIA_TYPE,
    "cache-control": "no-store",
    # A proxy that gathers answers would hold them back.
    "x-accel-buffering": "no",
}


class _Events(Response):
    """Sends what the stream tells. In one task from its begin to its end, as what stands around a call wants it."""

    def __init__(self, stream: AsyncGenerator[Any], ending: contextlib.AsyncExitStack, first: Any) -> None:
        self._stream, self._ending, self._first = stream, ending, first
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; the call is over when the stream is, or the caller leaves."""
        leaving = asyncio.create_task(wait_leaving(receive))
        async with self._ending:
            self._ending.callback(leaving.cancel)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as listening:

                    def end(_: object) -> None:
                        with contextlib.suppress(RuntimeError):  # it has ended by itself just now
                            listening.reschedule(asyncio.get_running_loop().time())

                    leaving.add_done_callback(end)
                    try:
                        await self._send(send)
                    finally:
                        leaving.remove_done_callback(end)

    async def _send(self, send: Send) -> None:
        async def tell(text: str) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await tell(f"retry: {_RETRY_MS}\n{_event(self._first)}")
        try:
            async for message in self._stream:
                await tell(_event(message))
        except CallFailed as error:
            # Too late for a status. Whoever listens by EventSource comes again with the last id that he has.
            content = problem.to_json(problem.of_status(error.status).content()).decode("utf-8", "replace")
            await tell(f"event: problem\ndata: {content}\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(message: Any) -> str:
    if not message.HasField("event"):
        # An id without data: it is remembered, and tells nobody anything.
        return f": alive\nid: {message.event_id}\n\n"
    content = problem.to_json(to_plain(message)).decode("utf-8", "replace")
    return f"id: {message.event_id}\nevent: step\ndata: {content}\n\n"


def _read_id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        raise errors.InvalidInput.of("Last-Event-ID", "must be the id of an event, as it came.")
    return int(text)
