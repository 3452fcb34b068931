"""Hours of Moscow in which the portal is left alone: an operator's quiet hours, and the portal's maintenance."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Final

from worker.portal.errors import PortalSettingsInvalid, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_S: Final = 24 * 3600
_WEEK_S: Final = 7 * _DAY_S
# The clock begins on a Thursday in London; ours on a Monday in Moscow.
_MONDAY_S: Final = 3 * _DAY_S + 3 * 3600
# Not all accounts should come back in the same second.
_SPREAD_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From a time of the day to another, past midnight where that comes first; in seconds since Monday."""

    text: str
    setting: str
    spans: tuple[tuple[int, int], ...]

    def left_s(self, moment_s: float) -> float:
        """Return how long it goes on; 0 where it isn't open."""
        return max(
            (end - at for start, end in self.spans for at in (moment_s, moment_s + _WEEK_S) if start <= at < end),
            default=0.0,
        )


def read_windows(text: str, setting: str) -> tuple[Window, ...]:
    """Read `23:00-06:00`, or several with days, such as `23:00-06:00; sat,sun@00:00-09:00`. Empty: none.

    Raises:
        PortalSettingsInvalid: Names the setting, and how one is written.
    """
    return tuple(_read_window(part.strip(), setting) for part in text.split(";") if part.strip())


def _read_window(text: str, setting: str) -> Window:
    days, at, hours = text.rpartition("@")
    named = [day.strip().lower() for day in days.split(",")] if at else list(_DAYS)
    try:
        start_s, end_s = (_seconds_of(one) for one in hours.split("-"))
        begins = [_DAYS.index(day) * _DAY_S + start_s for day in named]
    except ValueError as exc:
        raise PortalSettingsInvalid(
            f"{setting}: {text!r} is not HH:MM-HH:MM or DAY,DAY@HH:MM-HH:MM, such as 23:00-06:00 or"
            " sat,sun@00:00-09:00, in Moscow's time; several are separated by semicolons."
        ) from exc
    lasts_s = (end_s - start_s) % _DAY_S
    if not lasts_s:
        raise PortalSettingsInvalid(f"{setting}: {text!r} begins when it ends.")
    return Window(text=text, setting=setting, spans=tuple((begin, begin + lasts_s) for begin in begins))


def _seconds_of(text: str) -> int:
    moment = time_of_day.fromisoformat(text.strip())
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment.hour * 3600 + moment.minute * 60 + moment.second


class Hours:
    """When the portal may be called.

    Raises:
        PortalSettingsInvalid: When built: the windows leave no time at all.
    """

    def __init__(self, windows: tuple[Window, ...], *, clock: Callable[[], float] = time.time) -> None:
        self._windows = windows
        self._clock = clock
        if self._closed(0.0)[0] >= _WEEK_S:
            raise PortalSettingsInvalid("The hours in which the portal is left alone are all that a week has.")

    def check(self) -> None:
        """Return if a call may be made now.

        Raises:
            RateLimited: Not before the hours are over.
        """
        closed_s, window = self._closed((self._clock() + _MONDAY_S) % _WEEK_S)
        if window is not None:
            raise RateLimited(
                f"К порталу сейчас никто не обращается: {window.text} по московскому времени ({window.setting}).",
                retry_after_s=closed_s + random.uniform(1.0, _SPREAD_S),
            )

    def _closed(self, moment_s: float) -> tuple[float, Window | None]:
        closed_s, first = 0.0, None
        while closed_s < _WEEK_S:
            at_s = (moment_s + closed_s) % _WEEK_S
            left_s, window = max(
                ((one.left_s(at_s), one) for one in self._windows), key=lambda pair: pair[0], default=(0.0, None)
            )
            if window is None or not left_s:
                break
            closed_s += left_s
            first = first or window
        return closed_s, first
