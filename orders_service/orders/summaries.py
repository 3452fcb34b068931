"""What an order's extract says, in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.domain.summary import ExtractSummary
from orders_service.orders.search import read_order
from orders_service.store.queries import load

if TYPE_CHECKING:
    from orders_service.store.db import Database


async def get_summary(database: Database, order_id: int) -> ExtractSummary:
    """Return what the order's extract says.

    Raises:
        NotFound: There is no such order.
        Refused: WRONG_STATE: it has no extract (says how far it is), or nothing could be read from it.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        order = await read_order(connection, order_id)
        row = await (await connection.execute(load("export")["list_summaries"], {"ids": [order_id]})).fetchone()
    summary = ExtractSummary.from_json(row["summary"]) if row is not None else None
    if summary is None:
        what = (
            "Nothing could be read from its extract: look into the extract itself."
            if order.state == "completed"
            else "It has no extract."
        )
        raise errors.Refused(
            "WRONG_STATE", f"Order {order_id} is «{order.status}». {what}", state=order.state, order_id=str(order_id)
        )
    return summary
