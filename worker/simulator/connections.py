"""Open connections, found by their client's address: what a fault needs to break one in the middle of a call."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

#: Linger on, for no time: closing sends a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class Connection:
    """One TCP connection of a client."""

    def __init__(self, number: int, transport: asyncio.Transport) -> None:
        self.number = number
        self.requests = 0
        self._transport = transport
        self._closed = asyncio.Event()

    async def close(self) -> None:
        """Send what was written so far, then close in good order; returns once it is closed."""
        self._transport.close()
        await self._closed.wait()

    async def reset(self) -> None:
        """Close with a reset; what wasn't sent yet is lost."""
        with contextlib.suppress(OSError):  # The client may have gone first: then there is nothing left to reset.
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
        await self._closed.wait()

    def note_closed(self) -> None:
        """Called by the protocol when the connection is gone."""
        self._closed.set()


class ConnectionTable:
    """All open connections."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[tuple[str, int], Connection] = {}

    def add(self, client: tuple[str, int], transport: asyncio.Transport) -> Connection:
        """Note a new connection."""
        self._count += 1
        connection = self._open[client] = Connection(self._count, transport)
        return connection

    def remove(self, client: tuple[str, int], connection: Connection) -> None:
        """Forget a connection that is gone; another one from the same address may be there already."""
        if self._open.get(client) is connection:
            del self._open[client]
        connection.note_closed()

    def find(self, scope: Scope) -> Connection | None:
        """The connection that a request came over, unless it is gone."""
        host, port = scope["client"]
        return self._open.get((host, port))
