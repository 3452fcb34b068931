"""Which column is what: by its heading, in Russian or English, never by guessing at money."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orders_service import cadastral

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.orders.order_file.tables import Row

#: The columns that are taken, by the headings that people give them. The first is the one that messages name.
HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "cad_num": (
        "кадастровый номер",
        "cad_num",
        "cad num",
        "cadnum",
        "cadastral_number",
        "cadastral number",
        "кн",
        "к н",
        "кад номер",
        "кад",
        "кадастровый",
        "кадастровый номер объекта",
        "кадастровый номер объекта недвижимости",
        "кадастровый или условный номер",
        "кадастровый условный номер",
        "кадастровый номер ону",
        "кадастровый номер зу",
        "кадастровый номер земельного участка",
        "кадастровый номер помещения",
        "кадастровый номер здания",
    ),
    "idempotency_key": ("ключ", "idempotency_key", "idempotency key", "key", "ключ заказа"),
    "recipient": ("получатель", "recipient", "для кого", "заказчик", "клиент"),
    "comment": ("комментарий", "comment", "примечание", "заметка"),
    "is_urgent": ("срочно", "is_urgent", "is urgent", "urgent", "срочный", "срочность"),
}
_FIELDS: Final = {heading: field for field, headings in HEADINGS.items() for heading in headings}
#: Headings of a number wear marks: `Кад. №`, `К/Н`, `Кадастровый (или условный) номер:`.
_MARKS: Final = re.compile(r"[\s.:;,/\\()«»\"'№*\-–—]+")
#: A report has titles above its table.
_MAX_TITLES: Final = 30


def field_of(cell: str) -> str | None:
    """Return the field that a heading names; None where it isn't known."""
    return _FIELDS.get(_MARKS.sub(" ", cell.lower().replace("ё", "е")).strip())


def find_header(rows: Sequence[Row]) -> int | None:
    """Return the index of the row with a heading of the number: the last one above the first number."""
    found = None
    for index, row in enumerate(rows[: _MAX_TITLES + 1]):
        if any(cadastral.find_key(cell) for cell in row.cells):
            break
        if any(field_of(cell) == "cad_num" for cell in row.cells):
            found = index
    return found


def has_header(rows: Sequence[Row]) -> bool:
    """Whether one of the first rows names the column of the number."""
    return find_header(rows) is not None
