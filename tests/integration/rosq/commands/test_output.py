"""What a command prints never decides what it does: every command, to every kind of output.

What an encoding can't say is said in another way; a reader that has left is no failure; a full disk is told by an exit
code of its own, after the deed is done.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.rosq.commands.every_command import DEEDS, LOOKS, SCREENS, environment, fill, finish, start, walk

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    import redis

    from rosq import Queue
    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

ENCODINGS = ["cp1251", "koi8-r", "cp866", "latin-1", "ascii"]
LINES = {**LOOKS, **DEEDS}
UNWRITABLE = 6


def test_every_command_stands_in_the_table() -> None:
    assert {path for path, _ in walk()} == {*LINES, *SCREENS}


@pytest.fixture
def filled(queue: Queue, make_hands: Callable[..., Hands]) -> Queue:
    fill(queue, make_hands)
    return queue


def reopen(path: str, client: redis.Redis, queue: Queue) -> None:
    """So that it is something to resume."""
    if path == "resume":
        client.hset(queue.keys.meta, mapping={"paused_at_ms": 1, "paused_by": "Анна →", "paused_reason": "→"})


def count_lines(output: bytes) -> int:
    """How many lines a command wrote, but for those of slowness, which are there at one moment only."""
    count, is_of_speed = 0, False
    for line in output.splitlines():
        # What goes on from the line before is indented.
        is_of_speed = line.split()[1:2] in ([b"slowlog"], [b"latency"]) or (is_of_speed and line.startswith(b"    "))
        count += not is_of_speed
    return count


@pytest.mark.parametrize("path", LINES)
def test_no_encoding_changes_what_a_command_does_or_ends_in_a_traceback(
    redis_server: RedisServer, client: redis.Redis, filled: Queue, path: str
) -> None:
    def run(number: int, encoding: str, *more: str) -> subprocess.Popen[bytes]:
        reopen(path, client, filled)
        env = environment(redis_server, filled.name, PYTHONIOENCODING=encoding)
        return start(path, " ".join([LINES[path].format(n=number), *more]), env)

    processes = [run(number, encoding) for number, encoding in enumerate(["utf-8", *ENCODINGS])]
    whole, *others = finish(processes)

    assert (whole.code, whole.stderr) == (0, b"")
    for encoding, ended in zip(ENCODINGS, others, strict=True):
        assert (encoding, ended.code, ended.stderr) == (encoding, 0, b"")
        assert ended.stdout.decode(encoding).strip()
        assert count_lines(ended.stdout) == count_lines(whole.stdout)


@pytest.mark.parametrize("path", [path for path in LINES if path not in ("inspect snapshot", "inspect schema")])
def test_json_is_json_in_an_encoding_that_lacks_half_of_it(redis_server: RedisServer, filled: Queue, path: str) -> None:
    env = environment(redis_server, filled.name, PYTHONIOENCODING="cp1251")

    [ended] = finish([start(path, f"{LINES[path].format(n=1)} --json", env)])

    assert (ended.code, ended.stderr, json.loads(ended.stdout.decode("cp1251"))["version"]) == (0, b"", 1)


@pytest.mark.parametrize("path", LINES)
def test_where_nothing_can_be_written_the_deed_is_done_and_the_exit_code_says_what_became_of_the_words(
    redis_server: RedisServer, client: redis.Redis, filled: Queue, path: str
) -> None:
    env = environment(redis_server, filled.name)
    number = iter(range(100))

    def run(**streams: object) -> subprocess.Popen[bytes]:
        reopen(path, client, filled)
        return start(path, LINES[path].format(n=next(number)), env, **streams)

    reading, left = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("wb") as full, os.fdopen(left, "wb") as no_reader:
        processes = [
            run(stdout=no_reader),
            run(stderr=full),
            run(stdout=full),
            run(stdout=full, stderr=full),
            run(preexec_fn=lambda: os.close(1)),
            run(preexec_fn=lambda: os.closerange(1, 3)),
        ]
        ended = finish(processes)

    assert [each.code for each in ended] == [0, 0, *[UNWRITABLE] * 4]
    assert ended[0].stderr == b""
    for each in (ended[2], ended[4]):
        assert b"couldn't be written" in each.stderr
        assert b"Traceback" not in each.stderr
    if path in DEEDS and path not in ("repair", "forget", "drain"):
        assert deeds_of(client, filled, path) == len(processes)


def deeds_of(client: redis.Redis, queue: Queue, path: str) -> int:
    """How often a deed was done, by its events; a pause that stands isn't told twice."""
    names = {"retry": "restarted", "promote": "advanced", "remove": "removed", "cancel": "cancelled", "move": "moved"}
    names |= {"pause": "paused", "resume": "resumed"}
    told: list[tuple[str, dict[str, str]]] = client.xrange(queue.keys.events)  # type: ignore[assignment]
    found = sum(fields["event"] == names[path] for _, fields in told)
    return found if path not in ("pause", "resume") else 6 * bool(found)


def test_watching_ends_where_the_reader_has_left(redis_server: RedisServer, filled: Queue) -> None:
    env = environment(redis_server, filled.name)
    for path, line in (("inspect", "--watch 0.1"), ("inspect", "--watch 0.1 --json"), ("inspect events", "-f --json")):
        process = start(path, line, env)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdout.readline()
            process.stdout.close()
            filled.enqueue({}, job_id=f"once-more-{line}".replace(" ", "-"))

            assert (process.wait(20), process.stderr.read()) == (0, b"")
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


@pytest.mark.parametrize("path", LOOKS)
def test_no_line_outside_of_a_terminal_is_padded(redis_server: RedisServer, filled: Queue, path: str) -> None:
    env = {**environment(redis_server, filled.name), "COLUMNS": ""}
    del env["COLUMNS"]

    [ended] = finish([start(path, LOOKS[path].format(n=1), env)])

    assert [line for line in ended.stdout.splitlines() if line != line.rstrip()] == []
