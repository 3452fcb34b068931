"""The ASGI application: the portal's endpoints, the tests' own under `/_simulator`, and what stands around both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.simulator import answers, errors, gate
from worker.simulator.api import table
from worker.simulator.control import http
from worker.simulator.page import routes as pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from worker.simulator.calls import CallRecord
    from worker.simulator.runtime import Simulator

logger = logging.getLogger(__name__)

CONTROL_PREFIX = "/_simulator"


def build(simulator: Simulator) -> ASGIApp:
    """The application of one simulator."""
    door = gate.Gate(simulator)
    routes = [Route(entry.path, door.guard(entry), methods=[entry.method]) for entry in table.ENDPOINTS]
    routes += http.routes(simulator)
    routes += pages.routes(simulator)
    inner = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _not_routed,
            ClientDisconnect: _client_left,
            errors.StateWriteFailed: _not_written,
        },
    )
    # A path with a slash too many is unknown, not a redirect: nothing of the portal's contract is met by accident.
    inner.router.redirect_slashes = False
    return Front(inner, simulator)


async def _not_routed(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return answers.problem(exc.status_code, f"{request.method} {request.url.path}: {exc.detail}")


async def _client_left(request: Request, exc: Exception) -> Response:
    logger.info(
        "The client left in the middle of its request",
        extra={"event": "simulator_client_left", "path": request.url.path},
    )
    return answers.NoAnswer()


async def _not_written(request: Request, exc: Exception) -> Response:
    logger.error("A record was not written", extra={"event": "simulator_state_write_failed", "error": str(exc)})
    return answers.problem(500, str(exc))


class Front:
    """The outermost layer: notes every call, and applies the rules that hold before any routing."""

    def __init__(self, inner: ASGIApp, simulator: Simulator) -> None:
        self._inner = inner
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"The simulator speaks HTTP only, not {scope['type']}.")
        if scope["path"].startswith(CONTROL_PREFIX):
            await self._inner(scope, receive, send)
            return
        record = scope[gate.RECORD_KEY] = self._begin(scope)

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                self._note_retry_after(record, message["headers"])
            await send(message)

        answer: ASGIApp = self._refusal(scope) or self._inner
        try:
            await answer(scope, receive, note_status)
        except asyncio.CancelledError:
            # The simulator leaves and its grace is over. To the client the portal just goes away.
            logger.warning("Left in the middle of a call", extra={"event": "simulator_call_cut", "path": record.path})
            connection = self._simulator.connections.find(scope)
            if connection is not None:
                # The end of the event loop cancels a second time; by then the connection is gone already.
                with contextlib.suppress(asyncio.CancelledError):
                    await connection.reset()
        finally:
            self._simulator.calls.finish(record)
            self._simulator.conduct.end(record)
            _log(record)

    def _note_retry_after(self, record: CallRecord, headers: Iterable[tuple[bytes, bytes]]) -> None:
        said = dict(headers).get(b"retry-after", b"").decode("ascii", "replace")
        if said.isascii() and said.isdigit():
            self._simulator.conduct.note_retry_after(record, float(said))

    def _begin(self, scope: Scope) -> CallRecord:
        connection = self._simulator.connections.find(scope)
        if connection is not None:
            connection.requests += 1
        path = scope["path"]
        is_login = path.startswith(gate.LOGIN_PATHS)
        return self._simulator.calls.begin(
            method=scope["method"],
            path=path,
            query="" if is_login else scope["query_string"].decode("ascii", "replace"),
            connection=connection.number if connection else 0,
            request_on_connection=connection.requests if connection else 0,
        )

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {name: value for name, value in scope["headers"]}
        if b"transfer-encoding" in headers:
            return answers.problem(413, "Request bodies must come with Content-Length")
        if int(headers.get(b"content-length", b"0")) > gate.MAX_BODY_BYTES:
            return answers.problem(413, f"The body is larger than {gate.MAX_BODY_BYTES} bytes")
        now = self._simulator.clock.now()
        if any(window.covers(now) for window in self._simulator.settings.maintenance):
            if not scope["path"].startswith(gate.LOGIN_PATHS):
                gate.note_caller(self._simulator, Request(scope), scope[gate.RECORD_KEY])
            return HTMLResponse(answers.MAINTENANCE, status_code=503)
        return None


def _log(record: CallRecord) -> None:
    logger.info(
        "Call",
        extra={
            "event": "simulator_call",
            "method": record.method,
            "path": record.path,
            "status": record.status if record.status is not None else "none",
            "duration_s": round(record.duration_s or 0.0, 3),
            "account": record.account or "-",
            "fault": record.fault or "-",
            "connection": record.connection,
        },
    )
