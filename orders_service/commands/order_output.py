"""What the commands about orders have in common: the order's id, `--json`, and orders as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from orders_service.commands.output import print_table, show_time
from rosq.commands.values import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.v1 import orders_pb2 as v1

json_option = click.option("--json", "is_json", is_flag=True, help="Print for machines.")
order_id_argument = click.argument("order_id", metavar="ID", type=click.IntRange(1, MAX_ID))
EXIT_CODES: Final = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached."


def print_orders(found: Sequence[v1.Order]) -> None:
    """Print orders, one a line."""
    columns = ("id", "object", "status", "account", "number", "accepted", "recipient")
    print_table(columns, (_row(order) for order in found))


def _row(order: v1.Order) -> tuple[str, ...]:
    status = f"{order.status} (waits for a person: {order.hold_reason})" if order.hold_reason else order.status
    when = show_time(order.created_at)
    return (str(order.order_id), order.cad_num, status, order.account, order.order_number, when, order.recipient)
