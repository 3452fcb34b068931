"""A table of orders as people keep it: CSV with a header, or just numbers one below the other."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import TYPE_CHECKING, Final

from orders_service.commands.context import Failure
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: Final = ("cad_num", "idempotency_key", "recipient", "comment", "is_urgent")

_YES: Final = frozenset({"1", "true", "yes", "y", "да"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "нет"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An order, and where in the file it stands: in words, for messages, and by number."""

    order: v1.NewOrder
    where: str
    number: int


def read_orders(path: Path) -> list[Line]:
    """Read the orders of a CSV file: UTF-8; separated by comma, semicolon or tab; columns in any order.

    Without a header, the first column is the number and there may be no other. Empty lines are left out.

    Raises:
        Failure: The file can't be read, a column isn't known, or it holds no order.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise Failure(f"{path} can't be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise Failure(f"{path} isn't UTF-8: save it as “CSV UTF-8”.") from exc
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as exc:
        raise Failure(f"{path}, line {reader.line_num}: {exc}.") from exc
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise Failure(f"{path} holds no order: write one cadastral number a line.")
    columns = _columns(path, [cell.lower() for cell in rows[0][1]])
    body = rows[1:] if "cad_num" in [cell.lower() for cell in rows[0][1]] else rows
    if not body:
        raise Failure(f"{path} holds no order below its header.")
    return [_line(path, number, columns, row) for number, row in body]


def _columns(path: Path, first: list[str]) -> list[str]:
    if "cad_num" in first:
        unknown = [column for column in first if column and column not in COLUMNS]
        if unknown or len(set(first)) != len(first):
            what = f"a column {unknown[0]!r}" if unknown else "a column twice"
            raise Failure(f"{path} has {what}; there are {', '.join(COLUMNS)}.")
        return first
    if sum(bool(cell) for cell in first) > 1:
        raise Failure(f"{path} has several columns and no header: name them in its first line ({', '.join(COLUMNS)}).")
    return ["cad_num"]


def _line(path: Path, number: int, columns: list[str], row: list[str]) -> Line:
    where = f"{path.name}, line {number}"
    if any(row[len(columns) :]):
        raise Failure(f"{where} has more cells than the header has columns.")
    cells = dict(zip(columns, row, strict=False))
    urgent = cells.get("is_urgent", "").lower()
    if urgent not in _YES | _NO:
        raise Failure(f"{where}: is_urgent must be yes or no, not {urgent!r}.")
    order = v1.NewOrder(
        cad_num=cells.get("cad_num", ""),
        idempotency_key=cells.get("idempotency_key", ""),
        recipient=cells.get("recipient", ""),
        comment=cells.get("comment", ""),
        is_urgent=urgent in _YES,
    )
    return Line(order=order, where=where, number=number)
