"""Following orders until nothing more comes of them by itself."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from orders_service.commands.client import TIMEOUT_S, CallFailed, explained
from orders_service.commands.context import Failure
from orders_service.commands.language import tr
from orders_service.commands.order_output import status_of
from orders_service.commands.output import console, say
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orders_service.commands.context import Way
    from orders_service.v1.orders_pb2_grpc import OrdersServiceStub

_FINAL: Final = frozenset({v1.ORDER_STATE_COMPLETED, v1.ORDER_STATE_FAILED, v1.ORDER_STATE_CANCELLED})
_POLL_S: Final = 1.0
#: What the service answers in one call.
_BATCH: Final = 100
#: More wouldn't fit on a screen.
_MAX_ROWS: Final = 30


def follow(
    stub: OrdersServiceStub, created: Sequence[v1.CreatedOrder], *, timeout_s: float | None, is_quiet: bool
) -> list[v1.Order]:
    """Return the orders as they stand when each is final or waits for a person, or when the time is up."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    latest: dict[int, v1.Order] = {}
    ids = list(dict.fromkeys(one.order_id for one in created))
    screen = console()
    # A terminal sees a table that moves; a pipe a line for each change; --json nothing but the end.
    live = Live(console=screen, transient=True) if screen.is_terminal and not is_quiet else None
    with live or contextlib.nullcontext():
        while True:
            for now in _read(stub, [one for one in ids if one not in latest or not _is_over(latest[one])]):
                before = latest.get(now.order_id)
                if live is None and not is_quiet and before is not None and now.status != before.status:
                    say(f"order {now.order_id} {now.cad_num}: {status_of(now)}")
                latest[now.order_id] = now
            if live is not None:
                live.update(_table(latest.values()))
            is_late = deadline is not None and time.monotonic() >= deadline
            if is_late or all(_is_over(order) for order in latest.values()):
                return [latest[order_id] for order_id in ids]
            time.sleep(_POLL_S)


def _read(stub: OrdersServiceStub, ids: Sequence[int]) -> Iterator[v1.Order]:
    """Ask for the orders, many in one call."""
    for start in range(0, len(ids), _BATCH):
        request = v1.BatchGetOrdersRequest(order_ids=ids[start : start + _BATCH])
        yield from stub.BatchGetOrders(request, timeout=TIMEOUT_S).orders


@contextlib.contextmanager
def accepted_anyway(created: Sequence[v1.CreatedOrder], address: Way) -> Iterator[None]:
    """Say of a following that breaks off that the orders stand: whoever thinks they failed orders, and pays, again.

    Raises:
        CallFailed: The service was lost; with what it was, and its exit code.
        Failure: Ctrl-C.
    """
    ids = [one.order_id for one in created]
    try:
        with explained(address):
            yield
    except CallFailed as error:
        raise type(error)(f"{error.message} {tr(_stand(ids))}", reason=error.reason) from error
    except KeyboardInterrupt as interrupt:
        raise Failure(_stand(ids)) from interrupt


def require_completed(orders: Sequence[v1.Order], *, timeout_s: float | None) -> None:
    """End the command with a failure unless every order has its extract.

    Raises:
        Failure: Says how many can't have one any more by themselves.
        TimeIsUp: All others go on.
    """
    ended = [one.order_id for one in orders if one.state != v1.ORDER_STATE_COMPLETED and _is_over(one)]
    going_on = [one.order_id for one in orders if not _is_over(one)]
    if ended:
        failed = f"{len(ended)} of {len(orders)} orders have no extract and won't get one without you: {_told(ended)}."
        raise Failure(f"{failed} {_stand(going_on)}" if going_on else failed)
    if going_on:
        raise TimeIsUp(f"The {timeout_s:g} s of --timeout are over. {_stand(going_on)}")


class TimeIsUp(Failure):
    """The orders go on, and nobody waits for them: exit code 5, a limit is reached."""

    exit_code = 5


def _stand(ids: Sequence[int]) -> str:
    if len(ids) == 1:
        return f"Order {_told(ids)} is accepted and goes on without this command; see `orders-service orders list`."
    return f"Orders {_told(ids)} are accepted and go on without this command; see `orders-service orders list`."


def _told(ids: Sequence[int]) -> str:
    return ", ".join(str(one) for one in ids[:10]) + (" …" if len(ids) > 10 else "")


def _is_over(order: v1.Order) -> bool:
    return order.state in _FINAL or bool(order.hold_reason)


def _table(orders: Iterable[v1.Order]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("id", "object", "status", "account", "number"):
        table.add_column(tr(column))
    everything = list(orders)
    for order in everything[:_MAX_ROWS]:
        cells = (str(order.order_id), order.cad_num, status_of(order), order.account, order.order_number)
        table.add_row(*(Text(cell) for cell in cells))
    over = sum(_is_over(order) for order in everything)
    table.caption = tr(f"{over} of {len(everything)} are over")
    return table
