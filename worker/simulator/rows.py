"""Rows of «Мои заявки» that are odd: printed otherwise than they are, or that belong to no order at all.

Kept in memory alone: a restart forgets them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.simulator.faults.patching import changed

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralRow:
    """A row that is shown to the letter; it has no file and no charge."""

    content: object
    #: Before all others, or after them.
    is_first: bool = True

    def fits(self, request_number: str, cadastral_number: str) -> bool:
        """Whether a filter shows it: by its own numbers, where it has such."""
        own = self.content if isinstance(self.content, dict) else {}
        return request_number in ("", own.get("requestNumber")) and cadastral_number in (
            "",
            own.get("cadastralNumber"),
        )


@dataclass(slots=True)
class OddRows:
    """What is odd, by account and by order."""

    literal: dict[str, list[LiteralRow]] = field(default_factory=dict)
    _printed: dict[int, tuple[Mapping[str, object], tuple[str, ...]]] = field(default_factory=dict)

    def bend(self, application_id: int, *, set_: Mapping[str, object], drop: tuple[str, ...]) -> None:
        """Print an order's row with other values, or without some, from now on."""
        self._printed[application_id] = (set_, drop)

    def printed(self, application_id: int, row: dict[str, object]) -> object:
        """The row as it is printed."""
        if application_id not in self._printed:
            return row
        set_, drop = self._printed[application_id]
        return changed(row, set_=set_, drop=drop)
