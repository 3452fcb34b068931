"""A file of orders on its way to `orders submit`: what a person is shown of it, and every bad row."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING, Final

import click

from orders_service.commands.context import Failure, WrongSetting
from orders_service.commands.language import tr
from orders_service.commands.output import print_facts, print_json, print_table, say
from orders_service.orders import order_file
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orders_service.orders.order_file import BadRow, OrderFile

#: More would flood a terminal: all of them are in the file of errors, and in JSON.
_MAX_BAD_ROWS: Final = 20
_MAX_SHOWN: Final = 5
_ERROR_HEADINGS: Final = ("Где", "Столбец", "Что там", "Что не так", "Возможно, имелось в виду")
_FIELD_NAMES: Final = {
    "cad_num": "the number",
    "idempotency_key": "the key",
    "recipient": "the recipient",
    "comment": "the comment",
    "is_urgent": "urgency",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An order, and where in the file it stands: in words, for messages, and by number."""

    order: v1.NewOrder
    where: str
    number: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How a file is to be read, and what is wanted of it.

    Attributes:
        errors: Where every bad row is written to as CSV; None: nowhere.
    """

    column: str = ""
    sheet: str = ""
    encoding: str = ""
    recipient: str = ""
    batch: str = ""
    errors: Path | None = None
    is_json: bool = False


def read_orders(path: Path, options: FileOptions) -> tuple[list[Line], OrderFile]:
    """Read the orders of a file; each has a key, its own or one made of its row.

    Raises:
        Failure: The file can't be read, or a row is bad: all of them are told.
    """
    read = _read(path, options)
    if read.bad_rows:
        _tell_bad_rows(read.bad_rows, options)
        rows = "1 row is bad" if len(read.bad_rows) == 1 else f"{len(read.bad_rows):,} rows are bad"
        raise Failure(f"{path.name}: {rows}. Nothing was ordered.")
    lines = [
        Line(
            order=v1.NewOrder(
                cad_num=row.order.cad_num,
                idempotency_key=row.order.idempotency_key,
                recipient=row.order.recipient,
                comment=row.order.comment,
                is_urgent=row.order.is_urgent,
            ),
            where=row.where,
            number=number,
        )
        for number, row in enumerate(read.rows, start=1)
    ]
    return lines, read


def show(path: Path, options: FileOptions) -> None:
    """Print what was taken for what, and every bad row; order nothing.

    Raises:
        Failure: The file can't be read, or a row is bad.
    """
    read = _read(path, options)
    preview = read.preview
    if options.is_json:
        print_json(
            {
                "preview": dataclasses.asdict(preview),
                "orders": [dataclasses.asdict(row.order) | {"where": row.where} for row in read.rows],
                "bad_rows": [dataclasses.asdict(bad) for bad in read.bad_rows],
            }
        )
    else:
        print_facts(
            (
                ("file", f"{preview.kind} {preview.encoding}".strip()),
                ("sheet", preview.sheet),
                ("headings", preview.header or tr("none")),
                *((_FIELD_NAMES[field], title) for field, title in preview.columns.items()),
                ("left out", ", ".join(preview.left_out)),
                ("orders", f"{len(read.rows):,}"),
                (
                    "of one object",
                    tr(f"{preview.repeated:,} rows name an object once more") if preview.repeated else "",
                ),
                ("bad rows", f"{len(read.bad_rows):,}" if read.bad_rows else ""),
            )
        )
        print_table(
            ("where", "object", "recipient", "comment", "urgent"),
            (
                (
                    row.where,
                    row.order.cad_num,
                    row.order.recipient,
                    row.order.comment,
                    tr("yes") if row.order.is_urgent else "",
                )
                for row in read.rows[:_MAX_SHOWN]
            ),
        )
        if len(read.rows) > _MAX_SHOWN:
            say(f"… and {len(read.rows) - _MAX_SHOWN:,} more.")
    if read.bad_rows:
        if options.is_json:
            _keep_bad_rows(read.bad_rows, options)
        else:
            _tell_bad_rows(read.bad_rows, options)
        raise Failure(f"{path.name}: {len(read.bad_rows):,} bad rows; as it is, nothing would be ordered.")


def _read(path: Path, options: FileOptions) -> OrderFile:
    if options.errors is not None and _is_same(options.errors, path):
        raise WrongSetting(f"--errors {options.errors} is the file of orders itself: name another.")
    try:
        with path.open("rb") as file:
            # One byte more than may be tells that it is too large, whatever is behind it: a pipe has no size.
            content = file.read(order_file.MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise Failure(f"{path} can't be read: {exc.strerror}.") from exc
    try:
        return order_file.read_order_file(
            content,
            path.name,
            column=options.column,
            sheet=options.sheet,
            encoding=options.encoding,
            recipient=options.recipient,
            batch=options.batch,
        )
    except order_file.FileUnreadable as exc:
        raise Failure(str(exc)) from exc


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, by whatever name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _tell_bad_rows(bad_rows: Sequence[BadRow], options: FileOptions) -> None:
    """Print the first of them, and write all of them where they are wanted."""
    _keep_bad_rows(bad_rows, options)
    if options.is_json:
        print_json({"bad_rows": [dataclasses.asdict(bad) for bad in bad_rows]})
        return
    for bad in bad_rows[:_MAX_BAD_ROWS]:
        click.echo(f"{bad.where}, «{bad.column}»: {bad.reason}", err=True)
    left = len(bad_rows) - _MAX_BAD_ROWS
    if left > 0:
        where = f"all of them are in {options.errors}" if options.errors else "all of them go to a file with --errors"
        say(f"… and {left:,} more: {where}.", err=True)


def _keep_bad_rows(bad_rows: Sequence[BadRow], options: FileOptions) -> None:
    """Write all of them where they are wanted."""
    path = options.errors
    if path is None:
        return
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(_ERROR_HEADINGS)
            for bad in bad_rows:
                meant = bad.suggestion or "; ".join(bad.parts)
                # What stands in the cell came from outside: never run as a formula.
                writer.writerow([bad.where, bad.column, f"'{bad.text}", bad.reason, meant])
    except OSError as exc:
        raise Failure(f"{path} can't be written: {exc.strerror}.") from exc
