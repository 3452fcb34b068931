"""The audit: who did what, why, from where, and what it changed.

A call has two rows: one before it is made, so that nothing is done without a trace, and one after it with how it
ended. A row that stands alone belongs to a call of which that isn't known. Both are written without waiting for the
disk: the change itself is, and PostgreSQL writes its log in order, so a change that is kept has its first row kept.

Orders that are accepted have the second row alone, and get it a moment later (`scribe`): there are many of them, and an
order says by itself whose it is, and since when.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from orders_service.access.callers import Caller
    from orders_service.store.db import Connection, Database

_SQL: Final = load("audit")

OK: Final = "OK"
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1000
#: A call may be about ten thousand orders: the row names the first of them, and `request` says how many there were.
MAX_ORDERS: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a caller is about to do.

    Attributes:
        action: The call, like `OperatorService/SettleByNumber`.
        origin: From where: the other end of the connection.
        order_ids: The orders that it names.
        account: The account that it names, or works for; None: none.
        account_id: The same, where it is named by its id.
        reason: Why, in the caller's words; empty: it didn't say.
        request: What was asked, without secrets and without personal data.
    """

    caller: Caller
    action: str
    origin: str
    order_ids: tuple[int, ...] = ()
    account: str | None = None
    account_id: int | None = None
    reason: str = ""
    request: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    call_id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows to list; every one that is given must hold."""

    order_id: int | None = None
    account: str | None = None
    actor: str | None = None
    since: dt.datetime | None = None
    before_id: int | None = None
    limit: int = DEFAULT_PAGE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """A call as the audit tells it. `outcome` None: it isn't known how it ended."""

    id: int
    at: dt.datetime
    actor: str
    origin: str
    action: str
    order_ids: tuple[int, ...]
    account: str | None
    reason: str | None
    request: Mapping[str, Any] | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    outcome: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a deed ended.

    Attributes:
        outcome: OK, or the code of the refusal.
        order_ids: Orders that the answer named, where the request named none.
    """

    deed: Deed
    outcome: str
    order_ids: tuple[int, ...] = ()


async def begin(database: Database, deed: Deed) -> Deed:
    """Write down what is about to be done, and how what it is about stands; return the deed with its account's name.

    Raises:
        DatabaseUnavailable: The database is away: then nothing may be done either.
    """
    async with database.transaction() as connection:
        before = await _look(connection, deed)
        if deed.account is None and before.get("account"):
            deed = dataclasses.replace(deed, account=before["account"]["account"])
        await connection.execute(_SQL["add_asked"], {**_parameters(deed), "before": _json(before)})
    return deed


async def end(database: Database, done: Done) -> None:
    """Write down how it ended, and how what it is about stands now.

    Raises:
        DatabaseUnavailable: The database is away: the first row stands alone, which is the truth.
    """
    async with database.transaction() as connection:
        deed = dataclasses.replace(done.deed, order_ids=done.deed.order_ids or done.order_ids)
        after = await _look(connection, deed) if done.outcome == OK else {}
        await connection.execute(_SQL["add_done"], _end_parameters(done, after))


async def end_many(database: Database, dones: Sequence[Done]) -> None:
    """Write down how several ended, without a look at what they were about.

    Raises:
        DatabaseUnavailable: The database is away, and none was written.
    """
    async with database.transaction() as connection, connection.cursor() as cursor:
        await cursor.executemany(_SQL["add_done"], [_end_parameters(done, {}) for done in dones])


async def list_audit(database: Database, filters: Filters) -> list[AuditView]:
    """Return what was done, newest first.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(_SQL["list_audit"], dataclasses.asdict(filters), prepare=False)
        return [AuditView(**{**row, "order_ids": tuple(row["order_ids"])}) for row in await cursor.fetchall()]


async def _look(connection: Connection, deed: Deed) -> dict[str, Any]:
    """Return how orders and account of the deed stand: nothing that is secret or personal."""
    seen: dict[str, Any] = {}
    if deed.order_ids:
        cursor = await connection.execute(_SQL["look_at_orders"], {"ids": list(deed.order_ids[:MAX_ORDERS])})
        seen["orders"] = [row["seen"] for row in await cursor.fetchall()]
    if deed.account or deed.account_id:
        parameters = {"account": deed.account, "account_id": deed.account_id}
        cursor = await connection.execute(_SQL["look_at_account"], parameters)
        row = await cursor.fetchone()
        seen["account"] = row["seen"] if row else None
    return seen


def _end_parameters(done: Done, after: Mapping[str, Any]) -> dict[str, Any]:
    deed = dataclasses.replace(done.deed, order_ids=done.deed.order_ids or done.order_ids)
    return {**_parameters(deed), "after": _json(after), "outcome": done.outcome}


def _parameters(deed: Deed) -> dict[str, Any]:
    return {
        "call_id": deed.call_id,
        "actor": deed.caller.actor,
        "token_id": deed.caller.token_id,
        "origin": deed.origin,
        "action": deed.action,
        "order_ids": list(deed.order_ids[:MAX_ORDERS]),
        "account": deed.account,
        "reason": deed.reason or None,
        "request": _json(deed.request),
    }


def _json(value: Mapping[str, Any]) -> Jsonb | None:
    return Jsonb(dict(value)) if value else None
