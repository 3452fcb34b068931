"""PostgreSQL as the service sees it: a pool, transactions, and one error when it is away."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg
import psycopg_pool
from psycopg import errors as pg
from psycopg.rows import DictRow, dict_row

from orders_service import errors
from orders_service.settings import DatabaseSettings, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: A connection whose rows are dictionaries.
Connection: TypeAlias = psycopg.AsyncConnection[DictRow]

APPLICATION_NAME: Final = "orders-service"

# A standby that was written to by mistake answers with this: the primary is elsewhere, and will be back.
_AWAY: Final = (psycopg.OperationalError, pg.ReadOnlySqlTransaction)
_NOT_MIGRATED: Final = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.UndefinedObject)


class Database:
    """A pool of connections to PostgreSQL, in which every commit is on disk before it is answered.

    The pool reconnects by itself. Before a connection is lent it is asked whether it lives, so a restart of the
    server costs no call but those that were under way.
    """

    def __init__(self, settings: Settings | DatabaseSettings, *, application_name: str = APPLICATION_NAME) -> None:
        self.settings = settings.db if isinstance(settings, Settings) else settings
        self._pool = psycopg_pool.AsyncConnectionPool(
            kwargs={**connection_arguments(self.settings, application_name=application_name), "autocommit": True},
            connection_class=psycopg.AsyncConnection[DictRow],
            min_size=1,
            max_size=self.settings.pool_size,
            timeout=self.settings.acquire_timeout_s,
            check=psycopg_pool.AsyncConnectionPool.check_connection,
            name=application_name,
            open=False,
        )

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnavailable: The server doesn't answer, or refuses the login.
            DatabaseMissing: The server has no such database.
        """
        # Once by hand: the pool only says "timeout", and a person needs the reason.
        connection = await connect(self.settings)
        await connection.close()
        try:
            await self._pool.open(wait=True, timeout=self.settings.acquire_timeout_s)
        except _AWAY as exc:
            await self._pool.close()
            raise self._unavailable(exc) from exc

    async def close(self) -> None:
        """Close all connections; safe to repeat."""
        await self._pool.close()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Run the block in one transaction: committed at its end, rolled back by any exception.

        Raises:
            DatabaseUnavailable: No connection could be had in time, or it broke. Nothing was stored, unless
                `is_outcome_unknown`.
            NotMigrated: The schema lacks something that a statement names.
        """
        is_committing = False
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield connection
                is_committing = True
        except _AWAY as exc:
            raise self._unavailable(exc, is_outcome_unknown=is_committing) from exc
        except _NOT_MIGRATED as exc:
            raise errors.NotMigrated([]) from exc

    async def connect(self) -> Connection:
        """Open a connection of the caller's own, outside the pool (autocommit); the caller closes it.

        Raises:
            DatabaseUnavailable: The server doesn't answer, or refuses the login.
        """
        return await connect(self.settings)

    def _unavailable(self, exc: Exception, *, is_outcome_unknown: bool = False) -> errors.DatabaseUnavailable:
        return unavailable(self.settings, exc, is_outcome_unknown=is_outcome_unknown)


def connection_arguments(
    settings: DatabaseSettings, *, name: str | None = None, application_name: str = APPLICATION_NAME
) -> dict[str, object]:
    """Return the arguments of `psycopg.connect` for these settings; `name` is another database of the same server."""
    options = {
        # A commit that is answered is on disk, here and where the server waits for standbys. Whatever the server's
        # default says: what was acknowledged is never forgotten.
        "synchronous_commit": "on",
        "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}",
        # Above what the relay needs for a batch on a slow line to the queue; below what anybody would wait for a lock.
        "idle_in_transaction_session_timeout": "300000",
        "TimeZone": "UTC",
    }
    arguments: dict[str, object] = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.username,
        "password": settings.password,
        "dbname": name or settings.name,
        "application_name": application_name,
        "client_encoding": "UTF8",
        "connect_timeout": max(2, round(settings.connect_timeout_s)),
        "options": " ".join(f"-c {key}={value}" for key, value in options.items()),
        "row_factory": dict_row,
    }
    if not settings.is_socket:
        # A server that vanished without a word is noticed within some 15 s, also by a connection that only listens.
        arguments |= {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 15000}
    return arguments


async def connect(settings: DatabaseSettings, *, name: str | None = None) -> Connection:
    """Open one connection, in autocommit; the caller closes it.

    Raises:
        DatabaseUnavailable: The server doesn't answer, or refuses the login.
        DatabaseMissing: The server has no such database.
    """
    try:
        connection: Connection = await psycopg.AsyncConnection.connect(
            **connection_arguments(settings, name=name),  # type: ignore[arg-type]
            autocommit=True,
        )
    except _AWAY as exc:
        # libpq gives no SQLSTATE for a refused startup: the words are all there is.
        if "database" in str(exc) and "does not exist" in str(exc):
            raise errors.DatabaseMissing(name or settings.name, settings.where) from exc
        raise errors.DatabaseUnavailable(
            f"PostgreSQL at {settings.where} can't be reached ({_reason(exc)}): start it, or set DB_HOST, DB_PORT, "
            "DB_USERNAME and DB_PASSWORD."
        ) from exc
    return connection


def unavailable(
    settings: DatabaseSettings, exc: Exception, *, is_outcome_unknown: bool = False
) -> errors.DatabaseUnavailable:
    """Make the error of a database that is away, with the server's reason on one line and what to do."""
    reason = _reason(exc)
    if is_outcome_unknown:
        message = (
            f"PostgreSQL at {settings.where} went away during the commit ({reason}): it isn't known whether "
            "the change was stored. Repeat the call."
        )
    else:
        message = f"PostgreSQL at {settings.where} can't be used ({reason}); nothing was stored. Try again."
    return errors.DatabaseUnavailable(message, is_outcome_unknown=is_outcome_unknown)


def _reason(exc: Exception) -> str:
    """Return what libpq says, without its own advice and its repetitions."""
    text = " ".join(str(exc).split()).partition(" Is the server running")[0]
    return text.rpartition(" failed: ")[2].removeprefix("FATAL: ").strip() or type(exc).__name__
