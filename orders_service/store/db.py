"""PostgreSQL as the service sees it: a pool, transactions, and one error when it is away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import psycopg
import psycopg_pool
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from orders_service import errors
from orders_service.settings import DatabaseSettings, Settings
from orders_service.store import session
from orders_service.store.discreet import DiscreetCursor
from orders_service.store.session import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = [
    "APPLICATION_NAME",
    "OF_THE_DATABASE",
    "Connection",
    "Database",
    "connect",
    "connection_arguments",
    "unavailable",
]

APPLICATION_NAME: Final = "orders-service"

# A standby that was written to by mistake answers with this: the primary is elsewhere, and will be back.
_AWAY: Final = (psycopg.OperationalError, pg.ReadOnlySqlTransaction)
_NOT_MIGRATED: Final = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.UndefinedObject)
#: A plan that the schema has left behind: the next try makes another.
_CHANGED: Final = (pg.FeatureNotSupported,)
#: What a statement meets whatever row it is about: the database's trouble, which no order may be held for.
OF_THE_DATABASE: Final = (
    *_AWAY,
    *_NOT_MIGRATED,
    *_CHANGED,
    pg.InsufficientPrivilege,
    pg.InvalidSchemaName,
    errors.DatabaseUnavailable,
    errors.DatabaseUnfit,
)
#: How long the pool tries by itself, at growing distances; whoever asks after that makes it try at once.
_RECONNECT_S: Final = 5.0


class Database:
    """A pool of connections to PostgreSQL, in which every commit is on disk before it is answered.

    The pool reconnects by itself. Each transaction begins with a look at its session and server, so a restart of the
    server costs no call but those that were under way, and a connection to a server that was demoted is let go of.
    """

    def __init__(self, settings: Settings | DatabaseSettings, *, application_name: str = APPLICATION_NAME) -> None:
        self.settings = settings.db if isinstance(settings, Settings) else settings
        #: Why the latest new connection wasn't taken; None: it was.
        self._refusal: errors.DatabaseUnfit | None = None
        self._pool = psycopg_pool.AsyncConnectionPool(
            kwargs={**connection_arguments(self.settings, application_name=application_name), "autocommit": True},
            connection_class=Connection,
            min_size=1,
            max_size=self.settings.pool_size,
            timeout=self.settings.acquire_timeout_s,
            reconnect_timeout=_RECONNECT_S,
            configure=self._configure,
            name=application_name,
            open=False,
        )

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnavailable: The server doesn't answer, or refuses the login.
            DatabaseMissing: The server has no such database.
            UnsafeServer: It mustn't be trusted with an order as it is.
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
            DatabaseUnavailable: No connection to a server that may be trusted could be had in time, or it broke.
                Nothing was stored, unless `is_outcome_unknown`.
            NotMigrated: The schema lacks something that a statement names.
            RightMissing: This user may not do what a statement does.
        """
        connection = await self._begin()
        is_committing = False
        try:
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(psycopg.Error):
                    await connection.rollback()
                raise
            if connection.pgconn.transaction_status == TransactionStatus.INERROR:
                # A COMMIT would be answered, and mean nothing.
                raise psycopg.InternalError("a statement had failed, and nobody was told")
            is_committing = True
            await connection.commit()
        except pg.ReadOnlySqlTransaction as exc:
            await connection.close()
            raise self._unavailable(exc) from exc
        except psycopg.OperationalError as exc:
            raise self._unavailable(exc, is_outcome_unknown=is_committing) from exc
        except (*_NOT_MIGRATED, pg.InvalidSchemaName) as exc:
            raise errors.NotMigrated([]) from exc
        except pg.InsufficientPrivilege as exc:
            raise errors.RightMissing(self.settings.username, _reason(exc)) from exc
        except _CHANGED as exc:
            await connection.close()
            raise self._unavailable(exc) from exc
        finally:
            await self._pool.putconn(connection)

    async def require_fit(self) -> None:
        """Make sure that the database answers, and may be trusted with an order.

        Raises:
            DatabaseUnavailable: It doesn't, or mayn't.
        """
        async with self.transaction():
            pass

    async def connect(self) -> Connection:
        """Open a connection of the caller's own, outside the pool (autocommit); the caller closes it.

        Raises:
            DatabaseUnavailable: The server doesn't answer, refuses the login, or mayn't be trusted with an order now.
        """
        try:
            return await connect(self.settings)
        except errors.UnsafeServer as exc:
            raise self._unfit(exc) from exc

    async def _begin(self) -> Connection:
        """Open a transaction on a connection that lives, to a server that may be trusted; others are let go of."""
        deadline = asyncio.get_running_loop().time() + self.settings.acquire_timeout_s
        trouble: BaseException | None = None
        # One that is bad is followed by those that were opened with it; whoever meets only bad ones meets a bad server.
        for _ in range(self.settings.pool_size + 1):
            connection = await self._lend(deadline)
            try:
                await session.begin(connection, self.settings)
            except BaseException as exc:
                await connection.close()
                await self._pool.putconn(connection)
                trouble = exc
                if not isinstance(exc, (psycopg.Error, errors.UnsafeServer)):
                    raise
            else:
                return connection
        assert trouble is not None
        if isinstance(trouble, errors.UnsafeServer):
            raise self._unfit(trouble) from trouble
        raise self._unavailable(trouble) from trouble

    async def _lend(self, deadline: float) -> Connection:
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            return await self._pool.getconn(timeout=left_s)
        except psycopg.OperationalError as exc:
            if self._refusal is not None:
                raise self._unfit(self._refusal) from exc
            raise self._unavailable(exc) from exc

    async def _configure(self, connection: Connection) -> None:
        """Make a new connection of the pool what it must be, or refuse it: the pool tries again."""
        try:
            await session.pin(connection, self.settings)
            await session.require_fit(connection, self.settings)
        except BaseException as exc:
            self._refusal = exc if isinstance(exc, errors.DatabaseUnfit) else None
            await connection.close()
            raise
        self._refusal = None

    def _unfit(self, exc: errors.DatabaseUnfit) -> errors.DatabaseUnavailable:
        return errors.DatabaseUnavailable(f"{exc} Nothing was stored.")

    def _unavailable(self, exc: BaseException, *, is_outcome_unknown: bool = False) -> errors.DatabaseUnavailable:
        return unavailable(self.settings, exc, is_outcome_unknown=is_outcome_unknown)


def connection_arguments(
    settings: DatabaseSettings, *, name: str | None = None, application_name: str = APPLICATION_NAME
) -> dict[str, object]:
    """Return the arguments of `psycopg.connect` for these settings; `name` is another database of the same server.

    What a session must be set to isn't among them: see `session`.
    """
    arguments: dict[str, object] = {
        "host": settings.host,
        "port": settings.port,
        "user": settings.username,
        "password": settings.password,
        "dbname": name or settings.name,
        "application_name": application_name,
        "client_encoding": "UTF8",
        "connect_timeout": max(2, round(settings.connect_timeout_s)),
        "row_factory": dict_row,
        "cursor_factory": DiscreetCursor,
    }
    if "," in settings.host:
        # Several servers, of which one takes changes: that one.
        arguments["target_session_attrs"] = "read-write"
    if not settings.is_socket:
        # A server that vanished without a word is noticed within some 15 s, also by a connection that only listens.
        arguments |= {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 15000}
    return arguments


async def connect(
    settings: DatabaseSettings, *, name: str | None = None, is_any: bool = False, is_durable: bool = True
) -> Connection:
    """Open one connection, in autocommit, its session set to what is taken for granted; the caller closes it.

    Args:
        is_any: Take any server and database, also one that mustn't be trusted with an order.
        is_durable: Take only a server that keeps what it acknowledged.

    Raises:
        DatabaseUnavailable: The server doesn't answer, or refuses the login.
        DatabaseMissing: The server has no such database.
        UnsafeServer: It mustn't be trusted with an order as it is.
    """
    try:
        connection = await Connection.connect(
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
    try:
        await session.pin(connection, settings)
        if not is_any:
            await session.require_fit(connection, settings, is_durable=is_durable)
    except BaseException as exc:
        await connection.close()
        if isinstance(exc, psycopg.Error):
            raise unavailable(settings, exc) from exc
        raise
    return connection


def unavailable(
    settings: DatabaseSettings, exc: BaseException, *, is_outcome_unknown: bool = False
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


def _reason(exc: BaseException) -> str:
    """Return what libpq says, without its own advice and its repetitions."""
    text = " ".join(str(exc).split()).partition(" Is the server running")[0]
    return text.rpartition(" failed: ")[2].removeprefix("FATAL: ").strip() or type(exc).__name__
