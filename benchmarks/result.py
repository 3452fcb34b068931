"""The figures of a run: one value a round, compared round by round."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from benchmarks.contender import FLOOR


@dataclasses.dataclass(slots=True, kw_only=True)
class Result:
    """What was seen; a contender that failed or was left out has its reason instead."""

    about: dict[str, Any]
    #: Contender, figure, round.
    values: dict[str, dict[str, dict[int, float]]] = dataclasses.field(default_factory=dict)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, contender: str, number: int, figures: dict[str, float]) -> None:
        """Note the figures of one round."""
        own = self.values.setdefault(contender, {})
        for name, value in figures.items():
            own.setdefault(name, {})[number] = value

    def find_median(self, contender: str, figure: str) -> float | None:
        """Return the median of all rounds; None if it was never measured."""
        values = self.values.get(contender, {}).get(figure)
        return statistics.median(values.values()) if values else None

    def find_ratio(
        self, contender: str, figure: str, other: str = FLOOR, other_figure: str | None = None
    ) -> float | None:
        """Return how many times the other's figure this one is: the median of the ratios within each round, since the
        machine's speed changes from round to round."""
        mine = self.values.get(contender, {}).get(figure, {})
        theirs = self.values.get(other, {}).get(other_figure or figure, {})
        ratios = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
        return statistics.median(ratios) if ratios else None

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """What `to_json` wrote."""
        values = {
            contender: {name: {int(number): value for number, value in rounds.items()} for name, rounds in own.items()}
            for contender, own in data["values"].items()
        }
        return cls(about=data["about"], values=values, skipped=data["skipped"])
