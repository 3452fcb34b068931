"""The proxy that puts a round trip in between: late by what was asked for, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.delay_proxy import DelayProxy
from benchmarks.distance import ping, put_between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Server

_DELAY_S = 0.02
_TIMEOUT_S = 20.0


@contextlib.contextmanager
def proxied(listener: socket.socket) -> Iterator[int]:
    """A proxy before that listener, and its port; it ends with the block."""
    proxy = DelayProxy(_DELAY_S, listener.getsockname()[:2])
    reading, writing = os.pipe()
    thread = threading.Thread(target=proxy.run, args=(reading,))
    thread.start()
    try:
        yield proxy.port
    finally:
        os.close(writing)
        thread.join(_TIMEOUT_S)
        os.close(reading)
    assert not thread.is_alive()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(_TIMEOUT_S)
        yield made


def receive(connection: socket.socket, pause_s: float = 0.0) -> bytes:
    """All that comes until the other side ends, read as slowly as that."""
    chunks = []
    while chunk := connection.recv(1 << 16):
        chunks.append(chunk)
        time.sleep(pause_s)
    return b"".join(chunks)


@pytest.mark.parametrize("round_trip_ms", [0.5, 5.0])
def test_a_round_trip_takes_what_was_put_in_between_and_little_more(server: Server, round_trip_ms: float) -> None:
    with put_between(server.url, round_trip_ms) as url:
        taken_ms = [seconds * 1000 for seconds in ping(url, 100)]

    # Others use the machine too: the best says what the proxy does by itself.
    assert round_trip_ms <= min(taken_ms) < round_trip_ms + 0.3


def test_both_ways_are_late_by_as_much(listener: socket.socket) -> None:
    with proxied(listener) as port, socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as client:
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(_TIMEOUT_S)
            for writer, reader in ((client, peer), (peer, client)):
                begun_s = time.perf_counter()
                writer.sendall(b"x")
                assert reader.recv(10) == b"x"
                assert time.perf_counter() - begun_s >= _DELAY_S


def test_what_a_slow_reader_is_sent_arrives_whole_and_in_order_before_the_end(listener: socket.socket) -> None:
    # Four times what the proxy holds, and more than the sockets' buffers.
    sent = os.urandom(1 << 20) * 32
    has_sent = threading.Event()
    with proxied(listener) as port, socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as client:
        peer, _ = listener.accept()

        def send() -> None:
            with peer:
                peer.sendall(sent)
            has_sent.set()

        thread = threading.Thread(target=send)
        thread.start()
        # It is full before all was taken off the writer's hands.
        assert not has_sent.wait(10 * _DELAY_S)
        # So slow that the end is due while the proxy still has much that the reader has no room for.
        received = receive(client, pause_s=0.001)
        thread.join(_TIMEOUT_S)

    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()


def test_where_nobody_listens_the_client_sees_its_connection_end(
    listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    with proxied(listener) as port:
        listener.close()
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as client:
            assert receive(client) == b""

    assert "The server can't be reached" in capfd.readouterr().err


def test_a_broken_connection_leaves_the_others_alone(listener: socket.socket) -> None:
    with proxied(listener) as port, socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as client:
        peer, _ = listener.accept()
        doomed = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        other, _ = listener.accept()
        # Reset in place of ended, as the kernel does for a process that is killed with unread data.
        doomed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        doomed.close()
        with other, peer:
            other.settimeout(_TIMEOUT_S)
            peer.settimeout(_TIMEOUT_S)
            assert other.recv(10) == b""

            client.sendall(b"still here")
            assert peer.recv(20) == b"still here"
