"""Listening for HTTP: uvicorn, stopped as the gRPC server is, with connections that nobody uses closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from orders_service.api.rest.problem import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

    from starlette.types import ASGIApp

#: A connection may do nothing for so long, and each piece of a body may take as long after the last.
IDLE_S: Final = 30
#: The head of a request has to be there so soon after its first byte, in however many pieces it comes; and the rest of
#: a body that was answered before its end.
HEAD_S: Final = 10
#: Below what a process may usually have open (1,024).
MAX_CONNECTIONS: Final = 900
_BACKLOG: Final = 512
#: A caller that takes nothing of its answer, or is gone without a word, loses the connection.
_STALLED_MS: Final = 60_000


class HttpServer:
    """Serves one application on one address, in the running event loop.

    Args:
        grace_s: How long requests under way may take to end after `stop`.
        tls: By which certificate the service is known; None: plain.
    """

    def __init__(self, app: ASGIApp, *, grace_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # Else a request may begin in the context of another one, of another caller (cpython issue 140947).
            reset_contextvars=True,
            backlog=_BACKLOG,
            timeout_keep_alive=IDLE_S,
            # uvicorn takes any number of seconds; its annotation says whole ones.
            timeout_graceful_shutdown=grace_s,  # type: ignore[arg-type]
        )
        self._tls = tls
        self._server = _Server(self._config)
        self._sockets: list[socket.socket] = []
        self._running: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port that port 0 became.

        Raises:
            OSError: Somebody else listens there, or the address isn't this machine's.
        """
        listener = await asyncio.to_thread(_listen, host, port)
        self._sockets = [listener]
        self._config.load()
        self._config.ssl = self._tls
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=self._sockets)
        self._running = asyncio.create_task(self._server.main_loop())
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Take no new connections, let requests under way end up to the grace, and break off the rest."""
        if self._running is None:
            return
        running, self._running = self._running, None
        self._server.should_exit = True
        await running
        await self._server.shutdown(sockets=self._sockets)

    def hurry(self) -> None:
        """Break off what is under way: a `stop` that waits ends."""
        self._server.force_exit = True
        for task in list(self._server.server_state.tasks):
            task.cancel()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield


class _Connection(H11Protocol):
    """HTTP/1.1; clocks run also before the first request and in the middle of one."""

    _end: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock at once: there need never be a request."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Any byte of a body starts the clock anew, the first of a head starts its own; a whole request stops it."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Start the clock after an answer, unless the next request came with the last one."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, also after a reset."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP in the words of every other error."""
        detail = "This isn't a request by HTTP/1.1 as it should be, or its head is too long."
        body = bytes(Problem(400, detail, code="INVALID_ARGUMENT").response().body)
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        self._unset_keepalive_if_required()
        left_s = None if self.transport.is_closing() else self._left_s()
        if left_s is not None:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.transport.abort)

    def _left_s(self) -> float | None:
        """Return how long the caller may take with what comes next from him; None: nothing is to come."""
        is_answered, side = self.cycle is None or self.cycle.response_complete, self.conn.their_state
        has_half_a_head = side is h11.IDLE and bool(self.conn.trailing_data[0])
        if has_half_a_head or (side is h11.SEND_BODY and is_answered):
            # Bytes that come one by one don't stop this clock.
            self._end = self._end or self.loop.time() + HEAD_S
            return max(0.0, self._end - self.loop.time())
        self._end = None
        return IDLE_S if is_answered or side is h11.SEND_BODY else None


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, target = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is accepted here inherits these.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
        listener.bind(target)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
