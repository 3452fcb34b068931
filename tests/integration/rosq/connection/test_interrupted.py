"""Calls that are broken off at any instant, and values that no command can have: no crash, no wrong answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rosq.connection.connecting import make_client
from tests.integration.rosq.conftest import settings_of

if TYPE_CHECKING:
    import redis

    from tests.servers import RedisServer

ROOT = Path(__file__).parents[4]
TIMES = 3_000


def test_three_thousand_calls_that_a_signal_handler_breaks_off_end_no_process_and_mix_up_no_answer(
    redis_server: RedisServer, queue_name: str
) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.integration.rosq.connection.interrupted_process"]
    env = {**os.environ, **redis_server.env()}

    done = subprocess.run(
        [*command, queue_name, str(TIMES)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=170, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, str(TIMES)), done.stderr[-3000:]


class Interrupted(Exception):
    """What a signal handler raises."""


def take_connection(client: redis.Redis) -> Any:
    """The one that the pool gives next, and gets back at once."""
    connection = client.connection_pool.get_connection()
    client.connection_pool.release(connection)
    return connection


def test_an_answer_that_a_broken_off_command_left_behind_is_nobodys(redis_server: RedisServer) -> None:
    with make_client(settings_of(redis_server), "test", "k") as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("BLPOP", "nothing", 0.2)
        client.connection_pool.release(connection)

        assert client.echo("own") == "own"
        # One whose answers were all read is kept.
        kept = take_connection(client)._sock
        assert client.pipeline(transaction=True).echo("1").echo("2").execute() == ["1", "2"]
        assert client.pipeline(transaction=False).echo("1").echo("2").execute() == ["1", "2"]
        assert take_connection(client)._sock is kept


def test_a_pipeline_that_was_broken_off_leaves_no_answer_to_the_next(redis_server: RedisServer) -> None:
    with make_client(settings_of(redis_server), "test", "k") as client:
        connection = client.connection_pool.get_connection()
        connection.send_packed_command(connection.pack_commands([("ECHO", "1"), ("BLPOP", "nothing", 0.2)]))
        assert connection.read_response() == "1"
        client.connection_pool.release(connection)

        assert client.echo("own") == "own"


def test_a_connection_that_was_broken_off_while_it_opened_is_opened_anew(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_client(settings_of(redis_server), "test", "k") as client:
        connection = client.connection_pool.make_connection()
        client.connection_pool._available_connections.append(connection)

        def break_off(*_: Any, **__: Any) -> None:
            connection._parser.on_connect(connection)
            raise Interrupted

        with monkeypatch.context() as patched, pytest.raises(Interrupted):
            patched.setattr(connection, "on_connect_check_health", break_off)
            client.ping()
        assert client.echo("own") == "own"
        assert client.client_getname() == "test"
