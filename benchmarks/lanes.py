"""What a queue's lanes cost those who use a few of them: ten thousand that were used once, beside three.

A lane is a key with a group and a reader of its own, so their number must not be felt by a job. Of the others only the
floor takes part, by a stream a lane; where it gets dearer too, that is the server's price for as many keys.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.contender import LEASE_S
from benchmarks.rates import drain_counted
from benchmarks.runner import PATIENCE_S, PAYLOAD, list_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.process import Side
    from benchmarks.runner import Runner

#: For so long an idle worker stands by, and forgets those that were killed: all lanes are looked through for that.
_STAND_BY_S = 2.0 * LEASE_S


@dataclasses.dataclass(slots=True)
class _Place:
    """A queue of so many lanes, on a server of its own."""

    runner: Runner
    lanes: int
    producer: Side
    find_longest_ms: Callable[[], float]
    #: How many jobs workers were handed so far. They lie in the lanes by turns, so the next is in the lane after.
    handed: int = 0
    turns: list[dict[str, float]] = dataclasses.field(default_factory=list)
    #: Of each turn.
    longest_ms: list[float] = dataclasses.field(default_factory=list)
    #: Of the time when an idle worker cleaned up.
    longest_cleaning_ms: float = 0.0

    def order(self) -> dict[str, float]:
        """What its next worker is told besides."""
        return {"lanes": self.lanes, "first": self.handed, "lease_s": LEASE_S}


def measure_lanes(
    runner: Runner, counts: list[int], jobs: int, turns: int, stand_by_s: float = _STAND_BY_S
) -> dict[str, float]:
    """Enqueue jobs into all lanes by turns, and run them, on queues of so many lanes each, all in turns.

    A worker reads three lanes, from another one on for each job: it comes round to as many lanes as it runs jobs.

    Args:
        counts: In rising order. As many jobs as the last of these have run on each queue before anything is measured.
        jobs: For each rate.
        turns: How often each queue is measured; the figure is the median.
        stand_by_s: How long an idle worker cleans up on each, where the contender does that.

    Returns:
        The figures of `enqueue_on_…_lanes` and `drain_on_…_lanes`; and `blocks_on_…_lanes_ms`: the longest that one
        command kept the server from answering others, in the turn where that was shortest, since what lanes cost is
        in each and the kernel's pauses aren't, or while an idle worker cleaned up after killed ones.
    """
    figures: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        places = []
        for count, own in zip(counts, runner.list_servers(len(counts)), strict=True):
            stack.callback(own.server.empty)
            producer = stack.enter_context(own.producer())
            place = _Place(own, count, producer, stack.enter_context(own.server.logging_slow()))
            _use_all(place, counts[-1])
            places.append(place)
        for turn in range(turns):
            shift = turn % len(places)
            for place in [*places[shift:], *places[:shift]]:
                # Another place may be on the same server: what was logged before may be its.
                place.find_longest_ms()
                place.turns.append(_measure_turn(place, jobs))
                place.longest_ms.append(place.find_longest_ms())
        for place in places:
            if runner.contender.recovery:
                place.find_longest_ms()
                # Until the killed ones' jobs are back and their names are forgotten.
                with place.runner.worker(is_telling=True, **place.order()):
                    time.sleep(stand_by_s)
                place.longest_cleaning_ms = place.find_longest_ms()
            figures |= {name: statistics.median(turn[name] for turn in place.turns) for name in place.turns[0]}
            longest_ms = max(min(place.longest_ms), place.longest_cleaning_ms)
            figures[f"blocks_on_{place.lanes}_lanes_ms"] = longest_ms
    return figures


def _use_all(place: _Place, jobs: int) -> None:
    """Let so many jobs run, and with them those that a worker warms up with: each lane was used then."""
    warm_up = place.runner.contender.warm_up
    place.producer.ask(PATIENCE_S, do="many", count=warm_up + jobs, data=PAYLOAD, lanes=place.lanes)
    _drain(place, jobs)


def _measure_turn(place: _Place, jobs: int) -> dict[str, float]:
    before = place.runner.server.count()
    told = place.producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD, lanes=place.lanes)
    spent = place.runner.server.count() - before
    figures = list_figures(f"enqueue_on_{place.lanes}_lanes", jobs, told, spent)
    place.producer.ask(PATIENCE_S, do="many", count=place.runner.contender.warm_up, data=PAYLOAD, lanes=place.lanes)
    return figures | _drain(place, jobs)


def _drain(place: _Place, jobs: int) -> dict[str, float]:
    """So many, after those of the warm-up; the last one stays in the hand of a worker that is killed."""
    told, spent = drain_counted(place.runner, jobs, **place.order())
    place.handed += place.runner.contender.warm_up + jobs
    return list_figures(f"drain_on_{place.lanes}_lanes", jobs, told, spent)
