"""What may stand between the service and PostgreSQL: an address that leads elsewhere, and a session pooler.

It speaks as much of the protocol as a pooler of sessions shows: it answers the startup itself where it dislikes a
parameter, and passes everything else on, one connection of the server for each of a client.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.postgres import Database

_ENCRYPTION_REQUESTS = (80877103, 80877104)
_CANCEL_REQUEST = 80877102


class Pooler:
    """Listens on loopback, and leads to the server of a database; `lead_to` leads new connections elsewhere.

    Args:
        refuses_options: Ends a connection that brings the startup parameter `options`, as PgBouncer does by itself.
        drops_options: Leaves it out instead, as `ignore_startup_parameters = options` makes PgBouncer do.
        replaces: Text of statements, and what passes on in its place, of the same length.
    """

    def __init__(
        self,
        database: Database,
        *,
        refuses_options: bool = False,
        drops_options: bool = False,
        replaces: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        assert len(replaces[0]) == len(replaces[1])
        self.lead_to(database)
        self._refuses_options = refuses_options
        self._drops_options = drops_options
        self._replaces = replaces
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, database: Database) -> None:
        """From now on new connections lead to this database's server; those that stand stay where they are."""
        self._target = conninfo_to_dict(database.conninfo)

    def env(self, database: Database) -> dict[str, str]:
        """The `DB_*` variables that point a process at the database by this way."""
        return {**database.env(), "DB_HOST": "127.0.0.1", "DB_PORT": str(self.port)}

    def cut(self) -> None:
        """End every connection that stands, in whatever it is doing."""
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it, and every connection."""
        self._listener.close()
        self.cut()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            startup = _read_startup(client)
            if startup is None:
                return
            if struct.unpack("!I", startup[:4])[0] == _CANCEL_REQUEST:
                # Asks the server to break off a statement of another connection; there is no answer.
                with _connect(self._target) as server:
                    server.sendall(struct.pack("!I", len(startup) + 4) + startup)
                return
            parameters = _parameters(startup)
            if "options" in parameters and self._refuses_options:
                client.sendall(_fatal("unsupported startup parameter: options"))
                return
            if self._drops_options:
                parameters.pop("options", None)
            with _connect(self._target) as server:
                self._open.append(server)
                server.sendall(_startup(startup[:4], parameters))
                answers = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                answers.start()
                _pass_on(client, server, self._replaces)


@contextlib.contextmanager
def pooler(database: Database, **how: bool | tuple[bytes, bytes]) -> Iterator[Pooler]:
    """Run such a pooler."""
    made = Pooler(database, **how)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def _read_startup(client: socket.socket) -> bytes | None:
    """The first message without its length; an offer to encrypt is declined."""
    while True:
        head = client.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        body = client.recv(struct.unpack("!I", head)[0] - 4, socket.MSG_WAITALL)
        if struct.unpack("!I", body[:4])[0] not in _ENCRYPTION_REQUESTS:
            return body
        client.sendall(b"N")


def _parameters(startup: bytes) -> dict[str, str]:
    words = startup[4:].rstrip(b"\0").decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=True))


def _startup(protocol: bytes, parameters: dict[str, str]) -> bytes:
    words = "".join(f"{name}\0{value}\0" for name, value in parameters.items())
    body = protocol + words.encode() + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def _fatal(message: str) -> bytes:
    body = f"SFATAL\0VFATAL\0C08P01\0M{message}\0\0".encode()
    return b"E" + struct.pack("!I", len(body) + 4) + body


def _connect(target: Mapping[str, object]) -> socket.socket:
    host, port = str(target.get("host") or "127.0.0.1"), int(str(target.get("port") or 5432))
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return server


def _pass_on(source: socket.socket, target: socket.socket, replaces: tuple[bytes, bytes] = (b"", b"")) -> None:
    """Until the source ends; then the target is told."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data.replace(*replaces) if replaces[0] else data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
