"""The sheets of an XLSX, bounded before anything is unpacked for good."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Unpacked, of one part of the workbook, and of all. A sheet of 100,000 orders has some 30 MB.
_MAX_PART_BYTES: Final = 128 << 20
_MAX_TOTAL_BYTES: Final = 256 << 20
_CHUNK: Final = 1 << 20
#: A sheet is laid out as a full rectangle in memory: one cell far out makes it as large as a sheet can be.
_MAX_ROWS: Final = 200_000
_MAX_COLUMNS: Final = 500
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_PLACE: Final = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


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
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry for entry in archive.infolist() if not entry.is_dir()]
            if not any(_SHEET.fullmatch(entry.filename) for entry in names):
                raise WorkbookUnreadable("it is an archive, not a workbook: give the “.xlsx” or CSV inside.")
            for entry in names:
                tail = b""
                size = 0
                is_sheet = _SHEET.fullmatch(entry.filename) is not None
                with archive.open(entry) as part:
                    for chunk in _chunks(part):
                        size += len(chunk)
                        total += len(chunk)
                        if size > _MAX_PART_BYTES or total > _MAX_TOTAL_BYTES:
                            raise WorkbookUnreadable("it unpacks to more than a table of orders can be: split it.")
                        if is_sheet:
                            _check_places(tail + chunk)
                            tail = chunk[-20:]
    except _BROKEN as exc:
        raise WorkbookUnreadable(f"it is damaged ({exc}): save it anew as “.xlsx”.") from exc


def _check_places(text: bytes) -> None:
    for letters, digits in _PLACE.findall(text):
        column = 0
        for letter in letters:
            column = column * 26 + letter - ord("A") + 1
        if int(digits) > _MAX_ROWS or column > _MAX_COLUMNS:
            raise WorkbookUnreadable(
                f"a cell stands as far out as {letters.decode()}{int(digits)}: delete the rows and columns "
                "beyond the table, or save it as CSV."
            )


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
