"""What rosq uses of redis-py and hiredis that their pages don't promise: whoever raises their versions is told here."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import hiredis
import redis
from redis.connection import ConnectionPool, SSLConnection
from redis.utils import HIREDIS_AVAILABLE

import rosq

ROOT = Path(rosq.__file__).parents[1]


def parameters_of(kind: type) -> set[str]:
    """What a connection can be given, by its own class or those above."""
    made_by = [vars(each)["__init__"] for each in kind.__mro__ if "__init__" in vars(each)]
    return {name for init in made_by for name in inspect.signature(init).parameters}


def test_the_next_major_version_is_not_taken_by_itself() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert "redis[hiredis]>=8,<9" in wanted
    assert redis.__version__.startswith("8.")
    assert HIREDIS_AVAILABLE


def test_a_connection_has_what_the_line_takes_over() -> None:
    connection = redis.Connection()

    assert connection._sock is None, "the socket, once it is connected"
    assert "self._sock = sock" in inspect.getsource(redis.connection.AbstractConnection.connect_check_health)
    assert str(connection._parser.parse_error("OOM full")) == "full"
    for name in ("connect", "disconnect", "send_command", "read_response", "mark_for_reconnect"):
        assert callable(getattr(connection, name)), name


def test_the_hook_for_tls_is_still_what_a_connect_calls() -> None:
    assert list(inspect.signature(SSLConnection._wrap_socket_with_ssl).parameters) == ["self", "sock"]
    assert "self._wrap_socket_with_ssl(" in inspect.getsource(SSLConnection._connect)


def test_connections_take_what_they_are_given() -> None:
    source = (ROOT / "rosq" / "connection" / "connecting.py").read_text()
    given = set(re.findall(r'^        "(\w+)": ', source, re.MULTILINE))

    assert {"command_packer", "driver_info", "encoding_errors", "protocol", "retry"} <= given
    assert given <= parameters_of(redis.Connection)
    assert {"connection_class"} <= parameters_of(ConnectionPool)


def test_errors_keep_the_word_that_their_answers_began_with() -> None:
    assert redis.Connection()._parser.parse_error("NOAUTH Authentication required.").status_code == "NOAUTH"


def test_the_reader_and_the_packer_are_there() -> None:
    def read_error(text: str) -> ValueError:
        return ValueError(text)

    reader = hiredis.Reader(protocolError=ValueError, replyError=read_error, encoding="utf-8", errors="surrogateescape")
    reader.feed(b"-BUSY now\r\n$1\r\n\xff\r\n")

    assert str(reader.gets()) == "BUSY now"
    assert reader.gets() == "\udcff"
    assert reader.gets() is False
    words: Any = ("a", b"b")
    assert hiredis.pack_command(words) == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
