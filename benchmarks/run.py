"""The rounds: every contender once a round, in another order each time, until all are done or the time is over."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from benchmarks.errors import NotInstalled, SideFailed
from benchmarks.install import command_of, environment_of
from benchmarks.measure import Runner, measure_depth, measure_memory, measure_round

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.contender import Contender
    from benchmarks.result import Result
    from benchmarks.server import Server

#: Jobs from which on memory is measured where there is a bulk call: above what streams of events are capped at.
_MEMORY_JOBS = 11_000
#: And where there is none, and so no such stream either.
_MEMORY_JOBS_ONE_BY_ONE = 2_000
_DEPTH_ROUNDS = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    jobs: int
    pickups: int
    depths: list[int]
    #: Seconds that a contender gets to fill up to a depth, and for the pickups of a round.
    depth_budget_s: float
    pickup_budget_s: float
    longest_s: float


def prepare(
    contenders: list[Contender],
    server: Server,
    cache: Path,
    result: Result,
    *,
    is_installing: bool,
    tell: Callable[[str], None],
) -> list[Runner]:
    """Install what is missing; whoever can't be had is left out, with the reason in the result."""
    runners = []
    for contender in contenders:
        tell(f"Looking for {contender.name}")
        try:
            command = command_of(contender, cache, is_installing=is_installing)
        except NotInstalled as error:
            result.skipped[contender.name] = str(error)
        else:
            environment = environment_of(contender, cache)
            runners.append(Runner(contender=contender, command=command, environment=environment, server=server))
    return runners


def run(runners: list[Runner], plan: Plan, result: Result, tell: Callable[[str], None]) -> None:
    """Measure; the result is filled as it goes. A contender that fails once is left out from then on."""
    end_s = time.monotonic() + plan.longest_s
    # Everything once before anything again: a run that its time cuts short has a figure for each question.
    parts = [(0, "rates"), (0, "memory"), (0, "depth")]
    for number in range(1, plan.rounds):
        parts += [(number, "rates")] + [(number, "depth")] * (number < _DEPTH_ROUNDS)
    for number, what in parts:
        if time.monotonic() > end_s:
            return
        if what == "rates":
            result.about["rounds"] = number + 1
        # Another one begins each time.
        shift = number % max(len(runners), 1)
        for runner in [*runners[shift:], *runners[:shift]]:
            if runner.contender.name not in result.skipped:
                tell(f"Round {number + 1}, {what}: {runner.contender.name}")
                _measure(runner, what, number, plan, result)


def _measure(runner: Runner, what: str, number: int, plan: Plan, result: Result) -> None:
    contender = runner.contender
    jobs = max(int(plan.jobs * contender.share), 20)
    try:
        if what == "rates":
            figures = measure_round(runner, jobs, plan.pickups, plan.pickup_budget_s)
            figures["life_server_us"] = figures["enqueue_server_us"] + figures["drain_server_us"]
        elif what == "memory":
            figures = measure_memory(runner, _MEMORY_JOBS if contender.has_bulk else _MEMORY_JOBS_ONE_BY_ONE)
        elif contender.has_bulk:
            figures = measure_depth(runner, plan.depths, jobs, plan.depth_budget_s)
        else:
            return
    except SideFailed as error:
        result.skipped[contender.name] = f"It failed in round {number + 1}, {what}: {error}"
    else:
        result.add(contender.name, number, figures)
