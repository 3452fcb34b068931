"""Store the orders that a client asks for: all or none, and each idempotency key once."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.orders.search import OrderView, read_orders
from orders_service.orders.validation import (
    AcceptableOrder,
    BadRow,
    BrokenRule,
    WantedOrder,
    check,
    violations_of,
)
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg.rows import DictRow

    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)

#: Whole orders are long: more of them wouldn't fit into the 4 MiB that most clients take.
MAX_WITH_ORDERS: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CreatedOrder:
    """An accepted order.

    Attributes:
        is_existing: It was there already, by its idempotency key.
        same_object: An open order of the same object and client, which is charged, too; None: there is none.
        order: The whole order, where it was asked for.
    """

    order_id: int
    state: str
    is_existing: bool
    same_object: int | None = None
    order: OrderView | None = None


async def create_order(database: Database, wanted: WantedOrder, *, client: str = "") -> CreatedOrder:
    """Accept one order, and return it whole.

    Raises:
        As for `create_orders`.
    """
    (created,) = await _create(database, [wanted], client=client, with_orders=True, is_single=True)
    return created


async def create_orders(
    database: Database, wanted: Sequence[WantedOrder], *, client: str = "", with_orders: bool = False
) -> list[CreatedOrder]:
    """Accept the orders, in the order they are given. The relay learns of them by the commit.

    Safe to repeat after a lost answer: keys make it so. A crash midway leaves nothing.

    Args:
        client: Whose orders they are; a key is its client's own.
        with_orders: Answer with the whole orders.

    Raises:
        InvalidInput: A rule is broken; nothing was stored.
        KeyTaken: A key was used before with other content; nothing was stored.
        DatabaseUnavailable: The database is away.
    """
    if with_orders and len(wanted) > MAX_WITH_ORDERS:
        raise errors.InvalidInput.of("with_orders", f"is for up to {MAX_WITH_ORDERS} orders, not {len(wanted)}.")
    return await _create(database, wanted, client=client, with_orders=with_orders)


async def check_orders(database: Database, wanted: Sequence[WantedOrder], *, client: str = "") -> list[BadRow]:
    """Return what is wrong with each order that `create_orders` would refuse now; nothing is stored.

    Raises:
        InvalidInput: There are none, or too many.
        DatabaseUnavailable: The database is away.
    """
    acceptable, bad = await asyncio.to_thread(check, wanted)
    async with database.transaction() as connection:
        known = await _find_by_keys(connection, client, (order.idempotency_key for order in acceptable.values()))
    return sorted(bad + _taken(acceptable, known), key=lambda row: row.index)


async def _create(
    database: Database, wanted: Sequence[WantedOrder], *, client: str, with_orders: bool, is_single: bool = False
) -> list[CreatedOrder]:
    # Ten thousand numbers take a while to check: other calls go on meanwhile.
    acceptable, bad = await asyncio.to_thread(check, wanted)
    if bad:
        raise errors.InvalidInput(violations_of(bad, is_single=is_single), bad_rows=None if is_single else len(bad))
    try:
        return await _store(
            database, list(acceptable.values()), client=client, with_orders=with_orders, is_single=is_single
        )
    except pg.UniqueViolation as exc:
        # Until the upgrade's last step a key is once for all clients, and two calls with the same one at one moment
        # see that constraint first.
        raise errors.DatabaseUnavailable(f"The schema is being upgraded ({exc.diag.constraint_name}).") from exc


async def _store(
    database: Database, accepted: Sequence[AcceptableOrder], *, client: str, with_orders: bool, is_single: bool
) -> list[CreatedOrder]:
    async with database.transaction() as connection:
        created = await _insert(connection, accepted, client)
        missing = {index: order for index, order in enumerate(accepted) if index not in created}
        if missing:
            # Only now, in a statement of its own: it sees what a concurrent call with the same key committed.
            known = await _find_by_keys(connection, client, (order.idempotency_key for order in missing.values()))
            taken = _taken(missing, known)
            if taken:
                raise _key_taken(taken, accepted, is_single=is_single)
            for index, order in missing.items():
                row = known[order.idempotency_key]
                created[index] = CreatedOrder(order_id=row["id"], state=row["state"], is_existing=True)
        answered = [created[index] for index in range(len(accepted))]
        if with_orders:
            orders = {one.id: one for one in await read_orders(connection, [one.order_id for one in answered])}
            answered = [dataclasses.replace(one, order=orders[one.order_id]) for one in answered]
    logger.info(
        "Accepted orders",
        extra={"event": "orders_accepted", "count": len(answered), "existing": len(missing)},
    )
    return answered


async def _insert(connection: Connection, accepted: Sequence[AcceptableOrder], client: str) -> dict[int, CreatedOrder]:
    """Insert what is new in one statement; by position, without those whose key was there before."""
    parameters = {
        "client": client,
        "cad_nums": [order.cad_num for order in accepted],
        "cad_keys": list({order.cad_key for order in accepted}),
        "recipients": [order.recipient for order in accepted],
        "comments": [order.comment for order in accepted],
        "urgencies": [order.is_urgent for order in accepted],
        "keys": [order.idempotency_key for order in accepted],
        "hashes": [order.request_hash for order in accepted],
    }
    cursor = await connection.execute(load("accept")["insert_orders"], parameters)
    rows = await cursor.fetchall()
    open_of = {row["cad_key"]: row["id"] for row in rows if row["position"] is None}
    created: dict[int, CreatedOrder] = {}
    for row in sorted((row for row in rows if row["position"] is not None), key=lambda row: row["position"]):
        created[row["position"] - 1] = CreatedOrder(
            order_id=row["id"], state="queued", is_existing=False, same_object=open_of.get(row["cad_key"])
        )
        # The statement doesn't see what it inserts itself: two of one object in one call.
        open_of[row["cad_key"]] = row["id"]
    return created


async def _find_by_keys(connection: Connection, client: str, keys: Iterable[str]) -> Mapping[str, DictRow]:
    parameters = {"client": client, "keys": list(set(keys))}
    cursor = await connection.execute(load("accept")["find_by_keys"], parameters)
    return {row["idempotency_key"]: row for row in await cursor.fetchall()}


def _taken(orders: Mapping[int, AcceptableOrder], known: Mapping[str, DictRow]) -> list[BadRow]:
    """Return those of the orders whose key has an order with other content."""
    bad = []
    for index, order in orders.items():
        row = known.get(order.idempotency_key)
        if row is not None and row["request_hash"] != order.request_hash:
            rule = (
                f"{order.idempotency_key!r} is the key of order {row['id']}, which has other content: "
                "send the same content again, or use another key."
            )
            broken = BrokenRule(field="idempotency_key", rule=rule, other_order_id=row["id"])
            bad.append(BadRow(index=index, rules=(broken,)))
    return bad


def _key_taken(taken: Sequence[BadRow], accepted: Sequence[AcceptableOrder], *, is_single: bool) -> errors.KeyTaken:
    first = taken[0]
    metadata: dict[str, object] = {
        "idempotency_key": accepted[first.index].idempotency_key,
        "order_id": first.rules[0].other_order_id,
    }
    if not is_single:
        metadata |= {"index": first.index, "bad_rows": len(taken)}
    return errors.KeyTaken(violations_of(taken, is_single=is_single), metadata)
