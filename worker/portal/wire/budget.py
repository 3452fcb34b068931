"""The day's calls of one account: so many a day of Moscow, reserved ahead outside of this process.

A block is reserved at a time, so that hardly a call waits for its reservation. A crash loses what was left of it:
too few calls are made then, never too many.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from worker.portal.errors import RateLimited
from worker.portal.wire.pacer import boottime_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.portal.wire.pacer import Sleep

#: So many are reserved at once, where not more are needed.
BLOCK: Final = 10
#: What a new order takes from its search to the reading after its paid call, with a session that has to be bound.
ORDER_CALLS: Final = 12
#: The paid call, and the reading right after it, with a session that died in between.
PAID_CALLS: Final = 8

_MOSCOW_S: Final = 3 * 3600
_DAY_S: Final = 24 * 3600
# Their midnight may be a little later than ours.
_AFTER_MIDNIGHT_S: Final = 1.0
# A day that is over when its answer comes is asked for anew.
_TRIES: Final = 3


class CallLedger(Protocol):
    """Where a day's calls are counted."""

    def reserve(self, calls: int, sleep: Sleep) -> tuple[int, float]:
        """Return how many calls may be made, at most so many, and the seconds until the day ends."""


class LedgerInMemory:
    """For who has no other place: a restart forgets it. The day is that of this machine's clock."""

    def __init__(self, daily_limit: int, *, clock: Callable[[], float] = time.time) -> None:
        self._daily_limit = daily_limit
        self._clock = clock
        self._day = 0
        self._reserved = 0

    @property
    def reserved(self) -> int:
        """How many were reserved on this day."""
        self._turn_day()
        return self._reserved

    def forget(self) -> None:
        """Begin anew: they are counted elsewhere now."""
        self._reserved = 0

    def reserve(self, calls: int, sleep: Sleep) -> tuple[int, float]:
        """Count them."""
        left_s = self._turn_day()
        granted = max(0, min(calls, self._daily_limit - self._reserved))
        self._reserved += granted
        return granted, left_s

    def _turn_day(self) -> float:
        day, since_s = divmod(self._clock() + _MOSCOW_S, _DAY_S)
        if day != self._day:
            self._day, self._reserved = int(day), 0
        return _DAY_S - since_s


class DayBudget:
    """What an account may still call today. One per account and process; not for several threads.

    Args:
        daily_limit: Calls a day; 0: as many as the interval allows, and nothing is counted.
    """

    def __init__(self, daily_limit: int, ledger: CallLedger, *, clock: Callable[[], float] = boottime_s) -> None:
        self._daily_limit = daily_limit
        self._ledger = ledger
        self._clock = clock
        self._left = 0
        self._void_at_s = 0.0

    def need(self, calls: int, sleep: Sleep) -> None:
        """Return once so many calls are ours, to be made whatever happens to the ledger.

        Raises:
            RateLimited: The day doesn't have as many left. What is left stays.
            Whatever the ledger raises.
        """
        if not self._daily_limit:
            return
        day_left_s = 0.0
        for _ in range(_TRIES):
            asked_s = self._clock()
            if asked_s >= self._void_at_s:
                self._left = 0
            if self._left >= calls:
                return
            granted, day_left_s = self._ledger.reserve(max(BLOCK, calls - self._left), sleep)
            if asked_s + day_left_s > self._void_at_s + _DAY_S / 2:
                # Another day began while it was asked: what is left is the one's before.
                self._left = 0
            # From when it was asked: the answer's way makes the day end too early, never too late.
            self._void_at_s = asked_s + day_left_s
            self._left += granted
            if self._clock() < self._void_at_s:
                break
        if self._left < calls:
            raise RateLimited(
                f"Запросов к порталу на сегодня больше не хватает (лимит {self._daily_limit} в сутки,"
                " ROSREESTR_DAILY_LIMIT): учётная запись ждёт полуночи по московскому времени.",
                retry_after_s=day_left_s + _AFTER_MIDNIGHT_S,
            )

    def take(self, sleep: Sleep) -> None:
        """Count a call that starts now.

        Raises:
            As for `need`.
        """
        self.need(1, sleep)
        self._left = max(0, self._left - 1)
