"""A few jobs by which a loss of the queue's data is noticed, without comparing all orders with it."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Each is asked for every time, so few; old and new ones, since a failover forgets the latest.
_MOST: Final = 8


class Witnesses:
    """Orders whose jobs were live when they were last seen: where one of an open order is gone, more are."""

    def __init__(self) -> None:
        self._ids: collections.deque[int] = collections.deque(maxlen=_MOST)

    @property
    def ids(self) -> list[int]:
        """The orders to ask for."""
        return list(self._ids)

    def add(self, order_ids: Iterable[int]) -> None:
        """Take these in place of the oldest ones."""
        for order_id in order_ids:
            if order_id not in self._ids:
                self._ids.append(order_id)

    def drop(self, order_ids: Iterable[int]) -> None:
        """Ask for these no more: their orders are over."""
        for order_id in set(order_ids).intersection(self._ids):
            self._ids.remove(order_id)
