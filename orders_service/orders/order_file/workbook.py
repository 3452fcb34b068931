"""The sheets of an XLSX, bounded before anything is unpacked for good."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Unpacked, of one part of the workbook, and of all. A sheet of 100,000 orders has some 30 MB.
_MAX_PART_BYTES: Final = 128 << 20
_MAX_TOTAL_BYTES: Final = 256 << 20
_CHUNK: Final = 1 << 20
#: A sheet is laid out as a full rectangle in memory: one cell far out makes it as large as a sheet can be.
_MAX_ROWS: Final = 200_000
_MAX_COLUMNS: Final = 500
#: Of the rectangles of all sheets together, and of the cells that are written: the most orders, with 200 columns each.
_MAX_CELLS: Final = 2_000_000
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_PART: Final = re.compile(r".*\.xml", re.IGNORECASE)
_PLACE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.IGNORECASE)
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    expat.ExpatError,
)


class WorkbookUnreadable(Exception):
    """The workbook can't be read, or not safely; the message is the end of a sentence about the file."""


def read_sheets(content: bytes) -> list[tuple[str, list[list[str]]]]:
    """Return the name and the rows of each sheet, from A1 on, all cells as text.

    Raises:
        WorkbookUnreadable: It is damaged, no workbook, or larger than it looks.
    """
    import python_calamine  # not needed for a CSV

    _check_bounds(content)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = []
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            sheets.append((name, [[_as_text(value) for value in row] for row in rows]))
    except (python_calamine.CalamineError, *_BROKEN) as exc:
        raise WorkbookUnreadable(
            f"it is no workbook that can be read ({exc}): save it anew as “.xlsx”, or as CSV."
        ) from exc
    if not sheets:
        raise WorkbookUnreadable("it has no sheet.")
    return sheets


def _check_bounds(content: bytes) -> None:
    """Unpack it once, piece by piece, and look how far out its cells lie: what a header says of sizes is a claim."""
    total = cells = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry for entry in archive.infolist() if not entry.is_dir()]
            if not any(_SHEET.fullmatch(entry.filename) for entry in names):
                raise WorkbookUnreadable("it is an archive, not a workbook: give the “.xlsx” or CSV inside.")
            for entry in names:
                size = 0
                # Whatever a sheet is called: what reads it goes by what another part says.
                extent = _Extent() if _PART.fullmatch(entry.filename) else None
                with archive.open(entry) as part:
                    for chunk in _chunks(part):
                        size += len(chunk)
                        total += len(chunk)
                        if size > _MAX_PART_BYTES or total > _MAX_TOTAL_BYTES:
                            raise WorkbookUnreadable("it unpacks to more than a table of orders can be: split it.")
                        if extent is not None:
                            extent.feed(chunk)
                            if cells + extent.cells > _MAX_CELLS:
                                raise WorkbookUnreadable(
                                    f"its sheets are {cells + extent.cells:,} cells large, more than {_MAX_CELLS:,}: "
                                    "delete the rows and columns beyond the table, or save it as CSV."
                                )
                cells += extent.cells if extent is not None else 0
    except _BROKEN as exc:
        raise WorkbookUnreadable(f"it is damaged ({exc}): save it anew as “.xlsx”.") from exc


class _Extent:
    """How large the rectangle is that a part's cells lie in, counted as its XML comes in."""

    def __init__(self) -> None:
        self._rows = self._columns = self._written = 0
        #: Where the next row and cell are that don't say their place.
        self._row = self._column = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._take
        self._parser.StartDoctypeDeclHandler = self._refuse

    @property
    def cells(self) -> int:
        """Rows by columns, or as many as are written, where one stands several times."""
        return max(self._rows * self._columns, self._written)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the part.

        Raises:
            WorkbookUnreadable: A cell lies too far out.
            expat.ExpatError: It is no XML.
        """
        self._parser.Parse(chunk, False)

    def _take(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            said = attributes.get("r", "")
            self._row = int(said) if said.isascii() and said.isdigit() and len(said) <= 9 else self._row + 1
            self._column = 0
        elif name == "c":
            self._written += 1
            if place := _PLACE.fullmatch(attributes.get("r", "")):
                row, self._column = int(place[2]), _column_of(place[1])
            else:
                row, self._column = self._row, self._column + 1
            self._reach(row, self._column)

    def _reach(self, row: int, column: int) -> None:
        if row > _MAX_ROWS or column > _MAX_COLUMNS:
            raise WorkbookUnreadable(
                f"a cell stands as far out as {_letters_of(column)}{row}: delete the rows and columns beyond the "
                "table, or save it as CSV."
            )
        self._rows, self._columns = max(self._rows, row), max(self._columns, column)

    def _refuse(self, *_: object) -> None:
        raise WorkbookUnreadable("it holds a document type, which no workbook needs: save it anew as “.xlsx”.")


def _column_of(letters: str) -> int:
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def _letters_of(column: int) -> str:
    letters = ""
    while column:
        column, left = divmod(column - 1, 26)
        letters = chr(ord("A") + left) + letters
    return letters or "A"


def _chunks(part: Any) -> Iterator[bytes]:
    while chunk := part.read(_CHUNK):
        yield chunk


def _as_text(value: object) -> str:
    """Return a cell as it is read: what Excel made a date or a time of stays one, and is no number."""
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    return str(value)
