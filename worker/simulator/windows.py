"""Windows of Moscow time, by the day of the week where one is named: when the portal shows its maintenance page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING

from worker.simulator.clock import MOSCOW

if TYPE_CHECKING:
    from datetime import datetime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From a time of the day to another; past midnight where the end comes first."""

    text: str
    #: Days on which it begins, Monday 0; every day where none is named.
    days: frozenset[int]
    start: time
    end: time

    def covers(self, moment: datetime) -> bool:
        """Whether it is open at this moment; its end is outside."""
        local = moment.astimezone(MOSCOW)
        today, now = local.weekday(), local.time()
        if self.start <= self.end:
            return today in self.days and self.start <= now < self.end
        yesterday = (local - timedelta(days=1)).weekday()
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)


def window_of(text: str) -> Window:
    """Read `02:00-04:30`, or `sat,sun@00:00-09:00`.

    Raises:
        ValueError: With a sentence that says how one is written.
    """
    days, at, hours = text.strip().rpartition("@")
    start, _, end = hours.partition("-")
    named = [day.strip().lower() for day in days.split(",")] if at else list(_DAYS)
    try:
        return Window(
            text=text,
            days=frozenset(_DAYS.index(day) for day in named),
            start=time.fromisoformat(start.strip()),
            end=time.fromisoformat(end.strip()),
        )
    except ValueError as exc:
        raise ValueError(
            f"{text!r} is not HH:MM-HH:MM or DAY,DAY@HH:MM-HH:MM, such as 02:00-04:30 or sat,sun@00:00-09:00"
        ) from exc
