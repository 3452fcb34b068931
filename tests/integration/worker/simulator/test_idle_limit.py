"""An idle connection is closed after a time, whatever it was opened for."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.worker.simulator.conftest import StartSimulator
    from tests.integration.worker.simulator.thread import SimulatorThread

LIMIT_S = 1.0
REQUEST = b"GET /account-back/config HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def process(start_simulator: StartSimulator) -> SimulatorThread:
    """A simulator with a short limit."""
    return start_simulator("--idle-limit", str(LIMIT_S))


@pytest.fixture
def began_s(process: SimulatorThread) -> float:
    """A time before the connection was opened."""
    return time.monotonic()


@pytest.fixture
def connection(process: SimulatorThread, began_s: float) -> Iterator[socket.socket]:
    """A connection to it that a test may use or leave alone."""
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as opened:
        yield opened


def assert_closes_after_the_limit(connection: socket.socket, since_s: float) -> None:
    """Read until the other side closes: not before the limit, counted from before what started its clock."""
    while connection.recv(65536):
        pass
    assert LIMIT_S <= time.monotonic() - since_s < LIMIT_S + 5


def answer(connection: socket.socket) -> bytes:
    """Read one answer to its end."""
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"{}"):
        part = connection.recv(65536)
        assert part, received
        received += part
    return received


def test_a_connection_that_never_sent_a_request_is_closed(connection: socket.socket, began_s: float) -> None:
    assert_closes_after_the_limit(connection, began_s)


def test_a_connection_is_closed_after_its_last_answer(connection: socket.socket) -> None:
    asked_s = time.monotonic()
    connection.sendall(REQUEST)
    assert answer(connection).startswith(b"HTTP/1.1 200")

    assert_closes_after_the_limit(connection, asked_s)


def test_a_connection_with_half_a_head_is_closed(connection: socket.socket) -> None:
    sent_s = time.monotonic()
    connection.sendall(REQUEST[:20])

    assert_closes_after_the_limit(connection, sent_s)


def test_a_connection_with_half_a_body_is_closed_and_nothing_is_processed(
    process: SimulatorThread, connection: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    head = "POST /aas/oauth2/api/login HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 99"
    sent_s = time.monotonic()
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n{")

    assert_closes_after_the_limit(connection, sent_s)
    [call] = process.get("/requests", endpoint="login")["requests"]
    assert call["status"] is None
    assert "Traceback" not in caplog.text


def test_a_connection_in_use_is_kept(process: SimulatorThread, connection: socket.socket) -> None:
    # Given answers that each take half the limit, one after the other for longer than the limit
    process.fault("config", "delay", seconds=LIMIT_S / 2, times=4)

    # When the same connection asks for all of them
    for _ in range(4):
        connection.sendall(REQUEST)
        assert answer(connection).startswith(b"HTTP/1.1 200")

    # I expect that it was one connection for all of them
    calls = process.get("/requests", endpoint="config")["requests"]
    assert [call["request_on_connection"] for call in calls] == [1, 2, 3, 4]


def test_a_call_that_takes_longer_than_the_limit_is_answered(
    process: SimulatorThread, connection: socket.socket
) -> None:
    process.fault("config", "delay", seconds=LIMIT_S * 2)
    connection.sendall(REQUEST)

    assert answer(connection).startswith(b"HTTP/1.1 200")


def test_two_requests_sent_at_once_are_both_answered(connection: socket.socket) -> None:
    asked_s = time.monotonic()
    connection.sendall(REQUEST * 2)

    received = answer(connection)
    while received.count(b"HTTP/1.1 200") < 2:
        received += answer(connection)
    assert_closes_after_the_limit(connection, asked_s)
