"""The times that the simulator knows: its own, which may be put forward, and the machine's, which a client shares."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

#: The portal lives by Moscow time: dates in request numbers, the daily quota, the maintenance window.
MOSCOW = timezone(timedelta(hours=3), "MSK")


class Clock:
    """The machine's clocks behind one object, and how far the portal's life is ahead of them."""

    def __init__(self) -> None:
        #: A test puts it up, to see tomorrow today. It never goes back.
        self.ahead_s = 0.0

    def now(self) -> datetime:
        """The portal's wall time, aware, UTC: what it keeps and what Moscow's day follows from."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def elapsed_s(self) -> float:
        """Seconds that never go back, by which the portal's own times run out: sessions, codes, intervals."""
        return time.monotonic() + self.ahead_s

    def monotonic_s(self) -> float:
        """As `time.monotonic()` of any process on this machine: for the log of calls."""
        return time.monotonic()

    def client_s(self) -> float:
        """Seconds since 1970 as a client's clock has them: one-time codes follow from that one."""
        return time.time()


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, the way the portal prints dates in its JSON."""
    return int(moment.timestamp() * 1000)
