"""What one job costs on its way: enqueued one by one and many at a time, drained, and picked up by an idle worker.

Rates are the contender's own, by its clock: starting its processes isn't in them. Server figures are differences of the
server's counters, so nobody else may use it meanwhile.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.errors import SideFailed
from benchmarks.runner import PATIENCE_S, PAYLOAD, list_figures

if TYPE_CHECKING:
    from benchmarks.runner import Runner

#: Jobs that are enqueued many at a time, for each one by one.
_BULK = 5
#: After a worker's last job has begun, what a contender still writes of those before it.
_SETTLE_S = 0.15
#: A worker is idle for so long before a job comes: enough to fall asleep again, and never in step with a poll.
_IDLE_S = (0.008, 0.02)
#: Fewer samples say nothing of a hundredth.
_LEAST_PICKUPS = 10


def measure_one(runner: Runner, jobs: int) -> dict[str, float]:
    """Enqueue so many jobs one by one, and run them.

    Returns:
        The figures of `enqueue_…` and `drain_…`; `life_server_us` is the server's CPU time for both.

    Raises:
        SideFailed: A process of the contender failed.
    """
    with runner.warm_producer() as producer:
        before = runner.server.count()
        told = producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
        figures = list_figures("enqueue", jobs, told, runner.server.count() - before)
        # The warm-up's jobs wait too: they are those that the worker warms up with.
        figures |= drain(runner, jobs, "drain")
    figures["life_server_us"] = figures["enqueue_server_us"] + figures["drain_server_us"]
    return figures


def measure_many(runner: Runner, jobs: int) -> dict[str, float]:
    """Enqueue five times as many jobs by the contender's call for many."""
    count = _BULK * jobs
    with runner.warm_producer() as producer:
        producer.ask(PATIENCE_S, do="many", count=max(jobs // 2, 1), data=PAYLOAD)
        before = runner.server.count()
        told = producer.ask(PATIENCE_S, do="many", count=count, data=PAYLOAD)
        return list_figures("bulk", count, told, runner.server.count() - before)


def drain(runner: Runner, jobs: int, name: str) -> dict[str, float]:
    """Run so many of the jobs that wait, after those of the warm-up, by a new worker."""
    told, spent = drain_counted(runner, jobs)
    return list_figures(name, jobs, told, spent)


def drain_counted(runner: Runner, jobs: int, **order: Any) -> tuple[dict[str, Any], Any]:
    """The same; return what the worker told, and what the server spent."""
    with runner.worker(warm_up=runner.contender.warm_up, count=jobs, **order) as worker:
        worker.hear(PATIENCE_S, "is_warm")
        before = runner.server.count()
        worker.say(go=True)
        told = worker.hear(PATIENCE_S, "seconds")
        time.sleep(_SETTLE_S)
        return told, runner.server.count() - before


def measure_pickup(runner: Runner, pickups: int, budget_s: float) -> dict[str, float]:
    """Measure from just before a job is enqueued to its handler's first line, the worker idle before.

    Args:
        pickups: Jobs that are sent at most.
        budget_s: Seconds after which no more of these are sent.
    """
    latencies: list[float] = []
    # First the producer: it empties the server, and with it what a worker makes at its start.
    with runner.warm_producer() as producer, runner.worker(is_telling=True) as worker:
        for _ in range(runner.contender.warm_up):
            worker.hear(PATIENCE_S, "started_s")
        end_s = time.monotonic() + budget_s
        while len(latencies) < pickups and time.monotonic() < end_s:
            time.sleep(random.uniform(*_IDLE_S))
            begun_s = producer.ask(PATIENCE_S, do="one", data=PAYLOAD)["begun_s"]
            latencies.append((worker.hear(PATIENCE_S, "started_s")["started_s"] - begun_s) * 1000)
    if any(latency < 0 for latency in latencies):
        raise SideFailed(
            f"{runner.contender.name}: a job began before it was enqueued; the clocks of its sides differ."
        )
    if len(latencies) < _LEAST_PICKUPS:
        return {}
    return list_quantiles("pickup", latencies)


def list_quantiles(name: str, latencies_ms: list[float]) -> dict[str, float]:
    """The half and the hundredth of latencies, under names that begin with `name`."""
    return {
        f"{name}_p50_ms": statistics.median(latencies_ms),
        f"{name}_p99_ms": statistics.quantiles(latencies_ms, n=100, method="inclusive")[98],
        f"{name}_samples": len(latencies_ms),
    }
