"""Whether "not found" may be believed: a search that works badly says it of everything, in the right shape."""

from __future__ import annotations

from typing import Final

#: So many different orders in a row without an object: then the search itself is in doubt.
SEVERAL: Final = 3


class Witness:
    """What this process saw the portal's search find. A restart forgets it, which costs one reading of the list."""

    def __init__(self) -> None:
        #: In the portal's spelling; None: nothing yet.
        self.last_found: str | None = None
        self._not_found: set[int] = set()

    def note_found(self, cad_num: str) -> None:
        """The search found something: it works."""
        self.last_found = cad_num
        self._not_found.clear()

    def is_search_doubtful(self, order_id: int) -> bool:
        """Note that nothing was found for an order; return whether too many orders had no object since one had."""
        self._not_found.add(order_id)
        return len(self._not_found) >= SEVERAL
