"""Callers by HTTP who take their time: none holds a connection by it."""

from __future__ import annotations

import dataclasses
import select
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from orders_service.api.auth import rules
from orders_service.api.rest import serving
from orders_service.listening import ListenSettings
from tests.integration.orders_service.access.house import LOOPBACK, House, opened_house

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres

#: Much longer than a head may take in these tests.
LONG_S = 10.0
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: "


@pytest.fixture
def house(fresh_database: postgres.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(serving, "HEAD_S", 0.5)
    with opened_house(fresh_database, ListenSettings(address=LOOPBACK, rest=LOOPBACK)) as house:
        yield house


def dribble(connection: socket.socket, pieces: Iterator[bytes]) -> float:
    """Send a byte at a time until the service closes the connection; return after how long it did."""
    began = time.monotonic()
    connection.settimeout(LONG_S)
    while time.monotonic() - began < LONG_S:
        try:
            connection.send(next(pieces))
        except OSError:
            break
        readable, _, _ = select.select([connection], [], [], 0.05)
        if readable:
            try:
                if not connection.recv(65536):
                    break
            except OSError:
                break
    return time.monotonic() - began


def bytes_of(text: bytes) -> Iterator[bytes]:
    for byte in text:
        yield bytes([byte])
    while True:
        yield b"x"


def test_a_head_that_comes_byte_by_byte_is_given_up(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.addresses[-1].port)) as connection:
        assert dribble(connection, bytes_of(HEAD)) < LONG_S


def test_the_second_head_of_a_connection_isnt_given_more_time_than_the_first(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.addresses[-1].port)) as connection:
        connection.sendall(HEAD + b"\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")

        assert dribble(connection, bytes_of(HEAD)) < LONG_S


def test_a_body_that_was_answered_before_its_end_is_given_up(house: House) -> None:
    head = b"POST /no/such/path HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.addresses[-1].port)) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")

        assert dribble(connection, bytes_of(b"")) < LONG_S


def test_whoever_asks_at_once_is_answered_again_and_again(house: House) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{house.addresses[-1].port}", trust_env=False) as web:
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            answer = web.get("/healthz")
            assert answer.status_code == 200
        ((_, connection),) = [(one, str(one)) for one in web._transport._pool.connections]  # type: ignore[attr-defined]
    assert "Request Count: 1," not in connection, "one connection for all"


def test_a_body_has_as_long_as_the_rule_of_its_call_says_in_however_many_pieces(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = dataclasses.replace(rules.RULES["OrdersService/CreateOrder"], max_seconds=0.5)
    monkeypatch.setitem(rules.RULES, "OrdersService/CreateOrder", rule)
    head = (
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", house.addresses[-1].port), timeout=LONG_S) as connection:
        connection.sendall(head + b"{")

        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
