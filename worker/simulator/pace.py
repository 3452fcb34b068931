"""The portal's limits for calls that count together: an interval from start to start, and so many a Moscow day."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from worker.simulator import answers, errors
from worker.simulator.clock import MOSCOW
from worker.simulator.settings import LimitScope

if TYPE_CHECKING:
    from datetime import date

    from worker.simulator.accounts import Account
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs


class Pace:
    """Refuses calls that come too soon or are too many. Whether a refused one counts is a setting."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._last_s: dict[str, float] = {}
        self._today: dict[str, tuple[date, int]] = {}

    def admit(self, account: Account, started_s: float) -> None:
        """Let a call pass that started at this monotonic time.

        Raises:
            Refusal: 429, with the seconds to wait.
        """
        settings = self._knobs.now
        key = self._key(account)
        now = self._clock.now().astimezone(MOSCOW)
        day, used = self._today.get(key, (now.date(), 0))
        if day != now.date():
            used = 0
        started_s += self._clock.ahead_s
        wait_s = self._last_s.get(key, -math.inf) + settings.min_interval_s - started_s
        # Calls side by side may be admitted in another order than they began; without a limit that is nobody's fault.
        is_soon = settings.min_interval_s > 0 and wait_s > 0
        is_many = settings.daily_quota > 0 and used >= settings.daily_quota
        if not (is_soon or is_many) or settings.limit_refused:
            self._last_s[key] = started_s
            self._today[key] = (now.date(), used + 1)
            wait_s = settings.min_interval_s if settings.limit_refused else wait_s
        if is_many:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise errors.Refusal(
                429,
                "Превышено количество запросов за сутки",
                retry_after_s=math.ceil((midnight - now) / timedelta(seconds=1)),
            )
        if is_soon:
            raise errors.Refusal(429, answers.TOO_SOON, retry_after_s=max(1, math.ceil(wait_s)))

    def _key(self, account: Account) -> str:
        return "" if self._knobs.now.limit_scope is LimitScope.EVERYBODY else account.username
