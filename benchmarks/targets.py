"""What rosq is to reach, held against a result."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from benchmarks.contender import BULL, CONTENDERS, FLOOR, FLOOR_SOCKET, ROSQ, Runtime
from benchmarks.distance import name_distance

if TYPE_CHECKING:
    from benchmarks.result import Result, Spread

#: Cost per job may grow by so much.
_FLAT = 1.15
#: One round trip, and room for heartbeats and the sleep after the last job.
_ONE = 1.05
#: Of a job a round trip: room for the server's and the client's own work.
_OF_WIRE = 0.8
_FULL_DEPTH = 1_000_000
_FULL_CROWD = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One sentence, and how it stands."""

    sentence: str
    #: The median decides; None where what it needs wasn't measured.
    seen: Spread | None
    #: None for what is only said.
    limit: float | None
    #: Whether less is better.
    is_ceiling: bool = False
    unit: str = "×"
    #: What helps to judge it.
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """None where it can't be said."""
        if self.seen is None or self.limit is None:
            return None
        return self.seen.median <= self.limit if self.is_ceiling else self.seen.median >= self.limit

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.seen is None:
            return "not measured"
        if self.limit is None:
            return ""
        return "met" if self.is_met else "missed"

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def list_targets(result: Result) -> list[Target]:
    """Hold every target against the result."""
    return [
        *_drain(result),
        *_enqueue(result),
        *_pickup(result),
        *_server(result),
        *_memory(result),
        *_lateness(result),
        *_distance(result),
        *_flatness(result),
        *_lanes(result),
        *_inspection(result),
    ]


def has_missed(result: Result) -> bool:
    """Whether any target was measured and isn't met."""
    return any(target.is_met is False for target in list_targets(result))


def _drain(result: Result) -> list[Target]:
    python = [peer.name for peer in CONTENDERS if peer.runtime is Runtime.VENV and peer.is_safe]
    best, name = _against_best(result, "drain_per_s", python)
    return [
        Target(sentence="drain, of Bull on Node", seen=result.find_ratio(ROSQ, "drain_per_s", BULL), limit=2),
        Target(
            sentence="drain, of the best Python peer that keeps a killed worker's job and holds one",
            seen=best,
            limit=6,
            note=name,
        ),
        Target(sentence="drain, of the floor by redis-py", seen=result.find_ratio(ROSQ, "drain_per_s"), limit=0.8),
        Target(
            sentence="drain, of the floor over a socket: the next mark",
            seen=result.find_ratio(ROSQ, "drain_per_s", FLOOR_SOCKET),
            limit=None,
        ),
    ]


def _enqueue(result: Result) -> list[Target]:
    best, name = _against_best(result, "bulk_per_s", _list_peers())
    return [
        Target(sentence="enqueue one, of Bull on Node", seen=result.find_ratio(ROSQ, "enqueue_per_s", BULL), limit=1.3),
        Target(
            sentence="enqueue one, of a bare XADD by redis-py", seen=result.find_ratio(ROSQ, "enqueue_per_s"), limit=0.7
        ),
        Target(sentence="enqueue many, of the best peer's bulk call", seen=best, limit=6, note=name),
        Target(
            sentence="enqueue many, of bare XADDs pipelined by 500",
            seen=result.find_ratio(ROSQ, "bulk_per_s"),
            limit=0.6,
        ),
    ]


def _pickup(result: Result) -> list[Target]:
    targets = []
    for part, limit in (("p50", 1.6), ("p99", 2.5)):
        seen = result.find_ratio(ROSQ, f"pickup_{part}_ms")
        sentence = f"pickup {part}, of a bare XREADGROUP BLOCK"
        targets.append(Target(sentence=sentence, seen=seen, limit=limit, is_ceiling=True))
    for part in ("p50", "p99"):
        best, name = _against_best(result, f"pickup_{part}_ms", _list_peers(), is_ceiling=True)
        sentence = f"pickup {part}, of the soonest peer"
        targets.append(Target(sentence=sentence, seen=best, limit=1, is_ceiling=True, note=name))
    return targets


def _server(result: Result) -> list[Target]:
    life = "server CPU of a job's whole life"
    of_floor, of_bull = result.find_ratio(ROSQ, "life_server_us"), result.find_ratio(ROSQ, "life_server_us", BULL)
    targets = [
        Target(sentence=f"{life}, of the floor's", seen=of_floor, limit=1.5, is_ceiling=True),
        Target(sentence=f"{life}, of Bull's", seen=of_bull, limit=0.75, is_ceiling=True),
    ]
    for figure, what in (("enqueue", "enqueue"), ("drain", "run")):
        seen = result.find_spread(ROSQ, f"{figure}_round_trips")
        sentence = f"round trips to {what} a job"
        targets.append(Target(sentence=sentence, seen=seen, limit=_ONE, is_ceiling=True, unit=""))
    return targets


def _memory(result: Result) -> list[Target]:
    return [
        Target(
            sentence=f"memory of a waiting job with {what}",
            seen=result.find_spread(ROSQ, figure),
            limit=limit,
            is_ceiling=True,
            unit=" bytes",
        )
        for figure, what, limit in (("memory_payload", "100 bytes", 320), ("memory_pointer", "a pointer", 250))
    ]


def _lateness(result: Result) -> list[Target]:
    others = result.find_median(ROSQ, "delay_others")
    return [
        Target(
            sentence="delayed jobs start after their time, p99, 100,000 others delayed",
            seen=result.find_spread(ROSQ, "delay_p99_ms") if others == 100_000 else None,
            limit=20,
            is_ceiling=True,
            unit=" ms",
        ),
        Target(
            sentence="a killed worker's job starts again, its lease 5 s",
            seen=result.find_spread(ROSQ, "recovery_s"),
            limit=None,
            unit=" s",
        ),
    ]


def _distance(result: Result) -> list[Target]:
    targets = []
    for round_trip_ms in result.about["round_trips_ms"]:
        name = name_distance(round_trip_ms)
        where = f"with {round_trip_ms:g} ms in between"
        ping = result.find_median(ROSQ, f"ping_{name}_ms")
        best, peer = _against_best(result, f"drain_{name}_per_s", _list_peers())
        for step, limit in (("drain", _OF_WIRE), ("enqueue one", None)):
            targets.append(
                Target(
                    sentence=f"{step} {where}, of one a round trip",
                    seen=result.find_spread(ROSQ, f"{step.split()[0]}_{name}_of_wire"),
                    limit=limit,
                    note=f"PING takes {ping:.3f} ms" if ping is not None else "",
                )
            )
        targets.append(Target(sentence=f"drain {where}, of the best peer", seen=best, limit=1, note=peer))
    return targets


def _flatness(result: Result) -> list[Target]:
    targets = []
    first = result.about["depths"][0]
    for depth in (100_000, _FULL_DEPTH):
        for figure in ("enqueue", "drain"):
            seen = result.find_ratio(ROSQ, f"{figure}_at_{depth}_server_us", ROSQ, f"{figure}_at_{first}_server_us")
            floor = result.find_ratio(FLOOR, f"{figure}_at_{depth}_server_us", FLOOR, f"{figure}_at_{first}_server_us")
            sentence = f"server CPU of {figure} with {depth:,} waiting, of that with 1,000"
            targets.append(
                Target(
                    sentence=sentence,
                    seen=seen if first == 1_000 else None,
                    limit=_FLAT,
                    is_ceiling=True,
                    note=_of_floor(floor),
                )
            )
    for workers in (10, _FULL_CROWD):
        many, one = f"drain_by_{workers}_server_us", "drain_by_1_server_us"
        targets.append(
            Target(
                sentence=f"server CPU of drain by {workers} workers, of that by one",
                seen=result.find_ratio(ROSQ, many, ROSQ, one),
                limit=_FLAT,
                is_ceiling=True,
                note=_of_floor(result.find_ratio(FLOOR, many, FLOOR, one)),
            )
        )
    return targets


def _lanes(result: Result) -> list[Target]:
    few, many = result.about["lanes"][0], result.about["lanes"][-1]
    targets = []
    for step in ("enqueue", "drain"):
        figures = f"{step}_on_{many}_lanes_server_us", f"{step}_on_{few}_lanes_server_us"
        targets.append(
            Target(
                sentence=f"server CPU of {step} on a queue with {many:,} lanes, of that with {few}",
                seen=result.find_ratio(ROSQ, figures[0], ROSQ, figures[1]),
                limit=_FLAT,
                is_ceiling=True,
                note=_of_floor(result.find_ratio(FLOOR, figures[0], FLOOR, figures[1])),
            )
        )
    return [
        *targets,
        Target(
            sentence=f"with {many:,} lanes no command of producers and workers blocks the server longer than",
            seen=result.find_spread(ROSQ, f"blocks_on_{many}_lanes_ms"),
            limit=5,
            is_ceiling=True,
            unit=" ms",
            note=_in_ms(f"with {few}", result.find_spread(ROSQ, f"blocks_on_{few}_lanes_ms")),
        ),
    ]


def _inspection(result: Result) -> list[Target]:
    is_full = result.find_median(ROSQ, "inspect_depth") == _FULL_DEPTH

    def find(figure: str) -> Spread | None:
        return result.find_spread(ROSQ, figure) if is_full else None

    return [
        Target(
            sentence="with 1,000,000 jobs the slowest view of rosq inspect takes",
            seen=find("inspect_slowest_s"),
            limit=1,
            is_ceiling=True,
            unit=" s",
        ),
        Target(
            sentence="with 1,000,000 jobs no command of rosq inspect blocks the server longer than",
            seen=find("inspect_blocks_ms"),
            limit=5,
            is_ceiling=True,
            unit=" ms",
        ),
        Target(
            sentence="with 1,000,000 jobs no command of producers and workers blocks it longer than",
            seen=find("work_blocks_ms"),
            limit=5,
            is_ceiling=True,
            unit=" ms",
        ),
    ]


def _of_floor(spread: Spread | None) -> str:
    return f"the floor's own: {spread.median:.2f}×" if spread is not None else ""


def _in_ms(what: str, spread: Spread | None) -> str:
    return f"{what}: {spread.median:.2g} ms" if spread is not None else ""


def _list_peers() -> list[str]:
    return [peer.name for peer in CONTENDERS if peer.runtime is not Runtime.OWN]


def _against_best(
    result: Result, figure: str, peers: list[str], *, is_ceiling: bool = False
) -> tuple[Spread | None, str]:
    """The ratio to the peer beside which rosq looks worst, and its name."""
    found = [(ratio, peer) for peer in peers if (ratio := result.find_ratio(ROSQ, figure, peer)) is not None]
    if not found:
        return None, ""
    pick = max if is_ceiling else min
    return pick(found, key=lambda each: each[0].median)
