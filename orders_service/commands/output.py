"""Printing: tables for people, JSON for machines."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orders_service.commands.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message

    Field = Any  # of a descriptor; its type differs between protobuf's implementations

#: A pipe has no width; wide enough that nothing is cut.
_PIPE_WIDTH: Final = 240


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence of ours, in the language of the command."""
    click.echo(tr(text), err=err)


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Print a table, its headings in the language of the command.

    What comes from outside is shown as it is, never read as markup.
    """
    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False, box=None)
    for column in columns:
        table.add_column(tr(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(Text(tr(name)), Text(value))
    console().print(table)


def console() -> Console:
    """Make the console for standard output as it is now."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as JSON values: numbers as numbers, states as their names, times in ISO form, durations in
    seconds, unset as null.
    """
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def show_time(message: Timestamp) -> str:
    """Return a point in time in the local zone, which is named, to the second; empty where it is unset."""
    if not message.seconds and not message.nanos:
        return ""
    return message.ToDatetime(tzinfo=dt.UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def enum_name(field: Field, value: int) -> str:
    """Return the name of an enum's value in lower case, without the prefix that protobuf wants."""
    values = field.enum_type.values_by_number
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    return str(values[value].name).removeprefix(prefix).lower() if value in values else str(value)


def _field(message: Message, field: Field) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(field, one) for one in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(field, value)


def _value(field: Field, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return enum_name(field, value) if value else None
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return value
    if isinstance(value, Timestamp):
        return value.ToDatetime(tzinfo=dt.UTC).isoformat()
    if isinstance(value, Duration):
        return value.seconds + value.nanos / 1e9
    return as_json(value)
