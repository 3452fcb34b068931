"""Following orders until nothing more comes of them by itself."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orders_service.commands.client import TIMEOUT_S, CallFailed, explained
from orders_service.commands.context import Failure
from orders_service.commands.output import console
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orders_service.settings import Address
    from orders_service.v1.orders_pb2_grpc import OrdersServiceStub

_FINAL: Final = frozenset({v1.ORDER_STATE_COMPLETED, v1.ORDER_STATE_FAILED, v1.ORDER_STATE_CANCELLED})
_POLL_S: Final = 1.0
#: More wouldn't fit on a screen.
_MAX_ROWS: Final = 30


def follow(
    stub: OrdersServiceStub, orders: Sequence[v1.Order], *, timeout_s: float | None, is_quiet: bool
) -> list[v1.Order]:
    """Return the orders as they stand when each is final or waits for a person, or when the time is up."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    latest = {order.id: order for order in orders}
    screen = console()
    # A terminal sees a table that moves; a pipe a line for each change; --json nothing but the end.
    live = Live(console=screen, transient=True) if screen.is_terminal and not is_quiet else None
    with live or contextlib.nullcontext():
        while True:
            for order in [one for one in latest.values() if not _is_over(one)]:
                now = stub.GetOrder(v1.GetOrderRequest(id=order.id), timeout=TIMEOUT_S).order
                if live is None and not is_quiet and now.status != order.status:
                    click.echo(f"order {now.id} {now.cad_num}: {now.status}")
                latest[now.id] = now
            if live is not None:
                live.update(_table(latest.values()))
            is_late = deadline is not None and time.monotonic() >= deadline
            if is_late or all(_is_over(order) for order in latest.values()):
                return [latest[order.id] for order in orders]
            time.sleep(_POLL_S)


@contextlib.contextmanager
def accepted_anyway(orders: Sequence[v1.Order], address: Address) -> Iterator[None]:
    """Say of a following that breaks off that the orders stand: whoever thinks they failed orders, and pays, again.

    Raises:
        CallFailed: The service was lost; with what it was, and its exit code.
        Failure: Ctrl-C.
    """
    try:
        with explained(address):
            yield
    except CallFailed as error:
        raise type(error)(f"{error.message} {_stand(orders)}") from error
    except KeyboardInterrupt as interrupt:
        raise Failure(_stand(orders)) from interrupt


def _stand(orders: Sequence[v1.Order]) -> str:
    one = (
        f"Order {_ids(orders)} is accepted and goes"
        if len(orders) == 1
        else f"Orders {_ids(orders)} are accepted and go"
    )
    return f"{one} on without this command; see `orders-service orders list`."


def _ids(orders: Sequence[v1.Order]) -> str:
    return ", ".join(str(order.id) for order in orders[:10]) + (" …" if len(orders) > 10 else "")


def require_completed(orders: Sequence[v1.Order]) -> None:
    """End the command with a failure unless every order has its extract.

    Raises:
        Failure: Says how many haven't.
    """
    missing = [order for order in orders if order.state != v1.ORDER_STATE_COMPLETED]
    if missing:
        raise Failure(f"{len(missing)} of {len(orders)} orders have no extract: {_ids(missing)}.")


def _is_over(order: v1.Order) -> bool:
    return order.state in _FINAL or bool(order.hold_reason)


def _table(orders: Iterable[v1.Order]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("id", "object", "status", "account", "number"):
        table.add_column(column)
    everything = list(orders)
    for order in everything[:_MAX_ROWS]:
        cells = (str(order.id), order.cad_num, order.status, order.username, order.order_number)
        table.add_row(*(Text(cell) for cell in cells))
    over = sum(_is_over(order) for order in everything)
    table.caption = f"{over} of {len(everything)} are over"
    return table
