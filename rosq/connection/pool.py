"""Connections for calls from many threads: each call has one for itself, and it is kept for the next."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from rosq.clock import boot_time_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire

#: Seconds after which an idle connection is looked at before it is used: a server that restarted has closed it.
_TRUSTED_S = 1.0


class WirePool:
    """As many wires as calls were made at once. A process that was forked off opens its own."""

    def __init__(self, make: Callable[[], Wire]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._idle: list[tuple[Wire, float]] = []
        self._process_id = os.getpid()
        # Grows when the pool is emptied: a wire that was in use by then isn't taken back.
        self._age = 0

    def borrow(self) -> Loan:
        """Give a wire for the time of a `with` block."""
        return Loan(self)

    def close(self) -> None:
        """Drop all connections: those in use as soon as they aren't. A later call opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._age += 1
        for wire, _ in idle:
            wire.close()

    def take(self) -> tuple[Wire, int]:
        """Give a wire, and the pool's age to give it back with; `borrow` does both."""
        process_id = os.getpid()
        with self._lock:
            if process_id != self._process_id:
                # These sockets are the parent's too: two processes would read each other's answers.
                self._idle, self._process_id = [], process_id
                self._age += 1
            age = self._age
            wire, idle_since_s = self._idle.pop() if self._idle else (self._make(), 0.0)
        if boot_time_s() - idle_since_s > _TRUSTED_S:
            wire.close_if_stale()
        return wire, age

    def give_back(self, wire: Wire, age: int) -> None:
        """Keep a wire for the next call, or close it where the pool was emptied or this process was forked off."""
        with self._lock:
            is_kept = age == self._age and os.getpid() == self._process_id
            if is_kept:
                self._idle.append((wire, boot_time_s()))
        if not is_kept:
            wire.close()


class Loan:
    """A wire that is given back at the end of the block, whatever happened in it."""

    __slots__ = ("_age", "_pool", "_wire")

    def __init__(self, pool: WirePool) -> None:
        self._pool = pool

    def __enter__(self) -> Wire:
        self._wire, self._age = self._pool.take()
        return self._wire

    def __exit__(self, *_: object) -> None:
        self._pool.give_back(self._wire, self._age)
