"""How long ago a time was, and how long it is yet: the one place where times are compared.

All times are the server's. Where its clock was set back, what it wrote before lies in the future: how long ago that was
nobody knows, so it is said as unknown, never as a number below 0; and that the clock was set back is a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosq.inspect.finding import WARNING, Finding
from rosq.inspect.view import at
from rosq.inspect.words import duration
from rosq.store.fields import read_entry_ms, read_ms

if TYPE_CHECKING:
    from datetime import datetime

    from rosq.store.keys import Keys

#: Seconds by which times may differ that were read one after another.
MARGIN_S = 1.0
#: How long a lease stands where nobody says it: what a worker has unless it is set otherwise.
_LEASE_S = 30.0


def span_s(begin: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one time to another, never below 0; None where one isn't known, or the clock was set back in
    between."""
    if begin is None or end is None:
        return None
    seconds = (end - begin).total_seconds()
    return None if seconds < -MARGIN_S else max(seconds, 0.0)


def left_s(until: datetime | None, now: datetime) -> float | None:
    """Seconds until a time that was set for something; below 0 where it is past. None where there is none."""
    return None if until is None else (until - now).total_seconds()


def find_set_back(client: Any, keys: Keys, now: datetime) -> float | None:
    """By how many seconds the server's clock was set back, as far as the queue's newest event and sign of life tell;
    None where it wasn't, or has caught up."""
    pipe = client.pipeline(transaction=False)
    pipe.xrevrange(keys.events, count=1)
    pipe.zrevrange(keys.workers, 0, 0, withscores=True)
    events, workers = pipe.execute()
    newest_ms = max(
        (read_entry_ms(events[0][0]) if events else None) or 0, (read_ms(workers[0][1]) if workers else None) or 0
    )
    ahead_s = (at(newest_ms / 1000) - now).total_seconds()
    return ahead_s if ahead_s > MARGIN_S else None


def is_overlong(lease_left_s: float | None, lease_ms: str | None, set_back_s: float | None) -> bool:
    """Whether a lease stands for longer than a lease can: the clock was set back after it was given.

    Args:
        lease_ms: How long its holder's leases are; None where the holder is gone, so that only a clock that is known to
            be set back makes a lease too long.
    """
    if lease_left_s is None or (lease_ms is None and set_back_s is None):
        return False
    longest_s = (read_ms(lease_ms) or _LEASE_S * 1000) / 1000
    return lease_left_s > longest_s + MARGIN_S


def tell_set_back(set_back_s: float) -> Finding:
    """Say it, with what follows from it."""
    return Finding(
        level=WARNING,
        subject="clock",
        seen=f"The server's clock was set back: what it wrote last is {duration(set_back_s)} in the future.",
        advice="Until it has caught up, jobs of dead workers and delayed ones wait that much longer, and how long ago "
        "something was can't be said. Let the clock be slewed (chrony, ntpd -x), not stepped.",
    )
