"""Which orders are meant: the same options for listing, exporting and counting."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp

from orders_service.commands.output import enum_name
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

STATES: Final = [
    enum_name(v1.Order.DESCRIPTOR.fields_by_name["state"], number) for number in v1.OrderState.values() if number
]


class Day(click.DateTime):
    """A day, from its beginning by the local clock, as a point in time."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or fail: calendars end sooner than numbers do."""
        day = super().convert(value, param, ctx)
        try:
            return day.astimezone(dt.UTC)
        except (OverflowError, OSError, ValueError):
            self.fail("no clock can count with this day.", param, ctx)


def filter_options(command: F) -> F:
    """Add the options that choose orders; the command gets them as `wanted`, the fields of a request."""

    @click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only in this state; repeatable.")
    @click.option("--cad-num", default="", help="Only of this object, whatever the spelling.")
    @click.option("--account", default="", help="Only of this account.")
    @click.option("--on-hold", is_flag=True, help="Only those that wait for a person.")
    @click.option("--since", type=Day(), help="Accepted on this day or later, by the local clock.")
    @click.option("--before", type=Day(), help="Accepted before this day.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        states: tuple[str, ...],
        cad_num: str,
        account: str,
        on_hold: bool,
        since: dt.datetime | None,
        before: dt.datetime | None,
        **options: Any,
    ) -> Any:
        wanted = {
            "states": [v1.OrderState.Value(f"ORDER_STATE_{state.upper()}") for state in states],
            "cad_num": cad_num,
            "account": account,
            "only_on_hold": on_hold,
            "created_from": as_timestamp(since),
            "created_before": as_timestamp(before),
        }
        return command(*args, wanted=wanted, **options)

    return wrapped  # type: ignore[return-value]


def as_timestamp(day: dt.datetime | None) -> Timestamp | None:
    """Return the point in time as a message; None for none."""
    if day is None:
        return None
    time = Timestamp()
    time.FromDatetime(day)
    return time
