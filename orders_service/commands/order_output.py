"""What the commands about orders have in common: the order's id, `--json`, and orders as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from orders_service.commands.language import tr
from orders_service.commands.output import enum_name, print_table, show_time
from orders_service.v1 import orders_pb2 as v1
from rosq.commands.values import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Sequence


_STATE: Final = v1.Order.DESCRIPTOR.fields_by_name["state"]
json_option = click.option("--json", "is_json", is_flag=True, help="Print for machines.")
order_id_argument = click.argument("order_id", metavar="ID", type=click.IntRange(1, MAX_ID))
order_ids_argument = click.argument(
    "order_ids", metavar="ID...", nargs=-1, required=True, type=click.IntRange(1, MAX_ID)
)
EXIT_CODES: Final = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached."


def print_orders(found: Sequence[v1.Order]) -> None:
    """Print orders, one a line."""
    print_table(
        ("id", "object", "status", "account", "number", "accepted", "recipient"), (_row(order) for order in found)
    )


def status_of(order: v1.Order) -> str:
    """Return how the order stands: in Russian, as customers are told, and by its code."""
    return f"{order.status} [{enum_name(_STATE, order.state)}]" if order.state else order.status


def _row(order: v1.Order) -> tuple[str, ...]:
    status = status_of(order)
    if order.hold_reason:
        status = tr(f"{status} (waits for a person: {order.hold_reason})")
    when = show_time(order.created_at)
    return (str(order.order_id), order.cad_num, status, order.account, order.order_number, when, order.recipient)
