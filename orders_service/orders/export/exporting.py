"""The use case: orders that match, page by page, into a file."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import enum
import tempfile
from typing import IO, TYPE_CHECKING, Final, cast

from orders_service import errors
from orders_service.domain import paging
from orders_service.domain.summary import ExtractSummary
from orders_service.orders import search
from orders_service.orders.export.columns import (
    BURDEN_HEADINGS,
    MOSCOW,
    ORDER_COLUMNS,
    RIGHT_HEADINGS,
    burden_rows,
    order_cells,
    right_rows,
)
from orders_service.orders.export.writers import CsvWriter, TableWriter, XlsxWriter
from orders_service.store.queries import load
from orders_service.turns import in_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from orders_service.orders.search import OrderView
    from orders_service.store.db import Database

#: A spreadsheet has a million rows, and nobody opens a tenth of them.
MAX_ORDERS: Final = 100_000
_PAGE: Final = 500
_SPOOL_BYTES: Final = 8 << 20
_PIECE_BYTES: Final = 1 << 20

_SHEETS: Final = (
    ("Заказы", tuple(column.heading for column in ORDER_COLUMNS), tuple(column.width for column in ORDER_COLUMNS)),
    ("Права", RIGHT_HEADINGS, (10, 22, 24, 34, 12, 12, 40, 14, 16)),
    ("Обременения", BURDEN_HEADINGS, (10, 22, 24, 34, 12, 24, 40, 40)),
)


class ExportFormat(enum.StrEnum):
    """What kind of file."""

    XLSX = "xlsx"
    CSV = "csv"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A finished table: how many orders it holds, what it should be called, and its bytes."""

    orders: int
    file_name: str
    size_bytes: int
    file: IO[bytes]

    async def read_pieces(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes in order."""
        self.file.seek(0)
        while piece := await asyncio.to_thread(self.file.read, _PIECE_BYTES):
            yield piece


@contextlib.asynccontextmanager
async def export_orders(database: Database, filters: search.Filters, kind: ExportFormat) -> AsyncIterator[Export]:
    """Make a table of the orders that match, newest first, with what their extracts say.

    Each page is read in a transaction of its own, by id: orders that are accepted meanwhile aren't in it, and one that
    changes meanwhile stands there once, as it was when its page was read. The file is gone after the block.

    Raises:
        InvalidInput: A filter can't be used, or more orders match than a table takes.
        NotFound: There is no account of that name.
        DatabaseUnavailable: The database is away.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spooled:
        file = cast("IO[bytes]", spooled)
        writer: TableWriter = await asyncio.to_thread(
            XlsxWriter if kind is ExportFormat.XLSX else CsvWriter, file, _SHEETS
        )
        count = 0
        try:
            async for orders, summaries in _read_pages(database, filters):
                count += len(orders)
                if count > MAX_ORDERS:
                    raise errors.InvalidInput.of(
                        "filter", f"matches more than {MAX_ORDERS:,} orders: narrow it, by time for example."
                    )
                await in_turn(_write, writer, orders, summaries)
        finally:
            # A workbook keeps files of its own until it is finished.
            await asyncio.to_thread(writer.finish)
        size_bytes = file.seek(0, 2)
        day = dt.datetime.now(MOSCOW).date().isoformat()
        yield Export(orders=count, file_name=f"orders-{day}.{kind}", size_bytes=size_bytes, file=file)


async def _read_pages(
    database: Database, filters: search.Filters
) -> AsyncIterator[tuple[Sequence[OrderView], dict[int, object]]]:
    token = ""
    while True:
        page = await search.list_orders(database, filters, page_size=_PAGE, page_token=token)
        ids = [order.id for order in page.orders]
        async with database.transaction() as connection:
            cursor = await connection.execute(load("export")["list_summaries"], {"ids": ids})
            summaries = {row["order_id"]: row["summary"] for row in await cursor.fetchall()}
        yield page.orders, summaries
        if not page.has_more:
            return
        token = paging.write_token(ids[-1], *filters.content)


def _write(writer: TableWriter, orders: Sequence[OrderView], kept: dict[int, object]) -> None:
    for order in orders:
        summary = ExtractSummary.from_json(kept.get(order.id))
        writer.write(0, [order_cells(order, summary)])
        if summary is not None:
            writer.write(1, right_rows(order, summary))
            writer.write(2, burden_rows(order, summary))
