"""Store the orders that a client asks for: all or none, and each idempotency key once."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.orders.search import OrderView, read_orders
from orders_service.orders.validation import AcceptableOrder, WantedOrder, validate
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CreatedOrder:
    """An accepted order.

    Attributes:
        is_existing: It was there already, by its idempotency key.
    """

    order: OrderView
    is_existing: bool


async def create_orders(database: Database, wanted: Sequence[WantedOrder]) -> list[CreatedOrder]:
    """Accept the orders, in the order they are given. The relay learns of them by the commit.

    Safe to repeat after a lost answer where orders have keys. A crash midway leaves nothing.

    Raises:
        InvalidInput: A rule is broken; nothing was stored.
        AlreadyExists: A key was used before with other content; nothing was stored.
        DatabaseUnavailable: The database is away.
    """
    # Ten thousand numbers take a while to check: other calls go on meanwhile.
    accepted = await asyncio.to_thread(validate, wanted)
    async with database.transaction() as connection:
        ids = await _insert(connection, accepted)
        existing = {index for index, order_id in enumerate(ids) if order_id is None}
        if existing:
            # Only now, in a statement of its own: it sees what a concurrent call with the same key committed.
            await _adopt_existing(connection, accepted, ids)
        orders = {order.id: order for order in await read_orders(connection, [i for i in ids if i is not None])}
    created = [
        CreatedOrder(order=orders[order_id], is_existing=index in existing)
        for index, order_id in enumerate(ids)
        if order_id is not None
    ]
    assert len(created) == len(wanted)
    logger.info(
        "Accepted orders",
        extra={"event": "orders_accepted", "count": len(created), "existing": len(existing)},
    )
    return created


async def _insert(connection: Connection, accepted: Sequence[AcceptableOrder]) -> list[int | None]:
    """Insert what is new in one statement; the ids by position, None where the key was there before."""
    parameters = {
        "cad_nums": [order.cad_num for order in accepted],
        "recipients": [order.recipient for order in accepted],
        "comments": [order.comment for order in accepted],
        "urgencies": [order.is_urgent for order in accepted],
        "keys": [order.idempotency_key for order in accepted],
        "hashes": [order.request_hash for order in accepted],
    }
    cursor = await connection.execute(load("accept")["insert_orders"], parameters)
    ids: list[int | None] = [None] * len(accepted)
    for row in await cursor.fetchall():
        ids[row["position"] - 1] = row["id"]
    return ids


async def _adopt_existing(connection: Connection, accepted: Sequence[AcceptableOrder], ids: list[int | None]) -> None:
    keys = {order.idempotency_key for order, order_id in zip(accepted, ids, strict=True) if order_id is None}
    cursor = await connection.execute(load("accept")["find_by_keys"], {"keys": list(keys)})
    by_key = {row["idempotency_key"]: row for row in await cursor.fetchall()}
    for index, order in enumerate(accepted):
        if ids[index] is not None:
            continue
        row = by_key[order.idempotency_key]
        if row["request_hash"] != order.request_hash:
            raise errors.AlreadyExists(
                f"orders[{index}].idempotency_key: {order.idempotency_key!r} is the key of order {row['id']}, "
                "which has other content: send the same content again, or use another key."
            )
        ids[index] = row["id"]
