"""Add, show and change accounts. No answer and no log line holds a secret."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from psycopg import errors as pg

from orders_service import errors
from orders_service.accounts import session
from orders_service.accounts.validation import AccountChange, check_change, check_name, is_possible
from orders_service.crypto import PASSWORD, SESSION, TOTP
from orders_service.domain import paging
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.crypto import Secretbox
    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)

#: What the token of a page of accounts belongs to.
_LISTED: Final = "accounts"
#: Which account: by its id or its name.
Which: TypeAlias = int | str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account without its secrets; `open_orders` are those that are bound to it."""

    id: int
    account: str
    gu_login: str | None
    is_active: bool
    comment: str | None
    declarant_category: str | None
    role: str | None
    has_password: bool
    has_session: bool
    has_totp: bool
    standby_kind: str | None
    standby_reason: str | None
    standby_until: dt.datetime | None
    open_orders: int
    epoch: int
    opened_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Accounts by id, and whether there are more."""

    accounts: tuple[AccountView, ...]
    has_more: bool


async def create_account(
    database: Database, box: Secretbox, name: str, change: AccountChange, *, is_active: bool = True
) -> AccountView:
    """Add an account.

    Raises:
        InvalidInput: A field breaks its rule; nothing was stored.
        AccountExists: The name is taken.
        DatabaseUnavailable: The database is away.
    """
    check_name(name)
    check_change(change)
    password = await _seal(box, change.password, name, PASSWORD)
    parameters = {
        "username": name,
        "password_encrypted": password,
        "totp_encrypted": await _seal(box, change.totp_secret, name, TOTP),
        "gu_login": change.gu_login or None,
        "is_active": is_active,
        "declarant_category": change.declarant_category or None,
        "role": (change.role or "").strip() or None,
        "comment": change.comment or None,
    }
    async with database.transaction() as connection:
        cursor = await connection.execute(load("accounts")["insert_account"], parameters)
        if await cursor.fetchone() is None:
            raise errors.AccountExists(name)
        account = await _read(connection, name)
    logger.info("Added an account", extra={"event": "account_added", "account": name, "account_id": account.id})
    return account


async def get_account(database: Database, which: Which) -> AccountView:
    """Return the account with this id or name.

    Raises:
        NotFound: There is none.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        return await _read(connection, which)


async def list_accounts(database: Database, *, page_size: int = 0, page_token: str = "") -> Page:
    """Return a page of accounts, by id.

    Raises:
        InvalidInput: The page's size or token can't be used.
        DatabaseUnavailable: The database is away.
    """
    size = paging.read_size(page_size)
    parameters = {"after_id": paging.read_token(page_token, _LISTED) or 0, "limit": size + 1}
    async with database.transaction() as connection:
        cursor = await connection.execute(load("accounts")["list_accounts"], _selection(**parameters))
        rows = [AccountView(**row) for row in await cursor.fetchall()]
    return Page(accounts=tuple(rows[:size]), has_more=len(rows) > size)


def page_token(last: AccountView) -> str:
    """Return the token of the page after this account."""
    return paging.write_token(last.id, _LISTED)


async def update_account(database: Database, box: Secretbox, which: Which, change: AccountChange) -> AccountView:
    """Change what is given and leave the rest. A new password or session ends a standby that waits for one.

    Raises:
        InvalidInput: A field breaks its rule; nothing was changed.
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    check_change(change)
    # The name goes into what is sealed, and never changes.
    name = (await get_account(database, which)).account
    cookies = session.write(change.session) if change.session else None
    parameters = {
        "username": name,
        "sets_password": change.password is not None,
        "password_encrypted": await _seal(box, change.password, name, PASSWORD),
        "sets_totp": change.totp_secret is not None,
        "totp_encrypted": await _seal(box, change.totp_secret, name, TOTP),
        "sets_session": change.session is not None,
        "session_encrypted": await _seal(box, cookies, name, SESSION),
        "sets_gu_login": change.gu_login is not None,
        "gu_login": change.gu_login or None,
        "sets_declarant_category": change.declarant_category is not None,
        "declarant_category": change.declarant_category or None,
        "sets_role": change.role is not None,
        "role": (change.role or "").strip() or None,
        "sets_comment": change.comment is not None,
        "comment": change.comment or None,
    }
    async with database.transaction() as connection:
        await connection.execute(load("accounts")["update_account"], parameters)
        account = await _read(connection, name)
    fields = [name for name in AccountChange.__slots__ if getattr(change, name) is not None]
    _log("Changed an account", "account_changed", account, fields=",".join(fields))
    return account


async def deactivate_account(database: Database, which: Which) -> AccountView:
    """Take no new orders with the account; its own are still collected. Safe to repeat.

    Raises:
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    return await _switch(database, which, "deactivate_account", "account_deactivated")


async def activate_account(database: Database, which: Which) -> AccountView:
    """Take new orders with the account again, whatever was in the way. Safe to repeat.

    Where it turned out to be another person at the portal than before, that is confirmed by it.

    Raises:
        SamePerson: Another account takes orders as the same person.
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    try:
        return await _switch(database, which, "activate_account", "account_activated")
    except pg.UniqueViolation as exc:
        async with database.transaction() as connection:
            name = (await _read(connection, which)).account
            twin = await (await connection.execute(load("accounts")["find_twin"], {"username": name})).fetchone()
        raise errors.SamePerson(name, twin["username"] if twin is not None else "of another name") from exc


async def _switch(database: Database, which: Which, statement: str, event: str) -> AccountView:
    async with database.transaction() as connection:
        account = await _read(connection, which)
        await connection.execute(load("accounts")[statement], {"username": account.account})
        account = await _read(connection, account.id)
    _log("Switched an account", event, account)
    return account


async def _read(connection: Connection, which: Which) -> AccountView:
    is_id = isinstance(which, int)
    row = None
    # PostgreSQL isn't bothered with a name that no account can have (it takes no NUL, for one).
    if isinstance(which, int) or is_possible(which):
        selection = _selection(id=which) if is_id else _selection(name=which)
        cursor = await connection.execute(load("accounts")["list_accounts"], selection)
        row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("account", which, field="account_id" if is_id else "account")
    return AccountView(**row)


def _selection(**which: object) -> dict[str, object]:
    return {"id": None, "name": None, "after_id": 0, "limit": 1, **which}


async def _seal(box: Secretbox, text: str | None, username: str, purpose: str) -> str | None:
    """Seal a text; None and the empty text stay nothing. In a thread: deriving the key is slow by design."""
    if not text:
        return None
    return await asyncio.to_thread(box.seal, text, username=username, purpose=purpose)


def _log(message: str, event: str, account: AccountView, **more: str) -> None:
    logger.info(message, extra={"event": event, "account": account.account, "account_id": account.id, **more})
