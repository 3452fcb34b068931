"""Store the orders that a client asks for: all or none, and each idempotency key once."""

from __future__ import annotations

import dataclasses
import logging
import operator
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.orders.search import OrderView, read_orders, view_of
from orders_service.orders.validation import (
    AcceptableOrder,
    BadRow,
    BrokenRule,
    WantedOrder,
    check,
    violations_of,
)
from orders_service.store.long import array, read_rows
from orders_service.store.queries import load
from orders_service.turns import give_way, in_turn_if

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg.rows import DictRow

    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)

#: From so many on, what is done with all of them is done beside the event loop.
_MANY: Final = 100
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
    is_long = len(wanted) > _MANY
    acceptable, bad = await in_turn_if(is_long, check, wanted)
    keys = await in_turn_if(is_long, _array_of_keys, acceptable.values())
    async with database.transaction() as connection:
        known = await _find_by_keys(connection, client, keys)
    return await in_turn_if(is_long, lambda: sorted(bad + _taken(acceptable, known), key=lambda row: row.index))


async def _create(
    database: Database, wanted: Sequence[WantedOrder], *, client: str, with_orders: bool, is_single: bool = False
) -> list[CreatedOrder]:
    # Ten thousand numbers take a while to check: other calls go on meanwhile.
    is_long = len(wanted) > _MANY
    acceptable, bad = await in_turn_if(is_long, check, wanted)
    if bad:
        violations = await in_turn_if(is_long, violations_of, bad, is_single=is_single)
        raise errors.InvalidInput(violations, bad_rows=None if is_single else len(bad))
    accepted = list(acceptable.values())
    try:
        return await _store(database, accepted, client, with_orders=with_orders, is_single=is_single)
    except pg.UniqueViolation as exc:
        # Until the upgrade's last step a key is once for all clients, and two calls with the same one at one moment
        # see that constraint first.
        raise errors.DatabaseUnavailable(f"The schema is being upgraded ({exc.diag.constraint_name}).") from exc


async def _store(
    database: Database,
    accepted: Sequence[AcceptableOrder],
    client: str,
    *,
    with_orders: bool,
    is_single: bool,
) -> list[CreatedOrder]:
    is_long = len(accepted) > _MANY
    parameters = {} if is_single else await in_turn_if(is_long, _parameters, accepted, client)
    async with database.transaction() as connection:
        if is_single:
            created = await _insert_one(connection, accepted[0], client)
        else:
            created = await _insert(connection, parameters, is_long=is_long)
        missing = {index: order for index, order in enumerate(accepted) if index not in created}
        if missing:
            # Only now, in a statement of its own: it sees what a concurrent call with the same key committed.
            keys = await in_turn_if(len(missing) > _MANY, _array_of_keys, missing.values())
            known = await _find_by_keys(connection, client, keys)
            taken = await in_turn_if(len(missing) > _MANY, _taken, missing, known)
            if taken:
                raise _key_taken(taken, accepted, is_single=is_single)
            for index, order in missing.items():
                await give_way(index)
                row = known[order.idempotency_key]
                created[index] = CreatedOrder(order_id=row["id"], state=row["state"], is_existing=True)
        answered = [created[index] for index in range(len(accepted))]
        unread = [one.order_id for one in answered if one.order is None] if with_orders else []
        if unread:
            orders = {one.id: one for one in await read_orders(connection, unread)}
            answered = [one if one.order else dataclasses.replace(one, order=orders[one.order_id]) for one in answered]
    logger.info(
        "Accepted orders",
        extra={"event": "orders_accepted", "count": len(answered), "existing": len(missing)},
    )
    return answered


def _parameters(accepted: Sequence[AcceptableOrder], client: str) -> dict[str, str]:
    """Return the parameters of the statement that stores these orders."""
    return {
        "client": client,
        "cad_nums": array(order.cad_num for order in accepted),
        "cad_keys": array({order.cad_key for order in accepted}),
        "recipients": array(order.recipient for order in accepted),
        "comments": array(order.comment for order in accepted),
        "urgencies": array(order.is_urgent for order in accepted),
        "keys": array(order.idempotency_key for order in accepted),
        "hashes": array(order.request_hash for order in accepted),
    }


async def _insert(connection: Connection, parameters: Mapping[str, str], *, is_long: bool) -> dict[int, CreatedOrder]:
    """Insert what is new in one statement; by position, without those whose key was there before."""
    # Never prepared for many: from the eleventh time on the server's plan would be one for a few, and walk through ten
    # thousand rows for each of ten thousand.
    prepare = False if is_long else None
    cursor = await connection.execute(load("accept")["insert_orders"], parameters, prepare=prepare)
    open_of: dict[str, int] = {}
    stored: list[DictRow] = []
    async for rows in read_rows(cursor):
        open_of |= {row["cad_key"]: row["id"] for row in rows if row["position"] is None}
        stored += [row for row in rows if row["position"] is not None]
    stored.sort(key=operator.itemgetter("position"))
    created: dict[int, CreatedOrder] = {}
    for index, row in enumerate(stored):
        await give_way(index)
        created[row["position"] - 1] = CreatedOrder(
            order_id=row["id"], state="queued", is_existing=False, same_object=open_of.get(row["cad_key"])
        )
        # The statement doesn't see what it inserts itself: two of one object in one call.
        open_of[row["cad_key"]] = row["id"]
    return created


async def _insert_one(connection: Connection, order: AcceptableOrder, client: str) -> dict[int, CreatedOrder]:
    """Insert one order, and read it, in one round trip; empty where its key was there before."""
    parameters = {
        "client": client,
        "cad_num": order.cad_num,
        "cad_key": order.cad_key,
        "recipient": order.recipient,
        "comment": order.comment,
        "is_urgent": order.is_urgent,
        "key": order.idempotency_key,
        "hash": order.request_hash,
    }
    cursor = await connection.execute(load("accept")["insert_order"], parameters)
    row = await cursor.fetchone()
    if row is None:
        return {}
    same_object = row.pop("same_object")
    view = view_of(row)
    return {0: CreatedOrder(order_id=view.id, state=view.state, is_existing=False, same_object=same_object, order=view)}


def _array_of_keys(orders: Iterable[AcceptableOrder]) -> str:
    return array({order.idempotency_key for order in orders})


async def _find_by_keys(connection: Connection, client: str, keys: str) -> Mapping[str, DictRow]:
    cursor = await connection.execute(load("accept")["find_by_keys"], {"client": client, "keys": keys})
    return {row["idempotency_key"]: row async for rows in read_rows(cursor) for row in rows}


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
