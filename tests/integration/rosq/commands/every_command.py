"""Every command of `rosq`, each with a line that works on a prepared queue: what tables of tests are made from."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click

from rosq import NewJob
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rosq import Queue
    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

#: In no 8-bit encoding all of it, and some of it in none.
STRANGE = "Ошибка → «не найдено» × 2 · 😀"
#: How many runs of one command a prepared queue has jobs for.
RUNS = 12

#: A line for each command that looks; `{n}` is the number of the run.
LOOKS = {
    "inspect": "",
    "inspect queues": "",
    "inspect workers": "",
    "inspect lanes": "",
    "inspect jobs": "",
    "inspect delayed": "",
    "inspect job": "ошибка-{n} --show-data --show-trace",
    "inspect explain": "ошибка-{n}",
    "inspect pending": "",
    "inspect errors": "",
    "inspect events": "",
    "inspect throughput": "",
    "inspect snapshot": "",
    "inspect schema": "job",
    "doctor": "",
}
#: A line for each command that changes the queue.
DEEDS = {
    "repair": "--why почему→",
    "pause": "--why почему→",
    "resume": "--why почему→",
    "retry": "ошибка-{n} --why почему→",
    "promote": "позже-{n} --why почему→",
    "move": "ждёт-{n} --to полоса --why почему→",
    "cancel": "ждёт-{n} --why почему→",
    "remove": "ждёт-{n} --why почему→",
    "drain": "--yes --why почему→",
    "forget": "--keep 0 --why почему→",
}
#: What needs a terminal.
SCREENS = ("top",)


def walk(command: click.Command = main, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Name every command that can be called by itself, with the command."""
    if path and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from walk(each, f"{path} {name}".strip())


def fill(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    """Put jobs of each kind on a queue: failed, waiting and delayed ones, `RUNS` of each, and one in hand."""
    queue.enqueue_many([NewJob(job_id=f"ошибка-{n}", data={"что": STRANGE}, lane="сначала") for n in range(RUNS)])
    # However slow the machine is: nobody beats for it.
    hands = make_hands("работник", lease_s=600.0)
    for _ in range(RUNS):
        delivery = hands.fetch("сначала").delivery
        assert delivery is not None
        failure = Settlement(delivery=delivery, outcome=Outcome.FAIL, error=STRANGE, trace=f"Trace:\n  {STRANGE}")
        hands.consumer.exchange(failure, (), is_fetching=False)
    queue.enqueue({"что": STRANGE}, job_id="в-руках", lane="сначала")
    assert hands.fetch("сначала").delivery is not None
    queue.enqueue_many([NewJob(job_id=f"ждёт-{n}", data={"что": STRANGE}) for n in range(RUNS)])
    queue.enqueue_many([NewJob(job_id=f"позже-{n}", data={"что": STRANGE}, delay_s=3600) for n in range(RUNS)])


def environment(server: RedisServer, queue: str, **more: str) -> dict[str, str]:
    """What a command of ours needs, and nothing that this shell has set."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("REDIS_", "ROSQ_", "PYTHON"))}
    found = {**inherited, **server.env(), "ROSQ_OPERATOR": "ann", "COLUMNS": "140"}
    return found | ({"ROSQ_QUEUE": queue} if queue else {}) | more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process came to."""

    code: int
    stdout: bytes
    stderr: bytes


def start(path: str, line: str, env: dict[str, str], **streams: Any) -> subprocess.Popen[bytes]:
    """Start a command as a process; its output goes into pipes unless it is said where."""
    words = [sys.executable, "-m", "rosq.cli", *path.split(), *line.split()]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **streams}
    return subprocess.Popen(words, env=env, **given)


def finish(processes: Sequence[subprocess.Popen[bytes]]) -> list[Ended]:
    """Wait for all of them."""
    ended = []
    for each in processes:
        stdout, stderr = each.communicate(timeout=60)
        ended.append(Ended(code=each.returncode, stdout=stdout or b"", stderr=stderr or b""))
    return ended
