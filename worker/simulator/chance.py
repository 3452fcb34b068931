"""Chance that comes out the same again: what the seed, and what is asked about, decide together.

Nothing here depends on which of two calls was first. The third search of an account meets the same latency and the same
faults in every run of a seed, however the calls of other accounts lie between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

from worker.simulator import people

T = TypeVar("T")
_WHOLE = 2.0**128


class Chance:
    """Dice that the seed loads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def share(self, *parts: object) -> float:
        """A number from 0 up to 1 that follows from the parts."""
        return people.digest(self._seed, "chance", *parts) / _WHOLE

    def one_of(self, members: tuple[T, ...], *parts: object) -> T:
        """One of the members, each as likely as any other."""
        return members[min(int(self.share("one of", *parts) * len(members)), len(members) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a time is spread: what stands behind `0.2`, `0.05:0.2`, `exp:600:86400` and `lognormal:1:0.8:120`."""

    #: As it was written; what `--help` and the control API show.
    text: str
    shape: str
    low: float
    high: float
    cap: float = math.inf

    def at(self, share: float) -> float:
        """The time in seconds that belongs to a share from 0 to 1 of all cases."""
        match self.shape:
            case "exp":
                value = -self.low * math.log1p(-share)
            case "lognormal":
                value = self.low * math.exp(self.high * NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12)))
            case _:
                value = self.low + (self.high - self.low) * share
        return min(value, self.cap)


def spread_of(text: str) -> Spread:
    """Read a spread.

    Raises:
        ValueError: With a sentence that says how one is written.
    """
    shape, _, rest = text.partition(":")
    parts = rest.split(":") if shape in ("exp", "lognormal") else text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not numbers or not all(0 <= number < 1e9 for number in numbers):
        raise _unreadable(text)
    match shape, numbers:
        case "exp", [mean, *cap] if len(cap) <= 1:
            return Spread(text=text, shape=shape, low=mean, high=mean, cap=cap[0] if cap else math.inf)
        case "lognormal", [median, sigma, *cap] if len(cap) <= 1 and sigma <= 10:
            return Spread(text=text, shape=shape, low=median, high=sigma, cap=cap[0] if cap else math.inf)
        case "exp" | "lognormal", _:
            raise _unreadable(text)
        case _, [low, high] if low <= high:
            return Spread(text=text, shape="uniform", low=low, high=high)
        case _, [fixed]:
            return Spread(text=text, shape="uniform", low=fixed, high=fixed)
    raise _unreadable(text)


def _unreadable(text: str) -> ValueError:
    return ValueError(
        f"{text!r} is no time in seconds: give S, MIN:MAX (MAX not less than MIN), exp:MEAN[:MAX] or"
        " lognormal:MEDIAN:SIGMA[:MAX], such as 0.05:0.2"
    )
