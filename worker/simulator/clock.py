"""The two times that the simulator knows: of the wall, for what it keeps, and monotonic, for what it measures."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

#: The portal lives by Moscow time: dates in request numbers, the daily quota, the maintenance window.
MOSCOW = timezone(timedelta(hours=3), "MSK")


class Clock:
    """The machine's clocks behind one object, so that every part reads the same ones."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never go back; comparable with `time.monotonic()` of any process on this machine."""
        return time.monotonic()


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, the way the portal prints dates in its JSON."""
    return int(moment.timestamp() * 1000)
