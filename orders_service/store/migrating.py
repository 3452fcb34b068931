"""Brings a database up to the files in `sql/`, beside services that go on working.

What a crash leaves: a file in a transaction was applied and recorded, or neither. A file marked `-- no-transaction` is
recorded after it ran, so a crash in between runs it again. An index that such a file's failed try left behind is
dropped before the next try, and no such file is recorded while any index of the database is invalid: it would pass for
a guard.

No statement waits long for a lock: whoever comes after one that waits for a table waits too, so a change behind one
long query would stop the service. After a short time the file is taken back and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import errors as pg
from psycopg import sql

from orders_service import errors
from orders_service.store import db, indexes
from orders_service.store.migrations import Phase, Plan, choose, make_plan
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from orders_service.settings import DatabaseSettings
    from orders_service.store.db import Connection
    from orders_service.store.migrations import Migration

logger = logging.getLogger(__name__)

_LOCK_KEY: Final = 0x726F_7371_6D69_6772
_LOCK_POLL_S: Final = 0.25
#: How a server ends a session, or doesn't begin one: what was asked has nothing to do with it.
_GONE_CLASS: Final = "08"
_GONE: Final = frozenset({"53300", "57P01", "57P02", "57P03", "57P05"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a file waits for locks.

    Attributes:
        lock_timeout_s: For how long it may wait, and let others wait behind it, at a time.
        attempts: How often it is tried before it is given up.
        pause_s: Between two tries, for those who waited behind it.
    """

    lock_timeout_s: float = 2.0
    attempts: int = 30
    pause_s: float = 1.0


async def migrate(
    settings: DatabaseSettings,
    migrations: Sequence[Migration],
    *,
    is_dry_run: bool = False,
    phase: Phase = Phase.ALL,
    patience: Patience | None = None,
) -> Plan:
    """Apply what isn't applied, one process at a time; the answer is the plan that was carried out.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        DatabaseMissing: It has no such database.
        UnsafeServer: The database can't be trusted with an order, whatever its schema.
        MigrationFailed: A file can't be applied; those before it are.
    """
    async with opened(settings) as connection:
        if not is_dry_run:
            await lock(connection)
        plan = choose(await make_plan(connection, migrations), phase)
        if plan.pending:
            await require_rights(connection, settings)
        if plan.pending and not is_dry_run:
            await connection.execute(load("migrations")["ensure_table"])
            for migration in plan.pending:
                await _apply(connection, migration, patience or Patience())
        return plan


@contextlib.asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """Give the block a connection that may change the schema, for as long as that takes.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        DatabaseMissing: It has no such database.
        UnsafeServer: The database can't be trusted with an order.
        MigrationFailed: It refuses what the block does.
    """
    # The schema of a server that forgets may be changed; it is the service that won't work with one.
    connection = await db.connect(settings, is_durable=False)
    try:
        # A big table may take longer to change than a call of the service may.
        await connection.execute("set statement_timeout = 0")
        await connection.execute("set idle_in_transaction_session_timeout = 0")
        yield connection
    except psycopg.Error as exc:
        if is_away(exc):
            raise errors.DatabaseUnavailable(
                f"PostgreSQL at {settings.where} went away ({one_line(exc)}): what was applied stays. Run the same "
                "command again."
            ) from exc
        raise errors.MigrationFailed(f"The schema can't be changed: {one_line(exc)}.") from exc
    finally:
        # The lock is the session's and ends with it.
        await connection.close()


async def lock(connection: Connection) -> None:
    """Let no other migration run until the connection is closed.

    Asks again and again: a session that waits inside the server holds a snapshot, and a CREATE INDEX CONCURRENTLY of
    the lock's holder would wait for that for ever.
    """
    is_waiting = False
    while True:
        cursor = await connection.execute(load("migrations")["try_lock"], {"key": _LOCK_KEY})
        row = await cursor.fetchone()
        if row is not None and row["is_locked"]:
            return
        if not is_waiting:
            logger.info("Another migration is running; waiting for it", extra={"event": "migration_waiting"})
            is_waiting = True
        await asyncio.sleep(_LOCK_POLL_S)


async def apply_here(connection: Connection, migration: Migration) -> None:
    """Apply and record a file in the transaction that is open."""
    await connection.execute(_raw(migration))
    await connection.execute(load("migrations")["record"], _facts(migration))


async def create_database(settings: DatabaseSettings) -> bool:
    """Create the database if the server has none of this name; whether it was created.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        MigrationFailed: The user may not create databases.
    """
    try:
        connection = await db.connect(settings, is_any=True)
    except errors.DatabaseMissing:
        connection = await db.connect(settings, name="postgres", is_any=True)
    else:
        await connection.close()
        return False
    try:
        name = sql.Identifier(settings.name)
        await connection.execute(sql.SQL("create database {} encoding 'UTF8' template template0").format(name))
    except pg.DuplicateDatabase:
        return False  # somebody else just did
    except psycopg.Error as exc:
        if is_away(exc):
            raise db.unavailable(settings, exc) from exc
        raise errors.MigrationFailed(f"The database {settings.name!r} can't be created: {one_line(exc)}.") from exc
    finally:
        await connection.close()
    return True


async def with_patience(
    connection: Connection, patience: Patience, what: str, act: Callable[[], Awaitable[None]]
) -> None:
    """Run `act` in a transaction that waits for no lock longer than it may; where it had to, again from the start.

    Raises:
        MigrationFailed: A lock couldn't be had in all that time; says who may have held it.
    """
    for attempt in range(1, patience.attempts + 1):
        try:
            async with connection.transaction():
                await connection.execute(
                    sql.SQL("set local lock_timeout = {}").format(round(patience.lock_timeout_s * 1000))
                )
                await act()
        except (pg.LockNotAvailable, pg.DeadlockDetected) as exc:
            if attempt == patience.attempts:
                raise errors.MigrationFailed(
                    f"{what} had to wait for a lock and was given up after {attempt} tries of "
                    f"{patience.lock_timeout_s:g} s{await _tell_holders(connection)}. Nothing of it was done: try "
                    "again, in a quieter time."
                ) from exc
            if attempt == 1:
                logger.info(
                    "A schema file waits for a lock, and lets others pass",
                    extra={"event": "migration_lock_waiting", "file": what},
                )
            await asyncio.sleep(patience.pause_s)
        else:
            return


async def _apply(connection: Connection, migration: Migration, patience: Patience) -> None:
    try:
        if migration.is_alone:
            await _apply_alone(connection, migration)
        else:
            await with_patience(connection, patience, migration.name, lambda: apply_here(connection, migration))
    except psycopg.Error as exc:
        if is_away(exc):
            raise
        raise errors.MigrationFailed(f"{migration.name} can't be applied: {one_line(exc)}.") from exc
    logger.info("Applied a schema file", extra={"event": "migration_applied", "file": migration.name})


async def _apply_alone(connection: Connection, migration: Migration) -> None:
    """Run a file outside of a transaction. It may wait: nobody waits behind an index that is built concurrently."""
    if left := await indexes.drop_left_by(connection, migration.text):
        logger.info(
            "Dropped what a failed try had left",
            extra={"event": "invalid_index_dropped", "file": migration.name, "index": ",".join(left)},
        )
    await connection.execute(_raw(migration))
    if invalid := await indexes.find_invalid(connection):
        raise errors.MigrationFailed(
            f"{migration.name} ran, and the database has an invalid index ({', '.join(invalid)}): the file isn't "
            f"recorded. `drop index {invalid[0]}`, or `reindex index {invalid[0]}`, which says what is in its way; "
            "then run `orders-service migrate` again."
        )
    await connection.execute(load("migrations")["record"], _facts(migration))


async def require_rights(connection: Connection, settings: DatabaseSettings) -> None:
    """Ask first what PostgreSQL would refuse in words that name no way on.

    Raises:
        MigrationFailed: The user may not make tables where they belong.
    """
    row = await (await connection.execute(load("migrations")["read_rights"])).fetchone()
    assert row is not None
    if row["schema"] is None:
        raise errors.MigrationFailed(
            f"No schema of user {settings.username!r} in database {settings.name!r} exists (search_path is "
            f"{row['search_path']}): create one of them, or `alter role {settings.username} in database "
            f"{settings.name} set search_path = public`."
        )
    if not row["may_create"]:
        raise errors.MigrationFailed(
            f"User {settings.username!r} may not create tables in schema {row['schema']} of database "
            f"{settings.name!r}: let its owner say `grant create on schema {row['schema']} to {settings.username}`."
        )


async def _tell_holders(connection: Connection) -> str:
    """Name the oldest transactions of others: one of them had the lock, most likely."""
    rows = await (await connection.execute(load("migrations")["list_holders"])).fetchall()
    if not rows:
        return ""
    told = ", ".join(
        f"process {row['pid']} ({row['application_name'] or 'no name'}, {row['age_s']:.0f} s)" for row in rows
    )
    return f"; the oldest other transactions: {told}"


def _facts(migration: Migration) -> dict[str, object]:
    return {"version": migration.version, "name": migration.name, "sha256": migration.sha256}


def _raw(migration: Migration) -> bytes:
    # As bytes: the text is the repository's own, with several statements and without parameters.
    return migration.text.encode()


def is_away(exc: psycopg.Error) -> bool:
    """Whether the server is away, told from one that answers and can't do what was asked: its disk is full, say.

    psycopg has one class for both. What came from no server has no code.
    """
    return isinstance(exc, psycopg.OperationalError) and (
        exc.sqlstate is None or exc.sqlstate.startswith(_GONE_CLASS) or exc.sqlstate in _GONE
    )


def one_line(exc: Exception) -> str:
    """Return PostgreSQL's words on one line, to end with a full stop of ours."""
    return " ".join(str(exc).split()).rstrip(".")
