"""The portal's limits for one account: an interval from start to start, and so many calls a Moscow day."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from worker.simulator import errors
from worker.simulator.clock import MOSCOW

if TYPE_CHECKING:
    from datetime import date

    from worker.simulator.clock import Clock


class Pace:
    """Refuses calls that come too soon or are too many; a refused call counts for neither limit."""

    def __init__(self, clock: Clock, *, min_interval_s: float, daily_quota: int) -> None:
        self._clock = clock
        self._min_interval_s = min_interval_s
        self._daily_quota = daily_quota
        self._last_s: dict[str, float] = {}
        self._today: dict[str, tuple[date, int]] = {}

    def admit(self, account: str, started_s: float) -> None:
        """Let a call pass that started at this monotonic time.

        Raises:
            Refusal: 429, with the seconds to wait.
        """
        wait_s = self._last_s.get(account, -math.inf) + self._min_interval_s - started_s
        # Calls side by side may be admitted in another order than they began; without a limit that is nobody's fault.
        if self._min_interval_s and wait_s > 0:
            raise errors.Refusal(429, "Превышен интервал между запросами", retry_after_s=max(1, math.ceil(wait_s)))
        now = self._clock.now().astimezone(MOSCOW)
        day, used = self._today.get(account, (now.date(), 0))
        if day != now.date():
            used = 0
        if self._daily_quota and used >= self._daily_quota:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise errors.Refusal(
                429,
                "Превышено количество запросов за сутки",
                retry_after_s=math.ceil((midnight - now) / timedelta(seconds=1)),
            )
        self._last_s[account] = started_s
        self._today[account] = (now.date(), used + 1)
