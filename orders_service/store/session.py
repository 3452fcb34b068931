"""What a session with PostgreSQL must be like: set on each new connection, and looked at by each transaction.

By statements after connecting, never by startup parameters: a pooler refuses those, or drops them without a word, and
what was acknowledged then rests on the server's defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import DictRow

from orders_service import errors
from orders_service.store.queries import load

if TYPE_CHECKING:
    from orders_service.settings import DatabaseSettings

#: Above what the relay needs for a batch on a slow line to the queue; below what anybody would wait for a lock.
_IDLE_IN_TRANSACTION_S: Final = 300


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection whose rows are dictionaries, and which knows what its session was set to."""

    #: Each setting of `pinned` that the server knows, as the server spells its value.
    session: dict[str, str] | None = None


def pinned(settings: DatabaseSettings) -> dict[str, str]:
    """Return what the code takes for granted about its session, by name: roles, databases and servers have others."""
    return {
        # A commit that is answered is on disk, here and where the server waits for standbys.
        "synchronous_commit": "on",
        # What bounds a call is ours to say; nothing else ends a statement, a wait or an idle connection.
        "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_S * 1000}",
        "lock_timeout": "0",
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
        # Updates look at the row again that somebody else changed a moment ago: the guards of each move rest on it.
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        # How values travel.
        "client_encoding": "UTF8",
        "TimeZone": "UTC",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "array_nulls": "on",
        "standard_conforming_strings": "on",
    }


async def pin(connection: Connection, settings: DatabaseSettings) -> None:
    """Set the session to what is taken for granted.

    Raises:
        psycopg.Error: The server doesn't let it.
    """
    wanted = pinned(settings)
    parameters = {"names": list(wanted), "values": list(wanted.values())}
    cursor = await connection.execute(load("session")["pin"], parameters)
    connection.session = {row["name"]: row["value"] for row in await cursor.fetchall()}


async def begin(connection: Connection, settings: DatabaseSettings, *, is_durable: bool = True) -> None:
    """Open a transaction on a pinned connection, and make sure that it may be trusted with an order.

    Costs what a bare BEGIN costs. A session that was swapped behind our back, a server that became a standby and one
    that was told to forget are all noticed before the first statement.

    Raises:
        UnsafeServer: It may not; the transaction is open all the same.
        psycopg.Error: The connection is broken.
    """
    # Two statements in one message: such a one can't be prepared.
    cursor = await connection.execute(load("session")["begin"], prepare=False)
    cursor.nextset()
    found = await cursor.fetchone()
    assert found is not None
    _check(found, connection.session or {}, settings, is_durable=is_durable)


async def require_fit(connection: Connection, settings: DatabaseSettings, *, is_durable: bool = True) -> None:
    """Make sure that a pinned connection may be trusted with an order.

    Args:
        is_durable: Also that its server keeps what it acknowledged; else only that it takes and keeps it as it is.

    Raises:
        UnsafeServer: It may not.
        psycopg.Error: The connection is broken.
    """
    await begin(connection, settings, is_durable=is_durable)
    await connection.rollback()


def _check(found: dict[str, Any], session: dict[str, str], settings: DatabaseSettings, *, is_durable: bool) -> None:
    where = f"PostgreSQL at {settings.where}"
    if found["server_encoding"] != "UTF8":
        raise errors.UnsafeServer(
            f"The database {settings.name!r} at {settings.where} has the encoding {found['server_encoding']}: what the "
            "portal answers to a payment might not be stored. Make one with encoding UTF8 (`orders-service migrate "
            "--create-database` does, under a DB_NAME that there isn't yet), and move the data by pg_dump."
        )
    if found["is_standby"]:
        raise errors.ReadOnlyServer(f"{where} is a standby: point DB_HOST to the primary.")
    if found["is_read_only"]:
        raise errors.ReadOnlyServer(
            f"{where} takes no changes (default_transaction_read_only is on): point DB_HOST to the server that does, "
            "or switch that off."
        )
    for setting in ("fsync", "full_page_writes"):
        if is_durable and found[setting] != "on":
            raise errors.UnsafeServer(
                f"{where} runs with {setting} = {found[setting]}: a crash may lose acknowledged payments. "
                f"Set {setting} = on."
            )
    if found["session_replication_role"] != "origin":
        raise errors.UnsafeServer(
            f"{where} skips triggers and foreign keys (session_replication_role = "
            f"{found['session_replication_role']}): take that from user {settings.username!r}."
        )
    for name, value in session.items():
        if found[name] != value:
            raise errors.UnsafeServer(
                f"{where} doesn't keep what a session is set to ({name} is {found[name]}, not {value}): a pooler in "
                "between must give each connection a session of its own (PgBouncer: pool_mode = session)."
            )
