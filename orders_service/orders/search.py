"""Orders one by one and page by page, and their history."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from orders_service import cadastral, errors
from orders_service.domain import paging
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from orders_service.store.db import Connection, Database

#: Whole orders are long: more of them wouldn't fit into the 4 MiB that most clients take.
MAX_BATCH: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A file that came of an order; `kind` is extract, notice or quarantined."""

    kind: str
    sha256: str
    size_bytes: int
    file_name: str
    registration_number: str | None
    reason: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order as a client sees it; `state` is the name in the database, `status` the label for people."""

    id: int
    client: str
    idempotency_key: str | None
    cad_num: str
    state: str
    status: str
    error: str | None
    account_id: int | None
    account: str | None
    order_number: str | None
    recipient: str | None
    comment: str | None
    is_urgent: bool
    hold_reason: str | None
    portal_status: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    registered_at: dt.datetime | None
    finished_at: dt.datetime | None
    next_at: dt.datetime | None
    papers: tuple[PaperView, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One step of an order's life."""

    id: int
    at: dt.datetime
    actor: str
    kind: str
    from_state: str | None
    to_state: str | None
    reason: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which orders to list; every one that is given must hold."""

    states: tuple[str, ...] = ()
    cad_num: str = ""
    account: str = ""
    only_on_hold: bool = False
    client: str | None = None
    created_from: dt.datetime | None = None
    created_before: dt.datetime | None = None

    @property
    def content(self) -> list[object]:
        """What a page's token belongs to: equal for equal filters only."""
        return [
            sorted(set(self.states)),
            self.cad_num,
            self.account,
            self.only_on_hold,
            self.client,
            self.created_from and self.created_from.isoformat(),
            self.created_before and self.created_before.isoformat(),
        ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Orders, newest first, and whether there are more."""

    orders: tuple[OrderView, ...]
    has_more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Steps of an order's life in the order asked for, and whether there are more."""

    events: tuple[EventView, ...]
    has_more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Those of several orders that exist, by id, and which don't."""

    orders: tuple[OrderView, ...]
    missing_ids: tuple[int, ...]
    missing_keys: tuple[str, ...]


async def get_order(database: Database, order_id: int) -> OrderView:
    """Return the order as it stands.

    Raises:
        NotFound: There is none with this id.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        return await read_order(connection, order_id)


async def get_order_by_key(database: Database, key: str, *, client: str = "") -> OrderView:
    """Return the client's order of this idempotency key as it stands.

    Raises:
        NotFound: There is none.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        ids = await _find_by_keys(connection, [key], client)
        if not ids:
            raise errors.NotFound("order", key, field="idempotency_key", told=f"with the key {key!r}")
        return await read_order(connection, ids[key])


async def get_orders(
    database: Database,
    ids: Sequence[int],
    keys: Sequence[str] = (),
    *,
    client: str = "",
    owned: str | None = None,
) -> Found:
    """Return several orders as they stand.

    Args:
        client: Whose keys they are.
        owned: The client whose orders are looked for alone, as if there were no others; None: those of all.

    Raises:
        InvalidInput: There are none asked for, or too many.
        DatabaseUnavailable: The database is away.
    """
    if not 1 <= len(ids) + len(keys) <= MAX_BATCH:
        raise errors.InvalidInput.of(
            "order_ids", f"and idempotency_keys: name 1 to {MAX_BATCH} orders in one call, not {len(ids) + len(keys)}."
        )
    async with database.transaction() as connection:
        by_key = await _find_by_keys(connection, keys, client) if keys else {}
        found = await read_orders(connection, [*ids, *by_key.values()])
    orders = {one.id: one for one in found if owned is None or one.client == owned}
    return Found(
        orders=tuple(orders[order_id] for order_id in sorted(orders)),
        missing_ids=tuple(one for one in dict.fromkeys(ids) if one not in orders),
        missing_keys=tuple(key for key in dict.fromkeys(keys) if key not in by_key),
    )


async def list_events(
    database: Database,
    order_id: int,
    *,
    after_id: int = 0,
    page_size: int = 0,
    page_token: str = "",
    newest_first: bool = False,
) -> EventPage:
    """Return a page of the order's life.

    Args:
        after_id: Only steps after this one.

    Raises:
        InvalidInput: The page's size or token can't be used.
        NotFound: There is no such order.
        DatabaseUnavailable: The database is away.
    """
    size = paging.read_size(page_size)
    last_id = paging.read_token(page_token, *event_list(order_id, after_id, newest_first=newest_first))
    parameters: dict[str, object] = {
        "id": order_id,
        "after_id": max(after_id, 0 if newest_first else last_id or 0),
        "before_id": last_id if newest_first else None,
        "limit": size + 1,
    }
    async with database.transaction() as connection:
        name = "list_latest_events" if newest_first else "list_events"
        cursor = await connection.execute(load("search")[name], parameters)
        events = [EventView(**row) for row in await cursor.fetchall()]
        if not events:
            await read_order(connection, order_id)
    return EventPage(events=tuple(events[:size]), has_more=len(events) > size)


def event_list(order_id: int, after_id: int, *, newest_first: bool) -> list[object]:
    """Return what the token of a page of events belongs to."""
    return [order_id, after_id, newest_first]


async def list_orders(database: Database, filters: Filters, *, page_size: int = 0, page_token: str = "") -> Page:
    """Return a page of orders, newest first.

    Paging goes by id, so orders that are accepted meanwhile move nothing.

    Raises:
        InvalidInput: The page's size or token, or the number, can't be used.
        NotFound: There is no account of that name.
        DatabaseUnavailable: The database is away.
    """
    size = paging.read_size(page_size)
    parameters: dict[str, object] = {
        "before_id": paging.read_token(page_token, *filters.content),
        "states": sorted(set(filters.states)) or None,
        "cad_key": _cad_key(filters.cad_num),
        "only_on_hold": filters.only_on_hold,
        "client": filters.client,
        "created_from": filters.created_from,
        "created_before": filters.created_before,
        "limit": size + 1,
    }
    async with database.transaction() as connection:
        parameters["account_id"] = await find_account(connection, filters.account)
        # Unprepared: the plan then depends on which filters are given.
        cursor = await connection.execute(load("search")["list_ids"], parameters, prepare=False)
        ids = [row["id"] for row in await cursor.fetchall()]
        orders = {order.id: order for order in await read_orders(connection, ids[:size])}
    return Page(orders=tuple(orders[order_id] for order_id in ids[:size]), has_more=len(ids) > size)


async def read_order(connection: Connection, order_id: int) -> OrderView:
    """Return the order as this transaction sees it.

    Raises:
        NotFound: There is none with this id.
    """
    orders = await read_orders(connection, [order_id])
    if not orders:
        raise errors.NotFound("order", order_id)
    return orders[0]


async def read_orders(connection: Connection, ids: Sequence[int]) -> list[OrderView]:
    """Return those of the orders that exist, as this transaction sees them, in no order."""
    cursor = await connection.execute(load("search")["read_orders"], {"ids": list(ids)})
    return [view_of(row) for row in await cursor.fetchall()]


async def _find_by_keys(connection: Connection, keys: Sequence[str], client: str) -> dict[str, int]:
    parameters = {"client": client, "keys": list(keys)}
    cursor = await connection.execute(load("search")["find_by_keys"], parameters)
    return {row["idempotency_key"]: row["id"] for row in await cursor.fetchall()}


async def find_account(connection: Connection, account: str) -> int | None:
    """Return the id of the account of this name; None where none is named.

    Raises:
        NotFound: There is no such account.
    """
    if not account:
        return None
    cursor = await connection.execute(load("search")["find_account"], {"account": account})
    row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("account", account)
    return int(row["id"])


def view_of(row: dict[str, Any]) -> OrderView:
    """Return an order from a row with the columns of `read_orders`."""
    papers = tuple(PaperView(**paper) for paper in row.pop("papers"))
    return OrderView(**row, papers=papers)


def _cad_key(cad_num: str) -> str | None:
    if not cad_num:
        return None
    try:
        return cadastral.comparison_key(cad_num)
    except cadastral.CadNumError as exc:
        raise errors.InvalidInput.of("cad_num", str(exc)) from exc
