"""The figures of a run: one value a round, compared round by round."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from benchmarks.contender import FLOOR


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure of several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        """None where there is no value."""
        if not values:
            return None
        return cls(median=statistics.median(values), least=min(values), most=max(values))


@dataclasses.dataclass(slots=True, kw_only=True)
class Result:
    """What was seen; a contender that failed or was left out has its reason instead."""

    about: dict[str, Any]
    #: Contender, figure, round.
    values: dict[str, dict[str, dict[int, float]]] = dataclasses.field(default_factory=dict)
    #: By contender, or by contender and part.
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, contender: str, number: int, figures: dict[str, float]) -> None:
        """Note the figures of one round."""
        own = self.values.setdefault(contender, {})
        for name, value in figures.items():
            own.setdefault(name, {})[number] = value

    def why_skipped(self, contender: str, part: str) -> str:
        """Why a contender is left out of a part; empty where it isn't."""
        return self.skipped.get(contender) or self.skipped.get(f"{contender}: {part}", "")

    def find_spread(self, contender: str, figure: str) -> Spread | None:
        """Return a figure over all rounds; None if it was never measured."""
        return Spread.of(list(self.values.get(contender, {}).get(figure, {}).values()))

    def find_median(self, contender: str, figure: str) -> float | None:
        """Return the median of all rounds; None if it was never measured."""
        spread = self.find_spread(contender, figure)
        return spread.median if spread is not None else None

    def find_ratio(
        self, contender: str, figure: str, other: str = FLOOR, other_figure: str | None = None
    ) -> Spread | None:
        """Return how many times the other's figure this one is, of the ratios within each round: the machine's speed
        changes from round to round. None where no round has both."""
        mine = self.values.get(contender, {}).get(figure, {})
        theirs = self.values.get(other, {}).get(other_figure or figure, {})
        return Spread.of([mine[number] / theirs[number] for number in mine if theirs.get(number)])

    def find_ratio_of_best(self, contender: str, figure: str, other: str = FLOOR) -> float | None:
        """Return the ratio of the greatest values of all rounds: what the machine can do where it is left alone."""
        mine, theirs = self.find_spread(contender, figure), self.find_spread(other, figure)
        return mine.most / theirs.most if mine is not None and theirs is not None and theirs.most else None

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
