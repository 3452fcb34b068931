"""Reading an answer: watched for a moment, then slept for."""

from __future__ import annotations

import socket
import threading
import types
from typing import TYPE_CHECKING, Any

import pytest
from redis import exceptions as redis_errors

from rosq.connection import line
from rosq.connection.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator


class Parser:
    def parse_error(self, response: str) -> Exception:
        return redis_errors.ResponseError(response)


class Connection:
    """What `Line` uses of redis-py's, over one end of a pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        self._sock = end
        self._parser = Parser()

    def connect(self) -> None: ...

    def disconnect(self) -> None:
        self._sock.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, servers = socket.socketpair()
    ours.settimeout(5)
    with ours, servers:
        yield ours, servers


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each look that found nothing."""
    found: list[int] = []
    monkeypatch.setattr(line, "is_worth_watching", lambda _: True)
    monkeypatch.setattr("rosq.connection.line.os.sched_yield", lambda: found.append(1))
    return found


def answer_when(servers: socket.socket, is_time: Any) -> threading.Thread:
    def answer() -> None:
        is_time()
        servers.sendall(b"+late\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_an_answer_that_is_there_is_read_at_the_first_look(ends: Any, looks: list[int]) -> None:
    ours, servers = ends
    reading = Line(Connection(ours))  # type: ignore[arg-type]
    servers.sendall(b":1\r\n")

    assert reading.read() == 1
    assert looks == []


def test_an_answer_that_comes_while_it_is_watched_for_is_read(
    ends: Any, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, servers = ends
    reading = Line(Connection(ours))  # type: ignore[arg-type]
    has_looked = threading.Event()
    monkeypatch.setattr("rosq.connection.line.os.sched_yield", has_looked.set)
    monkeypatch.setattr(line, "_WATCH_S", 60.0)

    thread = answer_when(servers, has_looked.wait)

    assert reading.read() == "late"
    thread.join()


def test_after_an_answer_that_was_watched_for_in_vain_some_are_slept_for_at_once(
    ends: Any, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, servers = ends
    reading = Line(Connection(ours))  # type: ignore[arg-type]
    is_watched_in_vain = threading.Event()
    watch = reading._watch

    def watch_and_tell() -> None:
        watch()
        is_watched_in_vain.set()

    monkeypatch.setattr(reading, "_watch", watch_and_tell)
    thread = answer_when(servers, is_watched_in_vain.wait)
    assert reading.read() == "late"
    thread.join()
    assert looks
    looks.clear()

    for number in range(line._UNWATCHED):
        is_watched_in_vain.clear()
        servers.sendall(f":{number}\r\n".encode())
        assert reading.read() == number
        assert not is_watched_in_vain.is_set()
    servers.sendall(b"+seen\r\n")
    assert reading.read() == "seen"
    assert is_watched_in_vain.is_set()
    assert looks == []


def test_answers_that_keep_coming_late_are_slept_for_at_once(ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a tunnel: it listens here, and the server is elsewhere."""
    ours, servers = ends
    now_s, watched = 0.0, 0

    def look_again() -> None:
        nonlocal now_s, watched
        now_s += line._LATE_S
        watched += 1
        servers.sendall(b"+late\r\n")

    monkeypatch.setattr(line, "is_worth_watching", lambda _: True)
    monkeypatch.setattr(line, "time", types.SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr("rosq.connection.line.os.sched_yield", look_again)
    reading = Line(Connection(ours))  # type: ignore[arg-type]

    def read_unwatched(count: int) -> None:
        before = watched
        for _ in range(count):
            servers.sendall(b"+soon\r\n")
            assert reading.read() == "soon"
        assert watched == before

    for number in range(line._LATE_MAX):
        assert (reading.read(), watched) == ("late", number + 1)
    read_unwatched(line._UNWATCHED)
    # One more that is late suffices then, and twice as many are slept for; there is an end to that.
    for number in range(1, 10):
        assert (reading.read(), watched) == ("late", line._LATE_MAX + number)
        read_unwatched(min(line._UNWATCHED * 2**number, line._UNWATCHED_MAX))
    # And one that isn't makes a new beginning.
    servers.sendall(b"+soon\r\n")
    assert (reading.read(), watched) == ("soon", line._LATE_MAX + 9)
    for number in range(line._LATE_MAX):
        assert (reading.read(), watched) == ("late", line._LATE_MAX + 10 + number)
    read_unwatched(line._UNWATCHED)


def test_a_connection_that_ends_while_it_is_watched_is_told(ends: Any, looks: list[int]) -> None:
    ours, servers = ends
    reading = Line(Connection(ours))  # type: ignore[arg-type]
    servers.close()

    with pytest.raises(ConnectionError):
        reading.read()


def test_where_it_isnt_worth_it_nobody_watches(ends: Any, looks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, servers = ends
    monkeypatch.setattr(line, "is_worth_watching", lambda _: False)
    reading = Line(Connection(ours))  # type: ignore[arg-type]

    def watch() -> bytes | None:
        raise AssertionError("it watched")

    monkeypatch.setattr(reading, "_watch", watch)
    servers.sendall(b":1\r\n")

    assert reading.read() == 1


@pytest.mark.parametrize("has_system_times", [True, False])
@pytest.mark.parametrize("timeout_s", [0.05, 1e-9])
def test_an_answer_that_doesnt_come_is_waited_for_no_longer_than_allowed(
    ends: Any, has_system_times: bool, timeout_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = ends
    ours.settimeout(timeout_s)
    if not has_system_times:
        # As where a time has another length, and the system refuses ours.
        monkeypatch.setattr(line, "_spell_time", lambda _: b"")
    reading = Line(Connection(ours))  # type: ignore[arg-type]

    with pytest.raises(TimeoutError):
        reading.read()
