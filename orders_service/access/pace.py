"""How often somebody may do something: a rate, and some more at once after a rest."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Those that are remembered; who hasn't come for long is forgotten first.
_MAX_KEYS: Final = 10_000


@dataclasses.dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Pace:
    """Lets each key through so often a second, and `burst` times at once after a rest.

    Args:
        per_s: How often; 0: without limit.
        clock: For tests.
    """

    def __init__(self, per_s: float, *, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str) -> float:
        """Count one; return 0 where it is let through, else the seconds after which it would be.

        What isn't let through costs nothing: whoever comes again at the right time is let through then.
        """
        if not self._per_s:
            return 0.0
        now = self._clock()
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            bucket = _Bucket(left=self._burst, at=now)
            if len(self._buckets) >= _MAX_KEYS:
                del self._buckets[next(iter(self._buckets))]
        # Put in last: the order of the dictionary is that of their last coming.
        self._buckets[key] = bucket
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return (1 - bucket.left) / self._per_s
