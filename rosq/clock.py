"""The one clock by which a holder judges its own lease."""

from __future__ import annotations

import time

#: CLOCK_BOOTTIME goes on while the machine sleeps, so a suspended holder finds its lease gone. Where a system has none
#: (macOS), CLOCK_MONOTONIC is the nearest.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time_s() -> float:
    """Seconds since the machine started, suspended time included; no clock step moves it."""
    return time.clock_gettime(_CLOCK)
