"""TCP proxies before Redis. One swallows an answer: the request arrives and runs, the connection breaks before the
reply. Another keeps from both sides what becomes of the other. Others are a long way, and a way that ends by time."""

from __future__ import annotations

import contextlib
import queue
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Proxy:
    """Accepts, and passes each connection on in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
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
            server = socket.create_connection(self._target)
            self._open += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        raise NotImplementedError


class SwallowingProxy(_Proxy):
    """Passes everything on until `swallow_next` names what the next victim's request holds."""

    def __init__(self, host: str, port: int) -> None:
        self._lock = threading.Lock()
        self._mark: bytes | None = None
        #: How many answers were swallowed.
        self.swallowed = 0
        super().__init__(host, port)

    def swallow_next(self, mark: str) -> None:
        """The next request with this text in it runs, and its connection is cut before the answer."""
        with self._lock:
            self._mark = mark.encode()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            is_victim = False
            while True:
                for key, _ in selector.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65_536)
                    if not data:
                        return
                    if source is client:
                        is_victim = is_victim or self._is_victim(data)
                    elif is_victim:
                        # The answer is here, so the request has run: now nobody learns of it.
                        self.swallowed += 1
                        return
                    key.data.sendall(data)

    def _is_victim(self, data: bytes) -> bool:
        with self._lock:
            if self._mark is None or self._mark not in data:
                return False
            self._mark = None
            return True


class SilentProxy(_Proxy):
    """Answers of connections that were there when `fall_silent` was called don't arrive, and the server doesn't learn
    that their clients have gone: a network that drops packets."""

    def __init__(self, host: str, port: int) -> None:
        self._silent: set[socket.socket] = set()
        super().__init__(host, port)

    def fall_silent(self) -> None:
        """From here on, for the connections of this moment."""
        self._silent |= set(self._open)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        def pass_answers() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(65_536):
                    if client not in self._silent:
                        client.sendall(data)

        threading.Thread(target=pass_answers, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)
        client.close()
        if client not in self._silent:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()


@contextlib.contextmanager
def silent_proxy(host: str, port: int) -> Iterator[SilentProxy]:
    """Run such a proxy."""
    proxy = SilentProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()


@contextlib.contextmanager
def swallowing_proxy(host: str, port: int) -> Iterator[SwallowingProxy]:
    """Run such a proxy."""
    proxy = SwallowingProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()


class DelayingProxy(_Proxy):
    """Lets each request arrive later by the same time, as a network does: what is sent in one go arrives in one go."""

    def __init__(self, host: str, port: int, delay_s: float) -> None:
        self._delay_s = delay_s
        super().__init__(host, port)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def pass_requests() -> None:
            with contextlib.suppress(OSError):
                while True:
                    arrives_s, data = under_way.get()
                    if not data:
                        break
                    time.sleep(max(arrives_s - time.monotonic(), 0.0))
                    server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

        def pass_answers() -> None:
            with client, server, contextlib.suppress(OSError):
                while data := server.recv(65_536):
                    client.sendall(data)

        for way in (pass_requests, pass_answers):
            threading.Thread(target=way, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                under_way.put((time.monotonic() + self._delay_s, data))
        under_way.put((0.0, b""))


class ForgetfulProxy(_Proxy):
    """Closes each connection when it has stood for some time, as load balancers do."""

    def __init__(self, host: str, port: int, longest_s: float) -> None:
        self._longest_s = longest_s
        super().__init__(host, port)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        end_s = time.monotonic() + self._longest_s
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while (left_s := end_s - time.monotonic()) > 0:
                for key, _ in selector.select(left_s):
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)


@contextlib.contextmanager
def delaying_proxy(host: str, port: int, delay_s: float) -> Iterator[DelayingProxy]:
    """Run such a proxy."""
    proxy = DelayingProxy(host, port, delay_s)
    try:
        yield proxy
    finally:
        proxy.close()


@contextlib.contextmanager
def forgetful_proxy(host: str, port: int, longest_s: float) -> Iterator[ForgetfulProxy]:
    """Run such a proxy."""
    proxy = ForgetfulProxy(host, port, longest_s)
    try:
        yield proxy
    finally:
        proxy.close()
