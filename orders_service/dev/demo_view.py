"""What a person sees of the demo: a table that moves on a terminal, and a line for each step anywhere else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orders_service.dev import client
from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_STYLES = {
    orders_pb2.ORDER_STATE_QUEUED: "dim",
    orders_pb2.ORDER_STATE_PROCESSING: "yellow",
    orders_pb2.ORDER_STATE_UNCONFIRMED: "magenta",
    orders_pb2.ORDER_STATE_REGISTERED: "cyan",
    orders_pb2.ORDER_STATE_COMPLETED: "green",
    orders_pb2.ORDER_STATE_FAILED: "red",
    orders_pb2.ORDER_STATE_CANCELLED: "dim",
}
_LAST_NOTES = 4
NOTHING = "–"
#: A log has no width: its lines may be long.
_LOG_WIDTH = 240
_CAD_NUM_WIDTH = 22
#: Of the narrow table: the column `order`, and what stands between the columns.
_NARROW_REST = 15


class DemoView:
    """Shows the orders while they run. A context manager; nothing of the system depends on it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._orders: list[orders_pb2.Order] = []
        self._seen: dict[int, str] = {}
        self._notes: list[str] = []
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def note(self, text: str) -> None:
        """Say that something happened that isn't the way of an order."""
        line = f"{self._elapsed_s():5.1f} s  {text}"
        self._notes = [*self._notes, line][-_LAST_NOTES:]
        if self._live is None:
            self._console.print(line, highlight=False, soft_wrap=True)
        else:
            self._live.update(self.render())

    def update(self, orders: Sequence[orders_pb2.Order]) -> None:
        """Show how the orders stand now."""
        self._orders = list(orders)
        for order in orders:
            step = f"{order.status}|{order.account}"
            if self._seen.get(order.order_id) != step:
                self._seen[order.order_id] = step
                if self._live is None:
                    who = f"  {order.account}" if order.account else ""
                    line = (
                        f"{self._elapsed_s():5.1f} s  order {order.order_id:<3} {order.cad_num:<22} {order.status}{who}"
                    )
                    self._console.print(line, highlight=False, soft_wrap=True)
        if self._live is not None:
            self._live.update(self.render())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def render(self) -> Group:
        """Return what a terminal shows now."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("order", justify="right", no_wrap=True)
        table.add_column("cadastral number", no_wrap=True)
        # The one column that may wrap: of a number cut off nobody knows which order it is.
        table.add_column("status", overflow="fold")
        table.add_column("account", no_wrap=True)
        for order in self._orders:
            table.add_row(str(order.order_id), order.cad_num, _status(order), order.account or NOTHING)
        done = sum(order.state in client.FINAL_STATES for order in self._orders)
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            f"{self._elapsed_s():5.1f} s",
            ProgressBar(total=max(1, len(self._orders)), completed=done, width=40),
            f"{done} of {len(self._orders)} orders done",
        )
        return Group(table, bar, Text("\n".join(self._notes), style="bold"))


def print_result(console: Console, orders: Sequence[orders_pb2.Order], files: Mapping[int, str]) -> None:
    """Print every order with its status, account, number and file, one line an order where that fits.

    A narrow terminal gets several lines an order: nothing is cut off, and the lines of a log may be long.
    """
    wide = console if console.is_terminal else Console(file=console.file, width=_LOG_WIDTH)
    table = _wide_result(orders, files)
    # Measured as if there were room: a table never says that it needs more than it is given.
    needed = wide.measure(table, options=wide.options.update_width(_LOG_WIDTH)).minimum
    wide.print(table if needed <= wide.width else _narrow_result(orders, files, wide.width))


def _wide_result(orders: Sequence[orders_pb2.Order], files: Mapping[int, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("order", justify="right", no_wrap=True)
    table.add_column("cadastral number", no_wrap=True)
    table.add_column("status")
    for name in ("account", "portal's number", "file"):
        table.add_column(name, no_wrap=True)
    for order in orders:
        table.add_row(str(order.order_id), order.cad_num, _status(order), *_facts(order, files))
    return table


def _narrow_result(orders: Sequence[orders_pb2.Order], files: Mapping[int, str], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("order", justify="right", no_wrap=True)
    # The status wraps first: names to copy stay in one piece.
    longest = max((len(fact) for order in orders for fact in _facts(order, files)), default=0)
    table.add_column("cadastral number, status", max_width=max(width - longest - _NARROW_REST, _CAD_NUM_WIDTH))
    table.add_column("account, portal's number, file", overflow="fold")
    for order in orders:
        what = Text.assemble(order.cad_num, "\n", _status(order))
        table.add_row(str(order.order_id), what, "\n".join(_facts(order, files)))
    return table


def _status(order: orders_pb2.Order) -> Text:
    return Text(order.status, style=_STYLES.get(order.state, ""))


def _facts(order: orders_pb2.Order, files: Mapping[int, str]) -> tuple[str, str, str]:
    return order.account or NOTHING, order.order_number or NOTHING, files.get(order.order_id, NOTHING)
