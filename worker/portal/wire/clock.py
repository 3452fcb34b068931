"""The clock of all pauses here."""

from __future__ import annotations

import time


def boottime_s() -> float:
    """Return seconds since boot, counting the time that the machine slept.

    CLOCK_MONOTONIC stands still in suspend: a pause or an age measured by it would come out too short.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
