"""What was seen, and what is to be reached."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.result import Spread
from benchmarks.targets import Target


@dataclasses.dataclass(slots=True)
class Figures:
    """Values of each figure, one a round."""

    values: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Note what a round saw."""
        self.values.setdefault(name, []).append(value)

    def find(self, name: str) -> Spread | None:
        """A figure over all rounds; None where it wasn't measured."""
        return Spread.of(self.values.get(name, []))

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {"values": self.values, "targets": [target.to_json() for target in list_targets(self)]}


#: Figure, what it says, its limit, whether that is the most, and its unit.
_TARGETS: tuple[tuple[str, str, float, bool, str], ...] = (
    ("bulk of COPY", "10,000 orders in one call, of COPY of the same rows", 0.4, False, "×"),
    ("bulk of COPY, beside the relay", "the same while the relay runs", 0.4, False, "×"),
    ("one of INSERT", "one order, of a bare INSERT, at the median", 2.0, True, "×"),
    ("list of few", "list and search with so many orders, p99, of that with 10,000", 2.0, True, "×"),
    ("relay of enqueue", "the relay, of bare enqueue_many", 0.5, False, "×"),
    ("relay of enqueue, old snapshot", "the same beside an old snapshot of the database", 0.5, False, "×"),
    ("reconciler share", "the reconciler with 50,000 open orders and nothing lost, of a core", 0.05, True, ""),
    ("back after loss, s", "10,000 open orders back on a queue that lost its data", 2.0, True, " s"),
    ("gate of alone", "the gate beside three bulk calls, p99, of that alone", 3.0, True, "×"),
)


def list_targets(figures: Figures) -> list[Target]:
    """Hold every target against the figures."""
    return [
        Target(sentence=sentence, seen=figures.find(name), limit=limit, is_ceiling=is_ceiling, unit=unit)
        for name, sentence, limit, is_ceiling, unit in _TARGETS
    ]
