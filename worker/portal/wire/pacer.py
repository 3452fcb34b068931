"""The pause between two calls of one account, and how long to stay away after trouble."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState, Retrying, wait_exponential

from worker.portal.errors import RateLimited

#: Sleeps that many seconds, or raises: a worker passes its delivery's sleep, which raises when the lease is lost.
Sleep = Callable[[float], None]

# After trouble of the portal's: 10 s, 20 s, 40 s ... 10 min.
_OUTAGE_WAIT: Final = wait_exponential(multiplier=10, max=600)
_MAX_SLACK_S: Final = 0.1
_SLACK_SHARE: Final = 0.05
# A rate limit that names no time: at least 5 s, then 30 s, then 5 min.
_LIMIT_STEPS_S: Final = (5.0, 30.0, 300.0)


def boottime_s() -> float:
    """Return seconds since boot, counting the time that the machine slept.

    CLOCK_MONOTONIC stands still in suspend: a pause or an age measured by it would come out too short.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Pacer:
    """Keeps one account from calling the portal too often, from start to start.

    One pacer per account and process. The interval is also kept before the first call: the process before this one
    may have called a moment ago.
    """

    def __init__(
        self,
        min_interval_s: float,
        *,
        patience_s: float = 30.0,
        blocked_pause_s: float = 1800.0,
        clock: Callable[[], float] = boottime_s,
    ) -> None:
        self._interval_s = min_interval_s
        # The interval itself is always slept through, however impatient the setting.
        self._patience_s = max(patience_s, min_interval_s + _MAX_SLACK_S)
        # The portal measures at its end, where this call may arrive late and the next one early.
        self._slack_s = min(_MAX_SLACK_S, _SLACK_SHARE * min_interval_s)
        self._blocked_pause_s = blocked_pause_s
        self._clock = clock
        self._next_at = clock() + min_interval_s
        self._held_until = 0.0
        self._outages = 0
        self._limits = 0

    def remaining_s(self) -> float:
        """Return the seconds until the next call may start; 0 when it may start now."""
        return max(0.0, self._next_at - self._clock(), self._held_s())

    def wait(self, sleep: Sleep) -> None:
        """Return when the next call may start. It doesn't count as started yet: `mark` says so.

        Raises:
            RateLimited: The pause that is left is longer than the patience; nothing was slept.
            Whatever `sleep` raises.
        """
        self._wait_out(self.remaining_s, sleep)

    def wait_held(self, sleep: Sleep) -> None:
        """Return when a call that keeps no interval may start: a pause that the portal asked for binds it as well.

        Raises:
            RateLimited: As for `wait`.
            Whatever `sleep` raises.
        """
        self._wait_out(self._held_s, sleep)

    def mark(self) -> None:
        """Note that a call starts now."""
        self._next_at = max(self._next_at, self._clock() + self._interval_s + self._slack_s)

    def hold(self, seconds: float) -> None:
        """Let no call start for so long; a longer pause that stands already stays."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def note_success(self) -> None:
        """The portal answered as it should: the next trouble starts with the short pauses again."""
        self._outages = 0
        self._limits = 0

    def note_limit(self, retry_after_s: float | None) -> float:
        """Take a rate limit into account and return the seconds to stay away. What the portal names is binding."""
        step_s = _LIMIT_STEPS_S[min(self._limits, len(_LIMIT_STEPS_S) - 1)]
        self._limits += 1
        pause_s = max(step_s if retry_after_s is None else retry_after_s, self._interval_s)
        self.hold(pause_s)
        return pause_s

    def note_outage(self, retry_after_s: float | None = None) -> float:
        """Take an outage into account and return the seconds after which asking again makes sense, growing each time.

        Only what the portal itself names (`retry_after_s`) holds the next call back; otherwise the worker is free to
        try another order's step sooner.
        """
        self._outages += 1
        if retry_after_s is not None:
            self.hold(retry_after_s)
            return retry_after_s
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self._outages
        return float(_OUTAGE_WAIT(state))

    def note_blocked(self, retry_after_s: float | None = None) -> float:
        """Take the web firewall's refusal into account: no call at all for a long while."""
        self._outages += 1
        # Not all accounts of one address should come back in the same second.
        pause_s = max(random.uniform(1, 2) * self._blocked_pause_s, retry_after_s or 0.0)
        self.hold(pause_s)
        return pause_s

    def _held_s(self) -> float:
        return max(0.0, self._held_until - self._clock())

    def _wait_out(self, left_s: Callable[[], float], sleep: Sleep) -> None:
        while (remaining_s := left_s()) > 0:
            if remaining_s > self._patience_s:
                raise RateLimited(
                    f"The portal asked for a pause: the next call may start in {remaining_s:.0f} s.",
                    retry_after_s=remaining_s,
                )
            sleep(remaining_s)
