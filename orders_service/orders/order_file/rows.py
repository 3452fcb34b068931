"""Rows to orders: what each asks for, or every rule that it breaks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import cadastral
from orders_service.orders.order_file.headers import HEADINGS
from orders_service.orders.validation import TEXT_LIMITS, WantedOrder, broken_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orders_service.orders.order_file.tables import Row

_YES: Final = frozenset({"1", "true", "yes", "y", "да", "+", "срочно"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "нет", "-"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order, and where in the file it stands: for messages."""

    order: WantedOrder
    where: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that orders nothing as it is.

    Attributes:
        where: Its place, as `orders.csv, line 3`.
        column: The heading of the cell that breaks a rule, or the field's name where it has none.
        text: What stands there, cut to a readable length.
        reason: One sentence: what is wrong and what to do.
        suggestion: The number that was probably meant, for a person to confirm; empty where there is none.
        parts: The numbers that the cell holds, where it holds several.
    """

    where: str
    column: str
    text: str
    reason: str
    suggestion: str = ""
    parts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where in a row each field stands, and how its column is called."""

    places: Mapping[str, int]
    titles: tuple[str, ...]

    def title(self, field: str) -> str:
        """Return the heading of the field's column."""
        place = self.places.get(field)
        named = place is not None and place < len(self.titles) and self.titles[place]
        return str(named) if named else HEADINGS[field][0]


def read_row(row: Row, columns: Columns, where: str, *, separator: str = "") -> OrderRow | list[BadRow]:
    """Return the row's order, or every rule that it breaks.

    Args:
        separator: Of a CSV: a cell may hold rows that a quote made part of it.
    """
    cells = {field: row.cells[place] if place < len(row.cells) else "" for field, place in columns.places.items()}
    bad: list[BadRow] = []

    def refuse(field: str, reason: str, **more: object) -> None:
        text = _cut(cells.get(field, ""))
        bad.append(BadRow(where=where, column=columns.title(field), text=text, reason=reason, **more))  # type: ignore[arg-type]

    cad_num = ""
    try:
        cad_num = cadastral.parse(cells["cad_num"])
    except cadastral.CadNumError as exc:
        refuse("cad_num", str(exc), suggestion=exc.suggestion or "", parts=exc.parts)
    if columns.titles and any(row.cells[len(columns.titles) :]):
        refuse("cad_num", "The row has more cells than the header has columns: a separator too many?")
    for field, rule in broken_texts({field: cells.get(field, "") for field in TEXT_LIMITS}):
        refuse(field, f"It {rule}")
    for place, text in enumerate(row.cells):
        if separator and _takes_in_rows(text, separator):
            column = columns.titles[place] if place < len(columns.titles) else f"{place + 1}"
            reason = 'The cell takes in rows below it: is a quote (") opened and never closed? Take it out.'
            bad.append(BadRow(where=where, column=column, text=_cut(text), reason=reason))
    urgent = cells.get("is_urgent", "").lower()
    if urgent not in _YES | _NO:
        refuse("is_urgent", f"It must be yes or no (да or нет), not {urgent[:60]!r}.")
    if bad:
        return bad
    order = WantedOrder(
        cad_num=cad_num,
        idempotency_key=cells.get("idempotency_key", ""),
        recipient=cells.get("recipient", ""),
        comment=cells.get("comment", ""),
        is_urgent=urgent in _YES,
    )
    return OrderRow(order=order, where=where)


def _takes_in_rows(text: str, separator: str) -> bool:
    """Whether a cell of several lines holds what looks like rows of the table: orders that would be lost."""
    return any(
        separator in line and any(cadastral.find_key(cell.strip(' "')) for cell in line.split(separator))
        for line in text.splitlines()[1:]
    )


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
