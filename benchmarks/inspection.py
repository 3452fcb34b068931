"""How long `rosq inspect` takes on a large queue, and how long rosq ever blocks the server there."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.errors import SideFailed
from benchmarks.process import die_with_parent
from benchmarks.rates import drain
from benchmarks.runner import PATIENCE_S, PAYLOAD

if TYPE_CHECKING:
    from benchmarks.runner import Runner

#: What `side.NAME` is.
_QUEUE = "bench"
#: Every view, as an operator would call it.
_VIEWS = (
    (),
    ("queues",),
    ("lanes",),
    ("workers",),
    ("pending",),
    ("jobs",),
    ("jobs", "--state", "completed", "--id", "7$"),
    ("delayed",),
    ("errors",),
    ("events",),
    ("throughput",),
    # The job in the middle of those that wait: as far as it can be from both ends.
    ("job", "{middle}"),
    ("explain", "{middle}"),
)
#: `rosq`, of the checkout that is measured.
_PROGRAM = "from rosq.cli import main; main()"
_REPEATS = 3
#: Of the jobs, one in so many is delayed.
_DELAYED = 10


def measure_inspection(runner: Runner, depth: int, jobs: int, repeats: int = _REPEATS) -> dict[str, float]:
    """Put so many jobs on a queue, work a little, and look at it in every way.

    Args:
        depth: Many times the jobs that are drained meanwhile: `jobs` and those of the warm-up.

    Returns:
        `inspect_slowest_s`: the slowest view by the clock, the start of its process too, which `inspect_start_s` is the
        time of. `inspect_blocks_ms` and `work_blocks_ms`: the longest that one command kept the server from answering
        others, while looking and while enqueueing and working. Where the machine is busy the kernel's own pauses are in
        all of them, so everything is repeated: of a view's time, and of what the work blocks, the median counts; of
        what the views block, the longest at all.
    """
    with runner.server.logging_slow() as find_longest_ms, runner.producer() as producer:
        waiting = depth - depth // _DELAYED
        runner.fill(producer, waiting)
        runner.fill(producer, depth - waiting, delay_s=3_600.0)
        find_longest_ms()
        working_ms = []
        for _ in range(repeats):
            producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
            producer.ask(PATIENCE_S, do="many", count=jobs + runner.contender.warm_up, data=PAYLOAD)
            drain(runner, jobs, "drain")
            working_ms.append(find_longest_ms())
        figures = {"inspect_depth": float(depth), "work_blocks_ms": statistics.median(working_ms)}
        # Jobs are drained in the order in which they were put there, and are numbered.
        drained = repeats * (jobs + runner.contender.warm_up)
        middle = (drained + waiting) // 2
        figures["inspect_start_s"] = statistics.median(_look(runner, ("--help",), 0) for _ in range(repeats))
        seconds, blocks_ms = [], []
        for view in _VIEWS:
            tries = [_look(runner, view, middle) for _ in range(repeats)]
            seconds.append(statistics.median(tries))
            name = "_".join(("inspect", *view[:1], "s"))
            figures[name] = max(figures.get(name, 0.0), seconds[-1])
            blocks_ms.append(find_longest_ms())
        figures["inspect_slowest_s"] = max(seconds)
        figures["inspect_blocks_ms"] = max(blocks_ms)
    return figures


def _look(runner: Runner, view: tuple[str, ...], middle: int) -> float:
    parts = urlsplit(runner.server.url)
    command = [sys.executable, "-c", _PROGRAM, "--queue", _QUEUE, "inspect"]
    command += [word.format(middle=middle) for word in view]
    environment = {
        **runner.environment,
        "REDIS_HOST": parts.hostname or "127.0.0.1",
        "REDIS_PORT": str(parts.port or 6379),
        "REDIS_DB": parts.path.strip("/") or "0",
        "REDIS_PASSWORD": parts.password or "",
    }
    begun_s = time.monotonic()
    ended = subprocess.run(
        command,
        env=environment,
        cwd=os.sep,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        preexec_fn=die_with_parent,
    )
    seconds = time.monotonic() - begun_s
    if ended.returncode not in (0, 4):
        last = (ended.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SideFailed(f"rosq inspect {' '.join(view)} exited with {ended.returncode}; its last words: {last}")
    return seconds
