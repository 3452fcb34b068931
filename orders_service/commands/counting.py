"""`orders-service orders stats`: how many orders there are, how they stand, how long they took, what was charged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import click

from orders_service.commands.client import TIMEOUT_S, connected
from orders_service.commands.language import tr
from orders_service.commands.order_filters import STATES, Day, as_timestamp
from orders_service.commands.order_output import EXIT_CODES, json_option
from orders_service.commands.output import as_json, enum_name, print_facts, print_json, print_table, show_time
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.duration_pb2 import Duration

    from orders_service.commands.context import Context

_STATE: Final = v1.StateNumber.DESCRIPTOR.fields_by_name["state"]
_HEADINGS: Final = ("accepted", *STATES, "on hold", "charges", "not known yet")


@click.command("stats", epilog=EXIT_CODES)
@click.option("--since", type=Day(), help="Accepted on this day or later.  [default: 30 days before the end]")
@click.option("--before", type=Day(), help="Accepted before this day.  [default: now]")
@click.option("--account", default="", help="Only of this account.")
@click.option("--zone", "time_zone", default="", metavar="ZONE", help="Whose days are meant.  [default: Europe/Moscow]")
@json_option
@click.pass_obj
def stats(
    context: Context,
    since: dt.datetime | None,
    before: dt.datetime | None,
    account: str,
    time_zone: str,
    is_json: bool,
) -> None:
    """Count the orders that were accepted in up to 366 days, as they stand now: in all, by account and by day.

    Charges are paid calls that made an application; *not known yet* are those that may have made one.

    \b
    Examples:
      orders-service orders stats
      orders-service orders stats --since 2026-11-01 --before 2026-12-01 --json
    """
    request = v1.GetOrderStatisticsRequest(
        created_from=as_timestamp(since), created_before=as_timestamp(before), account=account, time_zone=time_zone
    )
    with connected(context.service) as client:
        counted = client.orders.GetOrderStatistics(request, timeout=TIMEOUT_S)
    if is_json:
        print_json(as_json(counted))
        return
    times = counted.times
    print_facts(
        (
            ("accepted from", show_time(counted.created_from)),
            ("before", show_time(counted.created_before)),
            ("extracts", f"{times.extracts:,}" if times.extracts else ""),
            ("half of them within", _told(times.median)),
            ("nine of ten within", _told(times.p90)),
            ("all within", _told(times.longest)),
        )
    )
    _print(
        "of", [(tr("all"), counted.total), *((one.account or tr("(none)"), one.numbers) for one in counted.accounts)]
    )
    if counted.days:
        _print(f"day ({counted.time_zone})", [(one.day, one.numbers) for one in counted.days])


def _print(what: str, rows: Iterable[tuple[str, v1.OrderNumbers]]) -> None:
    print_table((what, *_HEADINGS), ((name, *_row(numbers)) for name, numbers in rows))


def _row(numbers: v1.OrderNumbers) -> Iterable[str]:
    found = {enum_name(_STATE, one.state): one.orders for one in numbers.states}
    counts = (numbers.orders, *(found.get(state, 0) for state in STATES))
    return (f"{count:,}" for count in (*counts, numbers.on_hold, numbers.charges, numbers.open_sends))


def _told(time: Duration) -> str:
    """Return a duration as people say it: hours and minutes from an hour on, to the second below; empty where unset."""
    seconds = time.seconds + time.nanos / 1e9
    if not seconds:
        return ""
    if seconds >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours}:{minutes:02}"
    return str(dt.timedelta(seconds=round(seconds)))
