"""The one clock by which a holder judges its own lease."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: CLOCK_BOOTTIME goes on while the machine sleeps, so a suspended holder finds its lease gone. Where a system has none
#: (macOS), CLOCK_MONOTONIC is the nearest.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

#: Seconds since the machine started, suspended time included; no clock step moves it. Half a dozen times a job, so no
#: function of ours is around it.
boot_time_s: Callable[[], float] = functools.partial(time.clock_gettime, _CLOCK)
