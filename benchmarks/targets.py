"""What rosq is to reach, held against a result."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from benchmarks.contender import BULL, CONTENDERS, FLOOR, FLOOR_SOCKET, ROSQ, Runtime

if TYPE_CHECKING:
    from benchmarks.result import Result


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One sentence, and how it stands."""

    sentence: str
    #: None where what it needs wasn't measured.
    seen: float | None
    limit: float
    #: Whether less is better.
    is_ceiling: bool = False
    unit: str = "×"

    @property
    def is_met(self) -> bool | None:
        """None where it can't be said."""
        if self.seen is None:
            return None
        return self.seen <= self.limit if self.is_ceiling else self.seen >= self.limit


def list_targets(result: Result) -> list[Target]:
    """Hold every target against the result."""

    def ratio(figure: str, other: str = FLOOR) -> float | None:
        return result.find_ratio(ROSQ, figure, other)

    python = [peer.name for peer in CONTENDERS if peer.runtime is Runtime.VENV and peer.is_safe]
    peers = [peer.name for peer in CONTENDERS if peer.runtime is not Runtime.OWN]
    targets = [
        Target(sentence="drain, of the floor by redis-py", seen=ratio("drain_per_s"), limit=0.8),
        Target(
            sentence="drain, of the floor over a socket (no limit)", seen=ratio("drain_per_s", FLOOR_SOCKET), limit=0
        ),
        Target(sentence="drain, of Bull on Node", seen=ratio("drain_per_s", BULL), limit=2),
        Target(
            sentence="drain, of the best Python peer that keeps a killed worker's job and holds one",
            seen=_least([ratio("drain_per_s", peer) for peer in python]),
            limit=6,
        ),
        Target(sentence="enqueue one, of a bare XADD by redis-py", seen=ratio("enqueue_per_s"), limit=0.7),
        Target(sentence="enqueue one, of Bull on Node", seen=ratio("enqueue_per_s", BULL), limit=1.3),
        Target(sentence="enqueue many, of bare XADDs pipelined by 500", seen=ratio("bulk_per_s"), limit=0.6),
        Target(
            sentence="enqueue many, of the best peer's bulk call",
            seen=_least([ratio("bulk_per_s", peer) for peer in peers]),
            limit=6,
        ),
        Target(
            sentence="pickup p50, of a bare XREADGROUP BLOCK", seen=ratio("pickup_p50_ms"), limit=1.6, is_ceiling=True
        ),
        Target(
            sentence="pickup p99, of a bare XREADGROUP BLOCK", seen=ratio("pickup_p99_ms"), limit=2.5, is_ceiling=True
        ),
        Target(
            sentence="pickup p50, of the best peer",
            seen=_greatest([ratio("pickup_p50_ms", peer) for peer in peers]),
            limit=1,
            is_ceiling=True,
        ),
        Target(
            sentence="server CPU of a job's whole life, of the floor's",
            seen=result.find_ratio(ROSQ, "life_server_us"),
            limit=1.5,
            is_ceiling=True,
        ),
        Target(
            sentence="server CPU of a job's whole life, of Bull's",
            seen=result.find_ratio(ROSQ, "life_server_us", BULL),
            limit=0.75,
            is_ceiling=True,
        ),
    ]
    for figure, what, limit in (("memory_payload", "100 bytes", 320.0), ("memory_pointer", "a pointer", 250.0)):
        seen = result.find_median(ROSQ, figure)
        targets.append(
            Target(sentence=f"memory of a job with {what}", seen=seen, limit=limit, is_ceiling=True, unit=" bytes")
        )
    depths = result.about["depths"]
    for figure in ("enqueue", "drain"):
        # The dearer of the two ends.
        first, last = f"{figure}_at_{depths[0]}_server_us", f"{figure}_at_{depths[-1]}_server_us"
        targets.append(
            Target(
                sentence=f"server CPU of {figure} with {depths[-1]:,} waiting, of that with {depths[0]:,}",
                seen=result.find_ratio(ROSQ, last, ROSQ, first),
                limit=1.15,
                is_ceiling=True,
            )
        )
    return targets


def _least(ratios: list[float | None]) -> float | None:
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _greatest(ratios: list[float | None]) -> float | None:
    return max((ratio for ratio in ratios if ratio is not None), default=None)
