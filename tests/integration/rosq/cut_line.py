"""A line to the server that can be cut as a network is: nothing comes through, and nobody is told."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Any


class CutLine:
    """A TCP proxy whose line can be cut and mended again: what was under way arrives late then."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._is_closed = False
        #: Connections that were asked for.
        self.asked = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, port: int) -> None:
        """Connections from now on lead to another server; those that stand stay where they are."""
        self._target = ("127.0.0.1", port)

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self._is_closed = True
        self._whole.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._is_closed:
                for key, _ in selector.select(0.2):
                    source: Any = key.fileobj
                    data = source.recv(65_536)
                    self._whole.wait()
                    if not data or self._is_closed:
                        return
                    key.data.sendall(data)
