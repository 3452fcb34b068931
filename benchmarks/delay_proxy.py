"""A proxy that puts a round trip between a client and a server: what comes in goes on half of it later, both ways.

`python delay_proxy.py ROUND_TRIP_MS HOST PORT` tells the port on loopback at which it listens, as one line of JSON, and
ends with its standard input. Bytes are delayed, connections aren't: one to it is made at once.

It sleeps until shortly before the next chunk is due and watches the clock for the rest, since a sleep on an idle core
ends tens of microseconds late. That a chunk has come it learns by being woken, and that is in each delay: how long a
round trip through it really takes is measured by whoever uses it (`distance.py`).
"""

from __future__ import annotations

import collections
import ctypes
import dataclasses
import json
import select
import socket
import sys
import time

#: The rest of a delay that is watched instead of slept.
_WATCHED_S = 0.00006
_CHUNK_BYTES = 1 << 18
#: What one direction may hold, delayed or because its reader is slow; beyond that its writer has to wait.
_HELD_BYTES = 1 << 23
_CONNECT_S = 5.0
_PR_SET_TIMERSLACK = 29


@dataclasses.dataclass(slots=True, eq=False)
class _Way:
    """One direction of one connection."""

    source: socket.socket
    target: socket.socket
    #: The bytes of it that haven't gone on yet.
    held: int = 0
    #: Of these, what is due, but the reader has no room for it.
    rest: bytearray = dataclasses.field(default_factory=bytearray)
    #: Its source has said all.
    is_ended: bool = False
    #: And all of that is due.
    is_over: bool = False


class DelayProxy:
    """Listens on loopback, and passes on what comes, late."""

    def __init__(self, delay_s: float, server: tuple[str, int]) -> None:
        """
        Args:
            delay_s: Of each direction.
            server: Where everything goes.
        """
        self._delay_s = delay_s
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: By the socket that is read.
        self._ways: dict[socket.socket, _Way] = {}
        #: In the order in which they are due: all are delayed alike. An empty chunk is the end of its connection.
        self._delayed: collections.deque[tuple[float, _Way, bytes]] = collections.deque()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def run(self, until: int) -> None:
        """Pass on until this descriptor can be read, or is closed at its other end. All connections end then."""
        try:
            while self._pass_on(until):
                pass
        finally:
            for each in (self._listener, *self._ways):
                each.close()

    def _pass_on(self, until: int) -> bool:
        """Wait for whatever is next, and do it."""
        reading = [way.source for way in self._ways.values() if not way.is_ended and way.held < _HELD_BYTES]
        writing = [way.target for way in self._ways.values() if way.rest]
        watched: list[socket.socket | int] = [self._listener, until, *reading]
        readable, writable, _ = select.select(watched, writing, [], self._find_sleep_s())
        come_s = time.perf_counter()
        if until in readable:
            return False
        if self._listener in readable:
            self._accept()
        for source in [source for source in reading if source in readable]:
            self._take(source, come_s)
        for way in [way for way in self._ways.values() if way.rest and way.target in writable]:
            if way.source in self._ways:
                self._write(way)
        while self._delayed and self._delayed[0][0] <= time.perf_counter():
            _, way, chunk = self._delayed.popleft()
            if way.source in self._ways:
                self._deliver(way, chunk)
        return True

    def _find_sleep_s(self) -> float | None:
        if not self._delayed:
            return None
        return max(self._delayed[0][0] - time.perf_counter() - _WATCHED_S, 0.0)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._server, timeout=_CONNECT_S)
        except OSError as error:
            # The client sees a connection that ends at once, and the benchmark these words.
            sys.stderr.write(f"The server can't be reached: {error}\n")
            client.close()
            return
        for source, target in ((client, server), (server, client)):
            source.setblocking(False)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ways[source] = _Way(source, target)

    def _take(self, source: socket.socket, come_s: float) -> None:
        way = self._ways[source]
        try:
            chunk = source.recv(_CHUNK_BYTES)
        except OSError:
            # Its process was killed: an end like any other, and the other side hears of it as late.
            chunk = b""
        way.is_ended = not chunk
        way.held += len(chunk)
        self._delayed.append((come_s + self._delay_s, way, chunk))

    def _deliver(self, way: _Way, chunk: bytes) -> None:
        way.rest += chunk
        way.is_over = not chunk
        self._write(way)

    def _write(self, way: _Way) -> None:
        try:
            sent = way.target.send(way.rest) if way.rest else 0
        except BlockingIOError:
            return
        except OSError:
            self._close(way)
            return
        del way.rest[:sent]
        way.held -= sent
        if way.is_over and not way.rest:
            self._close(way)

    def _close(self, way: _Way) -> None:
        """Both directions: nobody who speaks to Redis closes only one."""
        for each in (way.source, way.target):
            del self._ways[each]
            each.close()


def main() -> None:
    """Listen, say where, and pass on."""
    round_trip_ms, host, port = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        # By default the kernel lets a sleep end up to 50 µs late, to end several at once.
        prctl(_PR_SET_TIMERSLACK, 1)
    proxy = DelayProxy(round_trip_ms / 2000, (host, port))
    sys.stdout.write(json.dumps({"port": proxy.port}) + "\n")
    sys.stdout.flush()
    proxy.run(sys.stdin.fileno())


if __name__ == "__main__":
    main()
