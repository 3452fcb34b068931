"""A contender's process and those that it forks: they hear what the benchmark says, and end with it."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.install import SIDES
from benchmarks.process import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S = 20.0
#: A worker as potatoq's: what runs the jobs is forked, and is told by its parent what the benchmark says.
_FORKING = """
import json, os, socket, sys
import side

commands = side.Commands()
reading, writing = os.pipe()
if os.fork():
    while True:
        os.write(writing, (json.dumps(commands.next()) + "\\n").encode())
os.close(writing)
commands.read_from(os.fdopen(reading))
# Whoever listens there sees by its end that this process is over.
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while True:
    side._say(heard=commands.next()["word"])
"""
#: And one that hears nothing.
_DEAF = """
import os, socket, sys, time

if os.fork():
    time.sleep(60)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(_TIMEOUT_S)
        yield made


def start(program: str, listener: socket.socket) -> Side:
    command = [sys.executable, "-c", program, str(listener.getsockname()[1])]
    return Side("forking", command, {"PYTHONPATH": str(SIDES), "PATH": os.environ["PATH"]})


def test_what_a_process_has_forked_is_killed_with_it(listener: socket.socket) -> None:
    with start(_DEAF, listener) as side:
        connection, _ = listener.accept()
        connection.settimeout(_TIMEOUT_S)
        with connection:
            side.kill()

            assert connection.recv(1) == b""


def test_a_forked_worker_hears_the_benchmark_and_ends_where_it_falls_silent(listener: socket.socket) -> None:
    with start(_FORKING, listener) as side:
        connection, _ = listener.accept()
        connection.settimeout(_TIMEOUT_S)
        with connection:
            for word in ("go", "on"):
                side.say(word=word)
                assert side.hear(_TIMEOUT_S, "heard")["heard"] == word
            # As where the benchmark itself is killed: nobody is left who would kill anything.
            assert side._process.stdin is not None
            side._process.stdin.close()

            assert connection.recv(1) == b""
