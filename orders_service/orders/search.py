"""One order with its history, and orders page by page."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from orders_service import cadastral, errors
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from orders_service.store.db import Connection, Database

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 500
MAX_EVENTS: Final = 500


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
    cad_num: str
    state: str
    status: str
    error: str | None
    rosreestr_user_id: int | None
    username: str | None
    order_number: str | None
    recipient: str | None
    comment: str | None
    idempotency_key: str | None
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
    username: str = ""
    only_on_hold: bool = False
    created_from: dt.datetime | None = None
    created_before: dt.datetime | None = None

    @property
    def fingerprint(self) -> str:
        """A short text that is equal for equal filters only."""
        content = [
            sorted(set(self.states)),
            self.cad_num,
            self.username,
            self.only_on_hold,
            self.created_from and self.created_from.isoformat(),
            self.created_before and self.created_before.isoformat(),
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Orders, newest first, and the token of the next page; empty: this was the last."""

    orders: tuple[OrderView, ...]
    next_page_token: str


async def get_order(database: Database, order_id: int) -> OrderView:
    """Return the order as it stands.

    Raises:
        NotFound: There is none with this id.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        return await read_order(connection, order_id)


async def list_events(database: Database, order_id: int) -> list[EventView]:
    """Return the last 500 steps of the order's life, oldest first; empty where there is no such order.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(load("search")["list_events"], {"id": order_id, "limit": MAX_EVENTS})
        return [EventView(**row) for row in await cursor.fetchall()]


async def list_orders(
    database: Database, filters: Filters, *, page_size: int = DEFAULT_PAGE, page_token: str = ""
) -> Page:
    """Return a page of orders, newest first.

    Paging goes by id, so orders that are accepted meanwhile move nothing.

    Raises:
        InvalidInput: The page's size or token, or the number, can't be used.
        NotFound: There is no account of that name.
        DatabaseUnavailable: The database is away.
    """
    if not 1 <= page_size <= MAX_PAGE:
        raise errors.InvalidInput.of("page_size", f"must be from 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}.")
    parameters: dict[str, object] = {
        "before_id": _read_token(page_token, filters) if page_token else None,
        "states": sorted(set(filters.states)) or None,
        "cad_key": _cad_key(filters.cad_num),
        "only_on_hold": filters.only_on_hold,
        "created_from": filters.created_from,
        "created_before": filters.created_before,
        "limit": page_size + 1,
    }
    async with database.transaction() as connection:
        parameters["account_id"] = await _find_account(connection, filters.username)
        # Unprepared: the plan then depends on which filters are given.
        cursor = await connection.execute(load("search")["list_ids"], parameters, prepare=False)
        ids = [row["id"] for row in await cursor.fetchall()]
        orders = {order.id: order for order in await read_orders(connection, ids[:page_size])}
    return Page(
        orders=tuple(orders[order_id] for order_id in ids[:page_size]),
        next_page_token=_write_token(ids[page_size - 1], filters) if len(ids) > page_size else "",
    )


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
    return [_order(row) for row in await cursor.fetchall()]


async def _find_account(connection: Connection, username: str) -> int | None:
    if not username:
        return None
    row = None
    if "\0" not in username:
        cursor = await connection.execute(load("search")["find_account"], {"username": username})
        row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("account", repr(username) if "\0" in username else username)
    return int(row["id"])


def _order(row: dict[str, Any]) -> OrderView:
    papers = tuple(PaperView(**paper) for paper in row.pop("papers"))
    return OrderView(**row, papers=papers)


def _cad_key(cad_num: str) -> str | None:
    if not cad_num:
        return None
    try:
        return cadastral.comparison_key(cad_num)
    except cadastral.CadNumError as exc:
        raise errors.InvalidInput.of("cad_num", str(exc)) from exc


def _write_token(last_id: int, filters: Filters) -> str:
    return base64.urlsafe_b64encode(f"{last_id}.{filters.fingerprint}".encode()).decode().rstrip("=")


def _read_token(token: str, filters: Filters) -> int:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        last_id, fingerprint = text.split(".")
        before_id = int(last_id)
    except (binascii.Error, ValueError) as exc:
        rule = "isn't one of this service's: take next_page_token as it came, or none for the first page."
        raise errors.InvalidInput.of("page_token", rule) from exc
    if fingerprint != filters.fingerprint:
        rule = "belongs to other filters: ask with the same filters, or without a token for the first page."
        raise errors.InvalidInput.of("page_token", rule)
    return before_id
