"""What is measured of a contender: each function leaves the server's counters read at a known place.

Rates are the contender's own, by its clock: starting its processes isn't in them. Server figures are differences of the
server's counters, so nobody else may use it meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.errors import SideFailed
from benchmarks.process import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.contender import Contender
    from benchmarks.server import Counters, Server

#: 100 bytes of compact JSON.
PAYLOAD = {"payload": "x" * 86}
POINTER = {"order_id": 123456}
#: Jobs that are enqueued many at a time, for each one by one.
_BULK = 5
#: No call of a contender may take longer.
_PATIENCE_S = 60.0
#: After a worker's last job has begun, its settling and what is written meanwhile.
_SETTLE_S = 0.15


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How a contender's processes are started, and on which server they meet."""

    contender: Contender
    command: list[str]
    environment: dict[str, str]
    server: Server

    @contextlib.contextmanager
    def producer(self) -> Iterator[Side]:
        """A producer that is connected and warm, on an otherwise empty server."""
        self.server.empty()
        with self._start("produce") as side:
            side.wait_ready()
            side.ask(_PATIENCE_S, do="one", count=self.contender.warm_up, data=PAYLOAD)
            yield side

    @contextlib.contextmanager
    def worker(self, **order: Any) -> Iterator[Side]:
        """A worker that is connected; it has begun to work."""
        with self._start("work") as side:
            side.say(**order)
            side.wait_ready()
            yield side

    def _start(self, role: str) -> Side:
        return Side(self.contender.name, self.command, role, self.server.url, self.environment)


def measure_round(runner: Runner, jobs: int, pickups: int, pickup_budget_s: float) -> dict[str, float]:
    """Measure everything but memory and depth once.

    Args:
        jobs: Jobs for each rate.
        pickups: Jobs that are sent to an idle worker at most.
        pickup_budget_s: Seconds after which no more of these are sent.

    Returns:
        The figures by name; those that the contender can't give are missing.

    Raises:
        SideFailed: A process of the contender failed.
    """
    figures: dict[str, float] = {}
    with runner.producer() as producer:
        before = runner.server.count()
        told = producer.ask(_PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
        _add(figures, "enqueue", jobs, told, runner.server.count() - before)
        # The warm-up's jobs wait too: they are those that the worker warms up with.
        _drain(runner, jobs, figures, "drain")
    if runner.contender.has_bulk:
        with runner.producer() as producer:
            before = runner.server.count()
            told = producer.ask(_PATIENCE_S, do="many", count=_BULK * jobs, data=PAYLOAD)
            _add(figures, "bulk", _BULK * jobs, told, runner.server.count() - before)
    latencies = _measure_pickup(runner, pickups, pickup_budget_s)
    if len(latencies) >= 10:
        figures["pickup_p50_ms"] = statistics.median(latencies)
        figures["pickup_p99_ms"] = statistics.quantiles(latencies, n=100, method="inclusive")[98]
        figures["pickups"] = len(latencies)
    return figures


def measure_memory(runner: Runner, jobs: int) -> dict[str, float]:
    """Measure what a waiting job takes: from `jobs` of them to twice as many.

    Between a number and its double each table that grows by doubling does so once, and streams that are capped below
    that number don't grow.
    """
    figures: dict[str, float] = {}
    what = "many" if runner.contender.has_bulk else "one"
    for name, data in (("memory_payload", PAYLOAD), ("memory_pointer", POINTER)):
        with runner.producer() as producer:
            producer.ask(_PATIENCE_S, do=what, count=jobs - runner.contender.warm_up, data=data)
            before = runner.server.used_memory()
            producer.ask(_PATIENCE_S, do=what, count=jobs, data=data)
            figures[name] = (runner.server.used_memory() - before) / jobs
    return figures


def measure_depth(runner: Runner, depths: list[int], jobs: int, budget_s: float) -> dict[str, float]:
    """Measure enqueue and drain with so many jobs waiting.

    Args:
        depths: In rising order.
        jobs: Jobs for each rate.
        budget_s: Where filling up to the next depth would take longer, it and those after it are left out.
    """
    figures: dict[str, float] = {}
    with runner.producer() as producer:
        waiting, rate = runner.contender.warm_up, 0.0
        for depth in depths:
            missing = depth - waiting
            if rate and missing / rate > budget_s:
                break
            begun_s = time.monotonic()
            while missing > 0:
                part = min(missing, 20_000)
                producer.ask(_PATIENCE_S, do="many", count=part, data=PAYLOAD)
                missing -= part
            rate = (depth - waiting) / (time.monotonic() - begun_s)
            before = runner.server.count()
            told = producer.ask(_PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
            _add(figures, f"enqueue_at_{depth}", jobs, told, runner.server.count() - before)
            _drain(runner, jobs, figures, f"drain_at_{depth}")
            waiting = depth - runner.contender.warm_up
    return figures


def _drain(runner: Runner, jobs: int, figures: dict[str, float], name: str) -> None:
    with runner.worker(warm_up=runner.contender.warm_up, count=jobs) as worker:
        worker.hear(_PATIENCE_S, "is_warm")
        before = runner.server.count()
        worker.say(go=True)
        told = worker.hear(_PATIENCE_S, "seconds")
        time.sleep(_SETTLE_S)
        _add(figures, name, jobs, told, runner.server.count() - before)


def _measure_pickup(runner: Runner, pickups: int, budget_s: float) -> list[float]:
    latencies: list[float] = []
    # First the producer: it empties the server, and with it what a worker makes at its start.
    with runner.producer() as producer, runner.worker(is_telling=True) as worker:
        for _ in range(runner.contender.warm_up):
            worker.hear(_PATIENCE_S, "started_s")
        end_s = time.monotonic() + budget_s
        while len(latencies) < pickups and time.monotonic() < end_s:
            # Long enough for the worker to fall asleep again, and never in step with a poll.
            time.sleep(random.uniform(0.01, 0.03))
            begun_s = producer.ask(_PATIENCE_S, do="one", data=PAYLOAD)["begun_s"]
            latencies.append((worker.hear(_PATIENCE_S, "started_s")["started_s"] - begun_s) * 1000)
    if any(latency < 0 for latency in latencies):
        raise SideFailed(
            f"{runner.contender.name}: a job began before it was enqueued; the clocks of its sides differ."
        )
    return latencies


def _add(figures: dict[str, float], name: str, jobs: int, told: dict[str, Any], spent: Counters) -> None:
    figures[f"{name}_per_s"] = jobs / told["seconds"]
    figures[f"{name}_client_us"] = told["cpu_s"] / jobs * 1e6
    figures[f"{name}_server_us"] = spent.cpu_s / jobs * 1e6
    figures[f"{name}_commands"] = spent.commands / jobs
    figures[f"{name}_bytes"] = spent.bytes / jobs
