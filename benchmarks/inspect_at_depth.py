"""How fast the command line is on a deep queue: `python -m benchmarks.inspect_at_depth`.

Fills a queue, runs every view, the doctor and the steering verbs as processes of their own, and prints for each the
seconds of the whole process, with the interpreter's start, and the longest that one of its commands held the server
up. It starts a Valkey of its own and ends it; with a million jobs that takes five minutes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import redis
from rich.console import Console
from rich.table import Table

from benchmarks import server
from benchmarks.errors import BenchmarkError, SideFailed
from rosq import Fail, NewJob, Queue, QueueSettings, RedisSettings, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq import Delivery

QUEUE = "inspect-at-depth"
_BATCH = 10_000
#: Jobs that run before, so that there are failed and completed ones, events, and a worker that has left.
_RUN = 4_000
_SLOWLOG_US = 500
#: What is to be reached.
MAX_S = 1.0
MAX_MS = 5.0

COMMANDS = (
    "inspect",
    "inspect queues",
    "inspect workers",
    "inspect lanes",
    "inspect jobs",
    "inspect jobs --state waiting --lane urgent",
    "inspect jobs --id nothing",
    "inspect jobs --error nothing",
    "inspect delayed",
    "inspect job job-0",
    "inspect explain job-{last}",
    "inspect pending",
    "inspect errors",
    "inspect events",
    "inspect events --job nothing",
    "inspect throughput --step minute --steps 400",
    "doctor",
    "retry --error nothing --dry-run",
    "pause --why benchmark",
    "resume --why benchmark",
    "promote --all --yes --why benchmark --limit 500",
    "move --state waiting --lane urgent --to other --why benchmark --limit 500",
    "remove --state delayed --all --yes --why benchmark --limit 500",
    "forget --keep 100 --why benchmark",
)
#: They look at as much as they are asked to, and change things job by job: only the server is of interest.
_ANY_TIME = ("doctor", "promote", "move", "remove", "forget")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One command, run a few times."""

    line: str
    #: Wall and CPU seconds of the whole process, and the slowest of its commands: of each the best of all runs, since
    #: in the others another process may have had the core.
    wall_s: float
    cpu_s: float
    slowest: str
    slowest_ms: float

    @property
    def is_right(self) -> bool:
        """Whether it reaches what is asked of it."""
        is_free = self.line.startswith(_ANY_TIME)
        return self.slowest_ms <= MAX_MS and (is_free or self.wall_s <= MAX_S)


def fill(settings: RedisSettings, depth: int) -> None:
    """Let so many jobs wait, a tenth as many be delayed, and some have run."""
    with Queue(settings, QUEUE, QueueSettings()) as queue:
        queue.enqueue_many(NewJob(job_id=f"run-{number}", data={}) for number in range(_RUN))
        _run_some(queue)
        for start in range(0, depth, _BATCH):
            queue.enqueue_many(
                NewJob(job_id=f"job-{number}", data={"order_id": number}, lane="urgent" if number % 10 == 0 else "main")
                for number in range(start, min(start + _BATCH, depth))
            )
        for start in range(0, depth // 10, _BATCH):
            queue.enqueue_many(
                NewJob(job_id=f"later-{number}", data={"order_id": number}, delay_s=86_400 + number)
                for number in range(start, min(start + _BATCH, depth // 10))
            )


def _run_some(queue: Queue) -> None:
    handled = 0

    def handle(delivery: Delivery) -> None:
        nonlocal handled
        handled += 1
        if handled >= _RUN:
            worker.request_stop()
        if int(delivery.job_id.removeprefix("run-")) % 2:
            raise Fail("ValueError: a benchmark")

    worker = Worker(queue, handle, name="benchmark", leave_process=lambda: None)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    thread.join(120)
    if thread.is_alive():
        raise SideFailed("The worker that prepares the queue doesn't come to an end.")


def measure(client: Any, line: str, environment: dict[str, str], rounds: int) -> Measured:
    """Run a command so many times."""
    walls, cpus, slowest = [], [], []
    for _ in range(rounds):
        client.config_resetstat()
        client.slowlog_reset()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "rosq.cli", *line.split()], env=environment, capture_output=True, check=False
        )
        walls.append(time.monotonic() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        # The doctor finds that no worker is there: that is no failure here.
        if done.returncode != 0 and not line.startswith("doctor"):
            raise SideFailed(f"rosq {line} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        slowest.append(_find_slowest(client))
    name, milliseconds = min(slowest, key=lambda each: each[1])
    return Measured(
        line=line,
        wall_s=min(walls),
        cpu_s=min(cpus),
        slowest=name,
        slowest_ms=milliseconds,
    )


def _find_slowest(client: Any) -> tuple[str, float]:
    """The command that held the server up longest since its counters were reset.

    The slow log tells it to the µs, but leaves out transactions as a whole: the histogram has those, by powers of two.
    """
    entries = [
        (_text(entry["command"]).split(" ")[0].lower(), entry["duration"] / 1000) for entry in client.slowlog_get(128)
    ]
    # What this program itself asks isn't meant.
    found = [(name, ms) for name, ms in entries if name not in ("config", "slowlog", "latency")]
    for name, facts in _pairs(client.execute_command("LATENCY", "HISTOGRAM", "exec", "multi")):
        buckets = [int(bucket) for bucket, _ in _pairs(dict(_pairs(facts))["histogram_usec"])]
        if buckets:
            found.append((_text(name), max(buckets) / 1000))
    return max(found, key=lambda each: each[1], default=(f"none over {_SLOWLOG_US} µs", 0.0))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _pairs(flat: Any) -> list[tuple[Any, Any]]:
    if isinstance(flat, dict):
        return [(_text(key), value) for key, value in flat.items()]
    return [(_text(key), value) for key, value in zip(flat[::2], flat[1::2], strict=True)]


@contextlib.contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with server.embedded(is_logging=False) as own:
        yield own


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--depth", type=click.IntRange(100, 2_000_000), default=1_000_000, show_default=True, help="Jobs that wait."
)
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="Runs of each command.")
@click.option("--only", default="", metavar="TEXT", help="Only commands with this in them.")
@click.option(
    "--server",
    "url",
    metavar="URL",
    help="A server on loopback that is empty, or was filled by an earlier run. Default: one is started.",
)
def main(depth: int, rounds: int, only: str, url: str | None) -> None:
    """Measure the command line on a deep queue. Exits with 5 where a command takes over a second, or one of its
    commands holds the server up for over 5 ms.
    """
    # That jobs fail is part of the preparation.
    logging.getLogger("rosq").addHandler(logging.NullHandler())
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        with _server(url) as where:
            parts = urlsplit(where)
            settings = RedisSettings(host=parts.hostname or "127.0.0.1", port=parts.port or 6379, answer_timeout_s=30)
            with redis.Redis(host=settings.host, port=settings.port, decode_responses=True) as client:
                _prepare(client, settings, where, depth, console)
                environment = {
                    **{key: value for key, value in os.environ.items() if not key.startswith(("REDIS_", "ROSQ_"))},
                    "REDIS_HOST": settings.host,
                    "REDIS_PORT": str(settings.port),
                    "ROSQ_QUEUE": QUEUE,
                }
                lines = [line.format(last=depth - 1) for line in COMMANDS if only in line]
                results = [measure(client, line, environment, rounds) for line in lines]
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    _print(console, results)
    sys.exit(0 if all(each.is_right for each in results) else 5)


def _prepare(client: Any, settings: RedisSettings, url: str, depth: int, console: Console) -> None:
    with Queue(settings, QUEUE) as queue:
        lanes = [queue.keys.lane("main"), queue.keys.lane("urgent")]
    if sum(client.xlen(lane) for lane in lanes) < depth * 0.95:
        server.Server(url).check()
        console.print(f"Filling: {depth:,} jobs wait, {depth // 10:,} are delayed, {_RUN:,} have run …")
        begun = time.monotonic()
        fill(settings, depth)
        console.print(f"Filled within {time.monotonic() - begun:.0f} s.")
    client.config_set("slowlog-log-slower-than", _SLOWLOG_US)
    client.config_set("slowlog-max-len", 1024)


def _print(console: Console, results: list[Measured]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("command", "seconds", "CPU s", "slowest command", "ms", ""):
        table.add_column(name, justify="right" if name in ("seconds", "CPU s", "ms") else "left")
    for each in results:
        verdict = "" if each.is_right else "over the limit"
        table.add_row(
            f"rosq {each.line}",
            f"{each.wall_s:.2f}",
            f"{each.cpu_s:.2f}",
            each.slowest,
            f"{each.slowest_ms:.1f}",
            verdict,
        )
    console.print(table)


if __name__ == "__main__":
    main()
