"""The account's calls of the day, counted by the orders service for its person."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from worker.portal.wire.budget import LedgerInMemory
from worker.service.errors import ServiceTooOld

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.portal.wire.pacer import Sleep
    from worker.service.reporter import Reporter

_logger = logging.getLogger(__name__)
#: The most that the service takes at once.
_MAX_CALLS = 1000


class CountedByService:
    """A restart, or another worker, goes on counting. By a service that is older than this, counted in memory instead.

    Args:
        read_epoch: From the account's last opening.
    """

    def __init__(self, reporter: Reporter, username: str, read_epoch: Callable[[], int], daily_limit: int) -> None:
        self._reporter = reporter
        self._username = username
        self._read_epoch = read_epoch
        self._daily_limit = daily_limit
        self._memory = LedgerInMemory(daily_limit)
        self._is_told = False

    def reserve(self, calls: int, sleep: Sleep) -> tuple[int, float]:
        """Return how many calls may be made, and the seconds until the day ends in Moscow."""
        # What an older service couldn't count is told to the newer one that took its place.
        untold = self._memory.reserved
        try:
            granted, day_left_s = self._reporter.reserve_calls(
                self._username,
                self._read_epoch(),
                calls=min(calls + untold, _MAX_CALLS),
                daily_limit=self._daily_limit,
                sleep=sleep,
            )
        except ServiceTooOld:
            if not self._is_told:
                self._is_told = True
                _logger.warning(
                    "the orders service is older than this worker and counts no calls a day: they are counted by this"
                    " process alone, and a restart forgets them; update the service",
                    extra={"event": "calls_uncounted", "daily_limit": self._daily_limit},
                )
            return self._memory.reserve(calls, sleep)
        self._memory.forget()
        self._is_told = False
        return max(0, granted - untold), day_left_s
