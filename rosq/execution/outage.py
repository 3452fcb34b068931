"""What a read loop knows about Redis being away: since when, and how long to rest before the next attempt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import tenacity

from rosq import facts
from rosq.clock import boot_time_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.errors import ServerUnreachable
    from rosq.execution.hook_calls import HookCalls

log = logging.getLogger(__name__)


class Outage:
    """Counts failures in a row, and says once when Redis goes away and once when it is back.

    Args:
        worker_facts: Which worker it is, for the log.
        max_backoff_s: The longest pause between two attempts, in seconds.
        hook_calls: Told of both.
    """

    def __init__(self, worker_facts: Mapping[str, object], max_backoff_s: float, hook_calls: HookCalls | None) -> None:
        self._facts = worker_facts
        self._backoff = tenacity.wait_random_exponential(multiplier=0.05, max=max_backoff_s)
        self._hook_calls = hook_calls
        self._failures = 0
        self._since_s: float | None = None

    def note_failure(self, error: ServerUnreachable, longest_s: float) -> float:
        """No usable answer came: return how many seconds to rest, `longest_s` at most."""
        if self._since_s is None:
            self._since_s = boot_time_s()
            if self._hook_calls is not None:
                self._hook_calls.redis_away(error)
        pause_s = self.next_pause_s(longest_s)
        log.warning(
            "Redis gives no answer; trying again",
            extra={"event": "redis_away", **self._facts, "delay_s": pause_s, **facts.of_error(error)},
        )
        return pause_s

    def next_pause_s(self, longest_s: float) -> float:
        """Seconds to rest after one more round that failed, `longest_s` at most."""
        self._failures += 1
        state = tenacity.RetryCallState(retry_object=tenacity.Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = self._failures
        return min(self._backoff(state), max(longest_s, 0.0))

    def note_answer(self) -> None:
        """Redis answered what it was asked. Pauses go on growing until a whole round has gone well."""
        if self._since_s is None:
            return
        away_s, self._since_s = boot_time_s() - self._since_s, None
        log.info("Redis answers again", extra={"event": "redis_back", **self._facts, "duration_s": away_s})
        if self._hook_calls is not None:
            self._hook_calls.redis_back(away_s)

    def note_round(self) -> None:
        """A round went well to its end: the next failure is the first one."""
        self._failures = 0
