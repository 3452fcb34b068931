"""The idle limit: a connection on which nothing is under way is closed after a time, as the portal does.

uvicorn closes a connection that is idle *after* an answer. One that was opened and never sent a request, or that sent
half of one, it would keep for ever; and that is just the connection a paid call is prepared on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from worker.simulator.connections import Connection, ConnectionTable
    from worker.simulator.settings import Knobs


class PortalProtocol(H11Protocol):
    """HTTP/1.1 with the idle limit running from the moment a connection is open. Made by `bound_to`."""

    table: ConnectionTable
    knobs: Knobs
    _known: tuple[tuple[str, int], Connection] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock at once: there need never be a request."""
        super().connection_made(transport)
        if self.client is not None:
            self._known = self.client, self.table.add(self.client, transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Any byte starts the clock anew; a whole request stops it until its answer is out."""
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
        if self._known is not None:
            self.table.remove(*self._known)
            self._known = None

    def _watch(self) -> None:
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        is_answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if not is_answering:
            self.timeout_keep_alive_task = self.loop.call_later(self.knobs.now.idle_limit_s, self._close_idle)

    def _close_idle(self) -> None:
        # Not uvicorn's own handler: it tells h11 first, which refuses in the middle of a request.
        self.transport.close()


def bound_to(table: ConnectionTable, knobs: Knobs) -> type[PortalProtocol]:
    """The protocol class for one simulator."""
    return type("BoundPortalProtocol", (PortalProtocol,), {"table": table, "knobs": knobs})
