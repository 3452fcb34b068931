"""Wrong passwords and codes in a row, and the lock that they lead to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs


class Guard:
    """Locks an account for a time after so many wrong answers in a row. A login that went through forgives them."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._wrong: Counter[str] = Counter()
        self._locked_until_s: dict[str, float] = {}

    def note_wrong(self, account: str) -> None:
        """A wrong password, or a code that was wrong to the end."""
        self._wrong[account] += 1
        settings = self._knobs.now
        if settings.lock_after and self._wrong[account] >= settings.lock_after:
            self.lock(account, settings.lock_s)

    def note_right(self, account: str) -> None:
        """A login went through."""
        self._wrong.pop(account, None)

    def wrong(self, account: str) -> int:
        """Wrong ones in a row."""
        return self._wrong[account]

    def is_locked(self, account: str) -> bool:
        """Whether nobody may log in to the account now."""
        return self._locked_until_s.get(account, 0.0) > self._clock.elapsed_s()

    def lock(self, account: str, seconds: float) -> None:
        """Lock an account; 0 seconds unlock it and forgive."""
        self._locked_until_s[account] = self._clock.elapsed_s() + seconds
        self._wrong.pop(account, None)
