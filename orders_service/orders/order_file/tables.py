"""Bytes of a file to rows of cells: which kind of file it is, how its text is written, what parts its cells."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from typing import TYPE_CHECKING, Final

from orders_service import cadastral, errors
from orders_service.orders.order_file import workbook
from orders_service.orders.order_file.headers import has_header

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Whoever reads a file reads no more than this and one byte.
MAX_FILE_BYTES: Final = 32 << 20

_ENCODINGS_BY_MARK: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
#: What Russian programs write where they don't write UTF-8: Windows, DOS, old Unix.
_EIGHT_BIT: Final = ("cp1251", "cp866", "koi8-r")
_SEPARATORS: Final = (";", ",", "\t", "|")
#: Excel's own first line, which says what parts the cells.
_SEPARATOR_LINE: Final = re.compile(r'\ufeff?"?sep=(.)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
#: `="007"` is how a spreadsheet is told to take no number for one.
_TEXT_FORMULA: Final = re.compile(r'="([^"]*)"')
#: So many lines tell what parts the cells.
_LOOKED_AT: Final = 200

_ZIP: Final = b"PK\x03\x04"
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_PAGE: Final = re.compile(rb"\s*<(?:!doctype|html|table|\?xml)", re.IGNORECASE)


class FileUnreadable(errors.OrdersServiceError):
    """The file is no table that can be read, or its column of numbers can't be told. Says what to do."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells of a line, stripped; `number` is the line's in a text, the row's in a sheet."""

    number: int
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What stands in the file: rows that hold something.

    Attributes:
        kind: `CSV` or `XLSX`.
        encoding: Of a CSV, as Python names it; empty for a workbook.
        separator: Of a CSV; empty for a workbook.
        sheet: Of a workbook; empty for a CSV.
    """

    kind: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    rows: tuple[Row, ...]

    @property
    def row_name(self) -> str:
        """How a place in it is called: `line 3`, or `sheet Лист1, row 3`."""
        return f"sheet {self.sheet}, row" if self.sheet else "line"


def read_table(content: bytes, *, encoding: str = "", sheet: str = "") -> Table:
    """Take the file apart into rows of cells.

    Args:
        encoding: Of a CSV; empty: found out.
        sheet: Of a workbook; empty: the only one that holds numbers.

    Raises:
        FileUnreadable: It is no such file, too large, or damaged.
    """
    if len(content) > MAX_FILE_BYTES:
        raise FileUnreadable(f"it has more than {MAX_FILE_BYTES:,} bytes: split it.")
    if content.startswith(_ZIP):
        return _read_workbook(content, sheet)
    if content.startswith(_OLD_EXCEL):
        raise FileUnreadable("it is a workbook of Excel 97–2003, or a protected one: save it as “.xlsx”, or as CSV.")
    if _PAGE.match(content):
        raise FileUnreadable(
            "it is a web page or XML, whatever its name says: open it in Excel and save it as “.xlsx”."
        )
    if sheet:
        raise FileUnreadable("a CSV has no sheets: leave the sheet out.")
    text, found = _decode(content, encoding)
    if match := _SEPARATOR_LINE.match(text):
        # The line is left in place as an empty one, so that lines keep their numbers.
        text, separator = "\n" + text[match.end() :], match[1]
    else:
        separator = _find_separator(text)
    return Table(kind="CSV", encoding=found, separator=separator, rows=_read_rows(text, separator))


def _read_workbook(content: bytes, wanted: str) -> Table:
    try:
        sheets = workbook.read_sheets(content)
    except workbook.WorkbookUnreadable as exc:
        raise FileUnreadable(str(exc)) from exc
    tables = [
        Table(kind="XLSX", sheet=name, rows=_filled(enumerate(rows, start=1)))
        for name, rows in sheets
        if not wanted or name == wanted
    ]
    filled = [table for table in tables if table.rows]
    names = ", ".join(f"«{name}»" for name, _ in sheets)
    if wanted and not tables:
        raise FileUnreadable(f"it has no sheet «{wanted}»; there are {names}.")
    if len(filled) > 1:
        filled = [table for table in filled if _count_numbers(table.rows) or has_header(table.rows)] or filled
    if len(filled) > 1:
        names = ", ".join(f"«{table.sheet}»" for table in filled)
        raise FileUnreadable(f"several of its sheets may hold orders ({names}): say which.")
    return (filled or tables)[0]


def _decode(content: bytes, wanted: str) -> tuple[str, str]:
    candidates = [wanted] if wanted else _candidates(content)
    texts = []
    for encoding in candidates:
        try:
            texts.append((content.decode(encoding), encoding))
        except UnicodeDecodeError:
            continue
        except LookupError as exc:
            raise FileUnreadable(f"there is no encoding {encoding!r}: utf-8, utf-16 or cp1251 are usual.") from exc
    if not texts:
        what = wanted or "UTF-8, UTF-16 or cp1251"
        raise FileUnreadable(f"it isn't text in {what}: save it as “CSV UTF-8”, or as “.xlsx”.")
    # Any bytes are some text in an old encoding: a heading that is known tells which. Numbers are the same in all.
    known = (one for one in texts if has_header(_read_rows(one[0], _find_separator(one[0]), is_strict=False)))
    text, encoding = next(known, texts[0]) if len(texts) > 1 else texts[0]
    if "\0" in text:
        raise FileUnreadable("it holds NUL characters, so it is no text: save it as “CSV UTF-8”, or as “.xlsx”.")
    return text, encoding.removesuffix("-sig")


def _candidates(content: bytes) -> list[str]:
    for mark, encoding in _ENCODINGS_BY_MARK:
        if content.startswith(mark):
            return [encoding]
    # UTF-16 without its mark: every other byte of digits and separators is NUL.
    head = content[:4000]
    if len(head) >= 4 and head[1::2].count(0) > len(head) // 6:
        return ["utf-16-le"]
    if len(head) >= 4 and head[0::2].count(0) > len(head) // 6:
        return ["utf-16-be"]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return list(_EIGHT_BIT)
    return ["utf-8"]


def _find_separator(text: str) -> str:
    """Find what parts the cells: what makes a known heading stand alone, else numbers, else most cells."""

    def weight(separator: str) -> tuple[int, int, int]:
        rows = _read_rows(text, separator, is_strict=False, most=_LOOKED_AT)
        return (has_header(rows), _count_numbers(rows), len(rows[0].cells) if rows else 0)

    return max(_SEPARATORS, key=weight)


def _count_numbers(rows: tuple[Row, ...]) -> int:
    """Count the rows with a cell that is a number, in any spelling that is accepted."""
    return sum(any(cadastral.find_key(cell) for cell in row.cells) for row in rows[:_LOOKED_AT])


def _read_rows(text: str, separator: str, *, is_strict: bool = True, most: int | None = None) -> tuple[Row, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=is_strict)
    numbered: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for row in reader:
            # The line where it begins: a cell may hold line ends.
            numbered.append((before + 1, row))
            before = reader.line_num
            if most is not None and len(numbered) >= most:
                break
    except csv.Error as exc:
        if is_strict:
            raise FileUnreadable(_explain(exc, before + 1, reader.line_num)) from exc
    return _filled(numbered)


def _explain(exc: csv.Error, begins: int, ends: int) -> str:
    """Say what is wrong with a row that begins on one line, and of which reading came as far as another."""
    text = str(exc)
    if "unexpected end" in text:
        return f'line {begins}: a quote (") is opened here and never closed: close it, or take it out.'
    if "field larger" in text:
        return (
            f'line {begins}: a cell begins here that has more than {csv.field_size_limit():,} characters. A quote (") '
            "that is opened and never closed makes one cell of all that follows: close it, or take it out."
        )
    if "expected after" not in text:
        return f"line {begins}: {text}."
    if begins == ends:
        return f'line {begins}: something stands behind a closing quote ("): double the quotes inside of a cell.'
    return (
        f'line {begins}: a quote (") is opened here, and the next one is on line {ends}, inside of a cell: close it, '
        "or take it out."
    )


def _filled(numbered: Iterable[tuple[int, list[str]]]) -> tuple[Row, ...]:
    """Strip the cells, and leave out rows of which nothing stays."""
    rows = []
    for number, cells in numbered:
        stripped = tuple(_TEXT_FORMULA.sub(r"\1", cell.strip()) for cell in cells)
        if any(stripped):
            rows.append(Row(number=number, cells=stripped))
    return tuple(rows)
