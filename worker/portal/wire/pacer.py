"""The pause between two calls of one account, and how long to stay away after trouble."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState, Retrying, wait_exponential

from worker.portal.errors import RateLimited

#: Sleeps that many seconds, or raises: a worker passes its delivery's sleep, which raises when the lease is lost.
Sleep = Callable[[float], None]

#: In place of a step's name: trouble of the portal as a whole.
HOST: Final = ""

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
    may have called a moment ago. What is drawn beyond it makes no two pauses alike, and lets workers that start
    together not call together.
    """

    def __init__(
        self,
        min_interval_s: float,
        *,
        jitter_s: float = 0.0,
        patience_s: float = 30.0,
        blocked_pause_s: float = 1800.0,
        clock: Callable[[], float] = boottime_s,
    ) -> None:
        self._interval_s = min_interval_s
        # A pace of half a second isn't meant to become one of two.
        self._jitter_s = min(jitter_s, min_interval_s)
        # Drawn once for each call, however often its start is marked: the longest of several draws isn't even.
        self._drawn_s = self._draw()
        # The interval itself is always slept through, however impatient the setting.
        self._patience_s = max(patience_s, min_interval_s + self._jitter_s + _MAX_SLACK_S)
        # The portal measures at its end, where this call may arrive late and the next one early.
        self._slack_s = min(_MAX_SLACK_S, _SLACK_SHARE * min_interval_s)
        self._blocked_pause_s = blocked_pause_s
        self._clock = clock
        self._next_at = clock() + min_interval_s + self._drawn_s
        self._held_until = 0.0
        # By step: that the search goes well says nothing about the card. Under no step: what is the whole host's.
        self._outages: Counter[str] = Counter()
        self._limits: Counter[str] = Counter()
        self._successes: Counter[str] = Counter()

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
        self._drawn_s = self._draw()

    def wait_held(self, sleep: Sleep) -> None:
        """Return when a call that keeps no interval may start: a pause that the portal asked for binds it as well.

        Raises:
            RateLimited: As for `wait`.
            Whatever `sleep` raises.
        """
        self._wait_out(self._held_s, sleep)

    def mark(self) -> None:
        """Note that a call starts now."""
        self._next_at = max(self._next_at, self._clock() + self._interval_s + self._drawn_s + self._slack_s)

    def hold(self, seconds: float) -> None:
        """Let no call start for so long; a longer pause that stands already stays."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def lift(self) -> None:
        """Forget the pause that was asked for: a person says that the account may go on. The interval stays."""
        self._held_until = 0.0

    def note_success(self, step: str) -> None:
        """The portal answered a step as it should: its next trouble starts with the short pauses again.

        The host's does, too; that of other steps goes on growing.
        """
        self._successes[step] += 1
        for name in (step, HOST):
            del self._outages[name], self._limits[name]

    def successes(self, step: str) -> int:
        """Return how often a step went well: where it didn't in between, trouble came in a row."""
        return self._successes[step]

    def note_limit(self, step: str, retry_after_s: float | None) -> float:
        """Take a rate limit into account and return the seconds to stay away. What the portal names is binding."""
        step_s = _LIMIT_STEPS_S[min(self._limits[step], len(_LIMIT_STEPS_S) - 1)]
        self._limits[step] += 1
        # "At once" is no time at all.
        pause_s = max(retry_after_s or step_s, self._interval_s)
        self.hold(pause_s)
        return pause_s

    def note_outage(self, step: str, retry_after_s: float | None = None) -> float:
        """Take an outage into account and return the seconds after which asking again makes sense, growing each time.

        Only what the portal itself names (`retry_after_s`) holds the next call back; otherwise the worker is free to
        try another order's step sooner.

        Args:
            step: Which call; `HOST`: the portal as a whole.
        """
        self._outages[step] += 1
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self._outages[step]
        grown_s = float(_OUTAGE_WAIT(state))
        if retry_after_s is None:
            return grown_s
        self.hold(retry_after_s)
        # The least, from the second time on: who names a second for hours isn't asked each second.
        return retry_after_s if retry_after_s and self._outages[step] == 1 else max(retry_after_s, grown_s)

    def note_blocked(self, retry_after_s: float | None = None) -> float:
        """Take the web firewall's refusal into account: no call at all for a long while."""
        self._outages[HOST] += 1
        # Not all accounts of one address should come back in the same second.
        pause_s = max(random.uniform(1, 2) * self._blocked_pause_s, retry_after_s or 0.0)
        self.hold(pause_s)
        return pause_s

    def _draw(self) -> float:
        return random.uniform(0.0, self._jitter_s)

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
