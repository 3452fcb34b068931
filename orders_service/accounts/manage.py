"""Add, show and change accounts. No answer and no log line holds a secret."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.accounts.validation import AccountChange, check_change, check_username
from orders_service.crypto import PASSWORD, SESSION
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.crypto import Secretbox
    from orders_service.store.db import Connection, Database

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account without its secrets; `open_orders` are those that are bound to it."""

    id: int
    username: str
    gu_login: str | None
    is_active: bool
    comment: str | None
    declarant_category: str | None
    has_password: bool
    has_session: bool
    standby_kind: str | None
    standby_reason: str | None
    standby_until: dt.datetime | None
    open_orders: int
    epoch: int
    opened_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


async def create_account(
    database: Database, box: Secretbox, username: str, change: AccountChange, *, is_active: bool = True
) -> AccountView:
    """Add an account.

    Raises:
        InvalidInput: A field breaks its rule; nothing was stored.
        AlreadyExists: The name is taken.
        DatabaseUnavailable: The database is away.
    """
    check_username(username)
    check_change(change)
    password = await _seal(box, change.password, username, PASSWORD)
    parameters = {
        "username": username,
        "password_encrypted": password,
        "gu_login": change.gu_login or None,
        "is_active": is_active,
        "declarant_category": change.declarant_category or None,
        "comment": change.comment or None,
    }
    async with database.transaction() as connection:
        cursor = await connection.execute(load("accounts")["insert_account"], parameters)
        if await cursor.fetchone() is None:
            raise errors.AlreadyExists(f"There is an account {username} already: change it, or choose another name.")
        account = await _read(connection, username=username)
    logger.info("Added an account", extra={"event": "account_added", "account": username, "account_id": account.id})
    return account


async def get_account(database: Database, *, account_id: int | None = None, username: str | None = None) -> AccountView:
    """Return the account with this id or username.

    Raises:
        NotFound: There is none.
        DatabaseUnavailable: The database is away.
    """
    if username is not None:
        _require_possible(username)
    async with database.transaction() as connection:
        return await _read(connection, account_id=account_id, username=username)


async def list_accounts(database: Database) -> list[AccountView]:
    """Return all accounts, by id.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(load("accounts")["list_accounts"], {"id": None, "username": None})
        return [AccountView(**row) for row in await cursor.fetchall()]


async def update_account(database: Database, box: Secretbox, username: str, change: AccountChange) -> AccountView:
    """Change what is given and leave the rest. A new password or session ends a standby that waits for one.

    Raises:
        InvalidInput: A field breaks its rule; nothing was changed.
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    _require_possible(username)
    check_change(change)
    cookies = json.dumps(dict(change.session), ensure_ascii=False) if change.session else None
    parameters = {
        "username": username,
        "sets_password": change.password is not None,
        "password_encrypted": await _seal(box, change.password, username, PASSWORD),
        "sets_session": change.session is not None,
        "session_encrypted": await _seal(box, cookies, username, SESSION),
        "sets_gu_login": change.gu_login is not None,
        "gu_login": change.gu_login or None,
        "sets_declarant_category": change.declarant_category is not None,
        "declarant_category": change.declarant_category or None,
        "sets_comment": change.comment is not None,
        "comment": change.comment or None,
        "ends_standby": bool(change.password or change.session),
    }
    async with database.transaction() as connection:
        await connection.execute(load("accounts")["update_account"], parameters)
        account = await _read(connection, username=username)
    fields = [name for name in AccountChange.__slots__ if getattr(change, name) is not None]
    _log("Changed an account", "account_changed", account, fields=",".join(fields))
    return account


async def deactivate_account(database: Database, username: str) -> AccountView:
    """Take no new orders with the account; its own are still collected. Safe to repeat.

    Raises:
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    return await _switch(database, username, "deactivate_account", "account_deactivated")


async def activate_account(database: Database, username: str) -> AccountView:
    """Take new orders with the account again, whatever was in the way. Safe to repeat.

    Raises:
        NotFound: There is no such account.
        DatabaseUnavailable: The database is away.
    """
    return await _switch(database, username, "activate_account", "account_activated")


async def _switch(database: Database, username: str, statement: str, event: str) -> AccountView:
    _require_possible(username)
    async with database.transaction() as connection:
        await connection.execute(load("accounts")[statement], {"username": username})
        account = await _read(connection, username=username)
    _log("Switched an account", event, account)
    return account


async def _read(connection: Connection, *, account_id: int | None = None, username: str | None = None) -> AccountView:
    parameters = {"id": account_id, "username": username}
    cursor = await connection.execute(load("accounts")["list_accounts"], parameters)
    row = await cursor.fetchone()
    if row is None:
        raise errors.NotFound("account", account_id if username is None else username)
    return AccountView(**row)


def _require_possible(username: str) -> None:
    """Answer for a name that no account can have before PostgreSQL is bothered (it takes no NUL, for one)."""
    try:
        check_username(username)
    except errors.InvalidInput as exc:
        raise errors.NotFound("account", repr(username)) from exc


async def _seal(box: Secretbox, text: str | None, username: str, purpose: str) -> str | None:
    """Seal a text; None and the empty text stay nothing. In a thread: deriving the key is slow by design."""
    if not text:
        return None
    return await asyncio.to_thread(box.seal, text, username=username, purpose=purpose)


def _log(message: str, event: str, account: AccountView, **more: str) -> None:
    logger.info(message, extra={"event": event, "account": account.username, "account_id": account.id, **more})
