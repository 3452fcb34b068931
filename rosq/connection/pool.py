"""Connections for calls from many threads: each call has one for itself, and a few are kept for the next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rosq.clock import boot_time_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire

#: Seconds after which an idle connection is looked at before it is used: a server that restarted has closed it.
_TRUSTED_S = 1.0
#: Idle connections that are kept at most: a burst of threads leaves no more behind.
_IDLE_MAX = 8
#: Seconds after which a connection that nobody needed is closed, at the end of whichever call comes then.
_KEPT_S = 60.0


class WirePool:
    """As many wires as calls are made at once.

    It has no lock: one that another thread holds while the process forks would be held in the child for ever.
    """

    def __init__(self, make: Callable[[], Wire]) -> None:
        self._make = make
        #: Wires, and since when they have been idle. The last one is taken first, so the first are those least needed.
        #: Another one after `close`: what was in use by then is given back to the old one.
        self._idle: deque[tuple[Wire, float]] = deque()

    def borrow(self) -> Loan:
        """Give a wire for the time of a `with` block."""
        return Loan(self)

    def close(self) -> None:
        """Drop all connections: those in use as soon as they aren't. A later call opens new ones."""
        idle, self._idle = self._idle, deque()
        _close(idle, 0)

    def take(self) -> tuple[Wire, deque[tuple[Wire, float]]]:
        """Give a wire, and where to give it back to; `borrow` does both."""
        idle = self._idle
        try:
            wire, since_s = idle.pop()
        except IndexError:
            return self._make(), idle
        if wire.is_parents or boot_time_s() - since_s > _TRUSTED_S:
            wire.close_if_stale()
        return wire, idle

    def give_back(self, wire: Wire, idle: deque[tuple[Wire, float]]) -> None:
        """Keep a wire for the next call, or close it where the pool was emptied; close what nobody needs."""
        now_s = boot_time_s()
        idle.append((wire, now_s))
        _close(idle, _IDLE_MAX if idle is self._idle else 0, now_s - _KEPT_S)


def _close(idle: deque[tuple[Wire, float]], most: int, used_since_s: float = 0.0) -> None:
    """Close the first of these wires: all but so many, and those that weren't used since then."""
    try:
        while len(idle) > most or idle[0][1] < used_since_s:
            idle.popleft()[0].close()
    except IndexError:
        # Other threads have taken them meanwhile, or there are none.
        return


class Loan:
    """A wire that is given back at the end of the block, whatever happened in it."""

    __slots__ = ("_idle", "_pool", "_wire")

    def __init__(self, pool: WirePool) -> None:
        self._pool = pool

    def __enter__(self) -> Wire:
        self._wire, self._idle = self._pool.take()
        return self._wire

    def __exit__(self, *_: object) -> None:
        self._pool.give_back(self._wire, self._idle)
