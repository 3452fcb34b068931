"""The rounds: every contender once a round, in another order each time, until all are done or the time is over.

A round goes measure by measure, not contender by contender: those that are compared run within seconds of each other,
and the machine has less time to change its speed.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from typing import TYPE_CHECKING

from benchmarks.contender import FLOOR, ROSQ, Runtime
from benchmarks.crowd import measure_crowd
from benchmarks.distance import measure_distance
from benchmarks.errors import NotInstalled, SideFailed
from benchmarks.inspection import measure_inspection
from benchmarks.install import command_of, environment_of
from benchmarks.lanes import measure_lanes
from benchmarks.lateness import measure_delay, measure_recovery
from benchmarks.rates import measure_many, measure_one, measure_pickup
from benchmarks.runner import Runner
from benchmarks.waiting import measure_depth, measure_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.contender import Contender
    from benchmarks.result import Result
    from benchmarks.server import Server

#: Enqueue and drain are over in half a second, so a round takes them so often: more ratios of the same moment.
_TURNS = 3
#: Others than those of every round take part in so many.
_PEER_ROUNDS = 3
#: Those that poll would take minutes.
_PICKUP_BUDGET_S = 12.0
_DEPTH_ROUNDS = 3
_DEPTH_TURNS = 8
_PEER_DEPTH_TURNS = 2
#: Peers that would need longer to fill up to a depth are left out there.
_PEER_DEPTH_BUDGET_S = 25.0
_OWN_DEPTH_BUDGET_S = 120.0
_PEER_DEPTH = 100_000
_CROWD_ROUNDS = 3
_DISTANCE_ROUNDS = 3
#: Of a part's jobs: a round trip is much, and as much for each.
_DISTANCE_SHARE = 0.5
_LANE_ROUNDS = 2
_LANE_TURNS = 4
_DELAY_ROUNDS = 3
_DELAYED_JOBS = 200
#: Of one that looks for them about once a second.
_DELAYED_JOBS_SLOW = 15
#: A contender without a call for many would take too long to delay as many others.
_DELAYED_OTHERS_ONE_BY_ONE = 10_000
_RECOVERY_ROUNDS = 3


class Part(enum.StrEnum):
    """What is measured."""

    ONE = "enqueue and drain"
    MANY = "enqueue many"
    PICKUP = "pickup"
    MEMORY = "memory"
    CROWD = "many workers"
    DISTANCE = "a round trip in between"
    LANES = "lanes"
    DELAY = "delayed jobs"
    RECOVERY = "recovery"
    DEPTH = "depth"
    INSPECTION = "inspect"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    jobs: int
    pickups: int
    depths: list[int]
    crowds: list[int]
    #: Put in between, one after the other, in ms.
    round_trips_ms: list[float]
    #: In rising order.
    lanes: list[int]
    #: Delayed jobs beside those whose lateness is measured.
    others: int
    parts: frozenset[Part]
    #: Leaves out what takes long and is not of every day.
    is_quick: bool = False
    longest_s: float


def prepare(
    contenders: list[Contender],
    servers: list[Server],
    cache: Path,
    result: Result,
    *,
    is_installing: bool,
    tell: Callable[[str], None],
) -> list[Runner]:
    """Install what is missing; whoever can't be had is left out, with the reason in the result.

    Args:
        servers: The first is for everything, the others for depths beside it.
    """
    server, *others = servers
    runners = []
    for contender in contenders:
        tell(f"looking for {contender.name}")
        try:
            command = command_of(contender, cache, is_installing=is_installing)
        except NotInstalled as error:
            result.skipped[contender.name] = str(error)
        else:
            environment = environment_of(contender, cache)
            runners.append(
                Runner(
                    contender=contender, command=command, environment=environment, server=server, others=tuple(others)
                )
            )
    return runners


def run(runners: list[Runner], plan: Plan, result: Result, tell: Callable[[str], None]) -> None:
    """Measure; the result is filled as it goes. A contender that fails at a part is left out of it from then on."""
    end_s = time.monotonic() + plan.longest_s
    # Everything once before anything again: a run that its time cuts short has a figure for each question.
    for number in range(plan.rounds):
        for part, turn in _list_turns(plan):
            # Another one begins each time.
            shift = (number + turn) % max(len(runners), 1)
            for runner in [*runners[shift:], *runners[:shift]]:
                contender = runner.contender
                if (turn and not contender.is_core) or not takes_part(contender, part, number, plan):
                    continue
                if result.why_skipped(contender.name, part):
                    continue
                if time.monotonic() > end_s:
                    tell("the time is over")
                    result.about["is_cut_short"] = True
                    return
                tell(f"round {number + 1} of {plan.rounds}, {part}: {contender.name}")
                try:
                    result.add(contender.name, number * _TURNS + turn, measure(runner, part, plan))
                except SideFailed as error:
                    result.skipped[f"{contender.name}: {part}"] = f"It failed in round {number + 1}: {error}"
        result.about["rounds"] = number + 1


def _list_turns(plan: Plan) -> list[tuple[Part, int]]:
    """The parts of a round in order; the first in several turns, each with every contender of every round."""
    return [(part, turn) for part in Part if part in plan.parts for turn in range(_TURNS if part is Part.ONE else 1)]


def takes_part(contender: Contender, part: Part, number: int, plan: Plan) -> bool:
    """Whether a part is measured of a contender in that round, the first being 0."""
    is_own = contender.runtime is Runtime.OWN
    if plan.is_quick and part not in (Part.ONE, Part.MANY, Part.PICKUP):
        # Once, and only what is close to rosq; but a round trip in between is nothing without a peer.
        is_wanted = is_own or part is Part.DISTANCE
        if number or not is_wanted:
            return False
    match part:
        case Part.ONE | Part.PICKUP:
            return contender.is_core or number < _PEER_ROUNDS
        case Part.MANY:
            return contender.has_bulk and (contender.is_core or number < _PEER_ROUNDS)
        case Part.MEMORY:
            return number == 0
        case Part.CROWD:
            return contender.has_crowd and number < (_CROWD_ROUNDS if is_own else 1)
        case Part.DISTANCE:
            return number < (_DISTANCE_ROUNDS if contender.is_core else 1)
        case Part.LANES:
            return contender.has_lanes and number < _LANE_ROUNDS
        case Part.DELAY:
            return contender.has_delay and number < (_DELAY_ROUNDS if contender.name == ROSQ else 1)
        case Part.RECOVERY:
            return bool(contender.recovery) and number < (_RECOVERY_ROUNDS if contender.is_core else 1)
        case Part.DEPTH:
            # The flatness of these two is judged, beside each other; of the others once is enough to see.
            return contender.has_bulk and number < (_DEPTH_ROUNDS if contender.name in (FLOOR, ROSQ) else 1)
        case Part.INSPECTION:
            return contender.name == ROSQ and number == 0


def measure(runner: Runner, part: Part, plan: Plan) -> dict[str, float]:
    """Measure one part of one contender.

    Raises:
        SideFailed: A process of the contender failed.
    """
    contender = runner.contender
    is_own = contender.runtime is Runtime.OWN
    jobs = max(int(plan.jobs * contender.share), 20)
    match part:
        case Part.ONE:
            return measure_one(runner, jobs)
        case Part.MANY:
            return measure_many(runner, jobs)
        case Part.PICKUP:
            return measure_pickup(runner, plan.pickups, _PICKUP_BUDGET_S)
        case Part.MEMORY:
            return measure_memory(runner)
        case Part.CROWD:
            return measure_crowd(runner, plan.crowds, jobs)
        case Part.DISTANCE:
            figures: dict[str, float] = {}
            for round_trip_ms in plan.round_trips_ms:
                figures |= measure_distance(runner, round_trip_ms, max(int(jobs * _DISTANCE_SHARE), 20))
            return figures
        case Part.LANES:
            return measure_lanes(runner, plan.lanes, jobs, 2 if plan.is_quick else _LANE_TURNS)
        case Part.DELAY:
            others = plan.others if contender.has_bulk else min(plan.others, _DELAYED_OTHERS_ONE_BY_ONE)
            return measure_delay(runner, others, _DELAYED_JOBS_SLOW if contender.is_polling else _DELAYED_JOBS)
        case Part.RECOVERY:
            return measure_recovery(runner)
        case Part.DEPTH:
            depths = plan.depths if is_own else [depth for depth in plan.depths if depth <= _PEER_DEPTH]
            budget_s = _OWN_DEPTH_BUDGET_S if is_own else _PEER_DEPTH_BUDGET_S
            return measure_depth(runner, depths, jobs, budget_s, _DEPTH_TURNS if is_own else _PEER_DEPTH_TURNS)
        case Part.INSPECTION:
            return measure_inspection(runner, plan.depths[-1], jobs)
