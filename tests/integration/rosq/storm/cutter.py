"""A TCP proxy before Redis that cuts connections at random points, in either direction."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class CuttingProxy:
    """Cuts about one message in `each`: before it is passed on, after the half of it, or after all of it."""

    def __init__(self, host: str, port: int, *, each: int) -> None:
        self._target = (host, port)
        self._each = each
        self._dice = random.Random(20)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: Cuts of requests and of answers.
        self.cuts = {"request": 0, "answer": 0}
        self.is_cutting = True
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                # The server is away: its clients find the door shut, as they would without a proxy.
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open = [each for each in self._open if each.fileno() >= 0] + [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(client, selectors.EVENT_READ, (server, "request"))
            selector.register(server, selectors.EVENT_READ, (client, "answer"))
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    target, what = key.data
                    if not data:
                        return
                    if self.is_cutting and self._dice.random() * self._each < 1:
                        self.cuts[what] += 1
                        target.sendall(data[: self._dice.choice([0, len(data) // 2, len(data)])])
                        return
                    target.sendall(data)


@contextlib.contextmanager
def cutting_proxy(host: str, port: int, *, each: int) -> Iterator[CuttingProxy]:
    """Run such a proxy."""
    proxy = CuttingProxy(host, port, each=each)
    try:
        yield proxy
    finally:
        proxy.close()
