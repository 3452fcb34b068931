"""The whole way of a file: table, columns, rows, keys; and what a person should look at before ordering."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import cadastral
from orders_service.orders.order_file.headers import HEADINGS, field_of, find_header
from orders_service.orders.order_file.keys import derive_keys
from orders_service.orders.order_file.rows import BadRow, Columns, OrderRow, read_row
from orders_service.orders.order_file.tables import FileUnreadable, Row, Table, read_table
from orders_service.orders.validation import MAX_ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TITLE: Final = 60
#: Titles, and the headings below them.
_LOOKED_AT: Final = 31
#: No table has a column of a larger number.
_MAX_DIGITS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What was taken for what: for a person to look at before anything is ordered.

    Attributes:
        kind: `CSV` or `XLSX`.
        encoding, separator: Of a CSV; empty for a workbook.
        sheet: Of a workbook; empty for a CSV.
        header: Where the headings stand, as `line 1`; empty where there are none.
        columns: The heading of the column that was taken for each field; the column's number where it has none.
        left_out: Headings of columns that weren't taken.
        repeated: How many rows name an object that an earlier one names too: each is an order, and costs one.
        derived_keys: How many rows were given a key, having none of their own.
    """

    kind: str
    encoding: str
    separator: str
    sheet: str
    header: str
    columns: dict[str, str]
    left_out: tuple[str, ...]
    repeated: int
    derived_keys: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderFile:
    """What stands in the file: the orders of its good rows, and every bad row. Nothing is ordered while one is bad."""

    rows: tuple[OrderRow, ...]
    bad_rows: tuple[BadRow, ...]
    preview: Preview


def read_order_file(
    content: bytes,
    name: str,
    *,
    column: str = "",
    sheet: str = "",
    encoding: str = "",
    recipient: str = "",
    batch: str = "",
) -> OrderFile:
    """Read the orders of a CSV or XLSX.

    A CSV may be in UTF-8, UTF-16 or a Russian encoding of old, its cells parted by `;`, `,`, a tab or `|`, with
    Excel's `sep=` line or without. Headings may be Russian or English, in any order, below titles; columns that aren't
    known are left out and told. Without headings the file may have one column, of numbers. Each row without a key of
    its own is given one (see `derive_keys`).

    Args:
        name: The file's name: for messages.
        column: The column of the number, by its heading or its number from 1: where the heading isn't known.
        sheet: Of a workbook, where several hold something.
        encoding: Of a CSV, where what was found isn't right.
        recipient: Of rows that name none.
        batch: A name of this round of orders: another one orders the same rows anew.

    Raises:
        FileUnreadable: It is no such table, or it can't be told which column is the number; says what to do.
    """
    try:
        table = read_table(content, encoding=encoding, sheet=sheet)
        columns, header = _find_columns(table, column)
        body = table.rows[header + 1 :] if header is not None else table.rows
        if not body:
            raise FileUnreadable("it holds no order below its headings." if table.rows else "it holds no order.")
        if len(body) > MAX_ORDERS:
            raise FileUnreadable(f"it holds {len(body):,} orders, more than {MAX_ORDERS:,}: split it.")
    except FileUnreadable as exc:
        raise FileUnreadable(f"{name}: {exc}") from exc
    rows: list[OrderRow] = []
    bad: list[BadRow] = []
    for row in body:
        read = read_row(row, columns, f"{name}, {table.row_name} {row.number}", separator=table.separator)
        if isinstance(read, OrderRow):
            order = dataclasses.replace(read.order, recipient=read.order.recipient or recipient)
            rows.append(dataclasses.replace(read, order=order))
        else:
            bad += read
    keyed, derived = _with_keys(rows, batch)
    objects = collections.Counter(cadastral.find_key(row.order.cad_num) for row in rows)
    preview = Preview(
        kind=table.kind,
        encoding=table.encoding,
        separator=table.separator,
        sheet=table.sheet,
        header=f"{table.row_name} {table.rows[header].number}" if header is not None else "",
        columns={field: _title(columns, place) for field, place in columns.places.items()},
        left_out=tuple(
            title for place, title in enumerate(columns.titles) if title and place not in columns.places.values()
        ),
        repeated=len(rows) - len(objects),
        derived_keys=derived,
    )
    return OrderFile(rows=keyed, bad_rows=tuple(bad), preview=preview)


def _with_keys(rows: Sequence[OrderRow], batch: str) -> tuple[tuple[OrderRow, ...], int]:
    # A row with a key of its own counts for nothing here: whoever edits it gives no other row another key.
    keyless = [row for row in rows if not row.order.idempotency_key]
    keys = iter(derive_keys([(row.order.cad_num, row.order.recipient) for row in keyless], batch=batch))
    keyed = tuple(
        row
        if row.order.idempotency_key
        else dataclasses.replace(row, order=dataclasses.replace(row.order, idempotency_key=next(keys)))
        for row in rows
    )
    return keyed, len(keyless)


def _find_columns(table: Table, wanted: str) -> tuple[Columns, int | None]:
    """Tell which column is which, and at which index the headings stand.

    Raises:
        FileUnreadable: It can't be told.
    """
    rows = table.rows
    if not rows:
        return Columns(places={"cad_num": 0}, titles=()), None
    if wanted.strip():
        return _take_column(rows, wanted)
    header = find_header(rows)
    if header is not None:
        return _read_headings(rows[header].cells), header
    width = max(sum(map(bool, row.cells)) for row in rows)
    filled = {place for row in rows for place, cell in enumerate(row.cells) if cell}
    if len(filled) == 1:
        # Numbers one below the other. What stands above the first, and has no digit, is a heading.
        is_headed = not any(map(str.isdigit, "".join(rows[0].cells)))
        titles = rows[0].cells if is_headed else ()
        return Columns(places={"cad_num": filled.pop()}, titles=titles), 0 if is_headed else None
    raise FileUnreadable(_tell_unknown(rows, width))


def _read_headings(titles: tuple[str, ...], *, number: int | None = None) -> Columns:
    """Tell by the headings which column is which; `number` is the number's column, where a person has said it.

    Raises:
        FileUnreadable: Two columns may be the same thing.
    """
    places: dict[str, int] = {} if number is None else {"cad_num": number}
    for place, title in enumerate(titles):
        field = field_of(title)
        if field is None or (number is not None and (field == "cad_num" or place == number)):
            continue
        if field in places:
            raise FileUnreadable(
                f"two of its columns may be «{HEADINGS[field][0]}» ({_quote(titles[places[field]])}, {_quote(title)}): "
                + ("rename one." if number is not None else "rename one, or say which column holds the number.")
            )
        places[field] = place
    return Columns(places=places, titles=titles)


def _take_column(rows: Sequence[Row], wanted: str) -> tuple[Columns, int | None]:
    """Take the column that the person names, by its number or its heading; the others by their headings, as ever.

    Raises:
        FileUnreadable: There is no such column, or which one is meant can't be told.
    """
    wanted = wanted.strip()
    #: Headings stand above the first number. Below it a cell is no heading, whatever it holds.
    numbered = (index for index, row in enumerate(rows) if any(cadastral.find_key(cell) for cell in row.cells))
    above = rows[: min(next(numbered, _LOOKED_AT), _LOOKED_AT)]
    if wanted.isascii() and wanted.isdigit():
        # Digits are always the column's place: a table has digits in its rows, and may have them below its headings.
        place = int(wanted) - 1 if len(wanted) <= _MAX_DIGITS else -1
        if place < 0 or not any(place < len(row.cells) and row.cells[place] for row in rows):
            raise FileUnreadable(f"it has nothing in column {wanted}.")
        index = _find_headings(rows, above, place)
        return _read_headings(rows[index].cells if index is not None else (), number=place), index
    for index, row in enumerate(above):
        matching = [place for place, cell in enumerate(row.cells) if cell and cell.casefold() == wanted.casefold()]
        if len(matching) > 1:
            raise FileUnreadable(
                f"{len(matching)} of its columns are called {_quote(wanted)}: say which by its number, from 1."
            )
        if matching:
            return _read_headings(row.cells, number=matching[0]), index
    headings = ", ".join(_quote(cell) for cell in (above[-1] if above else rows[0]).cells if cell)
    raise FileUnreadable(f"it has no column {_quote(wanted)}; its headings are {headings}.")


def _find_headings(rows: Sequence[Row], above: Sequence[Row], place: int) -> int | None:
    """Return the index of the headings above the numbers of this column; None: there are none.

    It is the row with the most headings that are known, the lowest of such; where none is known, what stands above the
    column's first digit. A row with a digit in this column is no row of headings: it is meant as an order, whatever is
    wrong with its number.
    """
    known = [
        sum(field_of(cell) is not None for cell in row.cells) if not _has_digit(row, place) else 0 for row in above
    ]
    if any(known):
        return max(range(len(known)), key=lambda index: (known[index], index))
    first = next((index for index, row in enumerate(rows) if _has_digit(row, place)), 0)
    return first - 1 if first else None


def _has_digit(row: Row, place: int) -> bool:
    return place < len(row.cells) and any(map(str.isdigit, row.cells[place]))


def _tell_unknown(rows: Sequence[Row], width: int) -> str:
    counts = collections.Counter(
        place for row in rows for place, cell in enumerate(row.cells) if cadastral.find_key(cell)
    )
    known = f"name it «{HEADINGS['cad_num'][0]}» (or cad_num) in the file's first line"
    if not counts:
        return f"none of its {width} columns has a heading that is known or holds cadastral numbers: {known}."
    place, count = counts.most_common(1)[0]
    title = rows[0].cells[place] if place < len(rows[0].cells) and not cadastral.find_key(rows[0].cells[place]) else ""
    looks = f"column {place + 1}" + (f" ({_quote(title)})" if title else "")
    if len(counts) > 1:
        looks = "columns " + " and ".join(str(one + 1) for one in sorted(counts))
        return f"its headings aren't known, and {looks} look like cadastral numbers: {known}, or say which it is."
    return (
        f"its headings aren't known; {looks} looks like cadastral numbers ({count} rows): {known}, or say that it is "
        "this column."
    )


def _title(columns: Columns, place: int) -> str:
    title = columns.titles[place] if place < len(columns.titles) else ""
    return title or f"column {place + 1}"


def _quote(title: str) -> str:
    return f"«{title if len(title) <= _MAX_TITLE else title[: _MAX_TITLE - 1] + '…'}»"
