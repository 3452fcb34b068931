"""Tables as files: what a cell may hold, and that none of it is ever run as a formula."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import re
from typing import IO, TYPE_CHECKING, Final, Protocol

import xlsxwriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orders_service.orders.export.columns import Cell

#: What a cell of a spreadsheet may hold.
_MAX_CELL: Final = 32_767
#: What makes a spreadsheet run a cell of a CSV, also behind blanks and in full width.
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠\t\r]")
#: No XML may hold these, and no person needs them.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


class TableWriter(Protocol):
    """Writes rows below the headings of the sheets it was made with; a CSV has the first sheet alone."""

    def write(self, sheet: int, rows: Iterable[Sequence[Cell | None]]) -> None:
        """Add rows to a sheet."""

    def finish(self) -> None:
        """End the file; nothing can be added afterwards."""


class CsvWriter:
    """The first sheet as a CSV that a Russian Excel opens by a double click: UTF-8 with its mark, semicolons."""

    def __init__(self, file: IO[bytes], sheets: Sequence[tuple[str, Sequence[str], Sequence[int]]]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._text, delimiter=";", lineterminator="\r\n")
        self.write(0, [sheets[0][1]])

    def write(self, sheet: int, rows: Iterable[Sequence[Cell | None]]) -> None:
        """Add rows to the first sheet; those of others are left out."""
        if sheet == 0:
            self._writer.writerows([[_as_text(cell) for cell in row] for row in rows])

    def finish(self) -> None:
        """Write out what is still in hand; the file stays open."""
        self._text.detach()


class XlsxWriter:
    """A workbook: texts are texts, whatever they begin with; numbers and dates are numbers and dates."""

    def __init__(self, file: IO[bytes], sheets: Sequence[tuple[str, Sequence[str], Sequence[int]]]) -> None:
        # A row is written out when the next one begins: memory doesn't grow with the table.
        self._book = xlsxwriter.Workbook(
            file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        bold = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self._day = self._book.add_format({"num_format": "dd.mm.yyyy"})
        self._time = self._book.add_format({"num_format": "dd.mm.yyyy hh:mm:ss"})
        self._sheets = []
        for name, headings, widths in sheets:
            sheet = self._book.add_worksheet(name)
            for place, width in enumerate(widths):
                sheet.set_column(place, place, width)
            for place, heading in enumerate(headings):
                sheet.write_string(0, place, heading, bold)
            sheet.freeze_panes(1, 2)
            self._sheets.append(sheet)
        self._next_rows = [1] * len(self._sheets)

    def write(self, sheet: int, rows: Iterable[Sequence[Cell | None]]) -> None:
        """Add rows to a sheet."""
        for row in rows:
            for place, cell in enumerate(row):
                self._write_cell(sheet, self._next_rows[sheet], place, cell)
            self._next_rows[sheet] += 1

    def finish(self) -> None:
        """Write the workbook into the file."""
        self._book.close()

    def _write_cell(self, sheet: int, row: int, place: int, cell: Cell | None) -> None:
        written = self._sheets[sheet]
        if cell is None or cell == "":
            return
        if isinstance(cell, dt.datetime):
            written.write_datetime(row, place, cell, self._time)
        elif isinstance(cell, dt.date):
            # Excel has no day before 1900.
            if cell.year >= 1900:
                written.write_datetime(row, place, dt.datetime.combine(cell, dt.time()), self._day)
            else:
                written.write_string(row, place, cell.isoformat())
        elif isinstance(cell, (int, decimal.Decimal)):
            written.write_number(row, place, float(cell))
        else:
            written.write_string(row, place, _clean(cell))


def _as_text(cell: Cell | None) -> str:
    """Return a cell of a CSV; one that a spreadsheet would run begins with an apostrophe, which it doesn't show."""
    if cell is None:
        return ""
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, decimal.Decimal):
        # As a Russian Excel reads it.
        return f"{cell:f}".replace(".", ",")
    if isinstance(cell, int):
        return str(cell)
    text = _clean(cell)
    return f"'{text}"[:_MAX_CELL] if _FORMULA.match(text) else text


def _clean(text: str) -> str:
    printable = _UNPRINTABLE.sub("\ufffd", text)
    return printable if len(printable) <= _MAX_CELL else printable[: _MAX_CELL - 1] + "…"
