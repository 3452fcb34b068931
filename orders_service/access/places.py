"""How many calls may be under way at once: of one caller, and of all."""

from __future__ import annotations

import collections
import contextlib
from typing import TYPE_CHECKING, Final

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Who finds no place comes again after so long; nobody knows when one will be free.
_COME_AGAIN_S: Final = 1.0


class Places:
    """Gives each call a place until it has ended.

    Args:
        of_one: Places that one caller may have at once.
        of_all: Places that there are.
    """

    def __init__(self, *, of_one: int, of_all: int) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._taken: collections.Counter[str] = collections.Counter()
        self._all_taken = 0

    @contextlib.contextmanager
    def taken(self, key: str | None) -> Iterator[None]:
        """Have a place within the block.

        Args:
            key: Whose; None: nobody's, so that it counts with all alone.

        Raises:
            TooManyCalls: There is none left, for him or for anybody.
        """
        if self._all_taken >= self._of_all or (key is not None and self._taken.get(key, 0) >= self._of_one):
            raise errors.TooManyCalls(_COME_AGAIN_S)
        self._all_taken += 1
        if key is not None:
            self._taken[key] += 1
        try:
            yield
        finally:
            self._all_taken -= 1
            if key is not None:
                self._taken[key] -= 1
                # Whoever has none isn't remembered.
                if not self._taken[key]:
                    del self._taken[key]
