"""What waiting jobs cost: their memory, and what their number changes about the cost of the others."""

from __future__ import annotations

import contextlib
import statistics
from typing import TYPE_CHECKING

from benchmarks.rates import drain
from benchmarks.runner import PATIENCE_S, PAYLOAD, POINTER, list_figures

if TYPE_CHECKING:
    from benchmarks.process import Side
    from benchmarks.runner import Runner

#: Jobs from which on memory is measured where there is a bulk call: above what streams of events are capped at.
_MEMORY_JOBS = 11_000
#: And where there is none, and so no such stream either.
_MEMORY_JOBS_ONE_BY_ONE = 2_000


def measure_memory(runner: Runner) -> dict[str, float]:
    """Measure what a waiting job takes: from a number of them to twice as many.

    Between a number and its double each table that grows by doubling does so once, and streams that are capped below
    that number don't grow.
    """
    has_bulk = runner.contender.has_bulk
    jobs, what = (_MEMORY_JOBS, "many") if has_bulk else (_MEMORY_JOBS_ONE_BY_ONE, "one")
    figures: dict[str, float] = {}
    for name, data in (("memory_payload", PAYLOAD), ("memory_pointer", POINTER)):
        with runner.producer() as producer:
            producer.ask(PATIENCE_S, do=what, count=jobs, data=data)
            before = runner.server.used_memory()
            producer.ask(PATIENCE_S, do=what, count=jobs, data=data)
            figures[name] = (runner.server.used_memory() - before) / jobs
    return figures


def measure_depth(runner: Runner, depths: list[int], jobs: int, budget_s: float, turns: int) -> dict[str, float]:
    """Measure enqueue and drain with so many jobs waiting: each depth on a server of its own, all in turns.

    A machine's speed changes within seconds by more than what is looked for. So nothing is filled between the figures
    that are compared, and each turn begins with another depth.

    Args:
        depths: In rising order.
        jobs: Jobs for each rate: enqueued on top of the depth, and drained down to it.
        budget_s: Where filling up to a depth would take longer, it and those after it are left out.
        turns: How often each depth is measured; the figure is the median.
    """
    measured: dict[int, list[dict[str, float]]] = {}
    with contextlib.ExitStack() as stack:
        places: list[tuple[int, Runner, Side]] = []
        rate = 0.0
        for depth, own in zip(depths, runner.list_servers(len(depths)), strict=True):
            if rate and depth / rate > budget_s:
                break
            stack.callback(own.server.empty)
            producer = stack.enter_context(own.producer())
            rate = depth / own.fill(producer, depth)
            places.append((depth, own, producer))
        for turn in range(turns):
            shift = turn % len(places)
            for depth, own, producer in [*places[shift:], *places[:shift]]:
                measured.setdefault(depth, []).append(_measure_at(own, producer, depth, jobs))
    return {
        name: statistics.median(each[name] for each in figures) for figures in measured.values() for name in figures[0]
    }


def _measure_at(runner: Runner, producer: Side, depth: int, jobs: int) -> dict[str, float]:
    """Leaves as many jobs waiting as it found."""
    before = runner.server.count()
    told = producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
    figures = list_figures(f"enqueue_at_{depth}", jobs, told, runner.server.count() - before)
    runner.fill(producer, runner.contender.warm_up)
    figures |= drain(runner, jobs, f"drain_at_{depth}")
    figures[f"life_at_{depth}_server_us"] = (
        figures[f"enqueue_at_{depth}_server_us"] + figures[f"drain_at_{depth}_server_us"]
    )
    return figures
