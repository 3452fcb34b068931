"""The schema, brought up to date by the numbered files in `sql/`: forward only, each applied once, never changed after.

What a crash leaves: a file in a transaction was applied and recorded, or neither. A file marked `-- no-transaction` is
recorded after it ran, so a crash in between runs it again: such a file holds one statement that may be repeated.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.store import db
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orders_service.settings import DatabaseSettings

logger = logging.getLogger(__name__)

#: Where the files are, when they aren't in a folder `sql` above this package.
FOLDER_VARIABLE: Final = "ORDERS_SERVICE_SQL_DIR"

_FILE_NAME: Final = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")
_ALONE: Final = re.compile(r"^-- no-transaction\s*$", re.MULTILINE)
_LOCK_KEY: Final = 0x726F_7371_6D69_6772
_LOCK_POLL_S: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file.

    Attributes:
        name: The file's name.
        sha256: Of its text with line ends as `\\n`, so that a checkout on Windows is the same file.
        is_alone: Marked `-- no-transaction`: it runs outside of one.
    """

    version: int
    name: str
    text: str
    sha256: str
    is_alone: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What stands in the database and what is still to be applied.

    Attributes:
        applied: Names of the applied files that are known here.
        unknown: Names of applied files that aren't here: the database is ahead of this version.
        pending: To be applied, in order.
    """

    applied: tuple[str, ...]
    unknown: tuple[str, ...]
    pending: tuple[Migration, ...]


def find_folder(environ: Mapping[str, str]) -> Path:
    """Find the folder of the files: ORDERS_SERVICE_SQL_DIR, else the nearest `sql` above this package.

    Raises:
        MigrationFailed: There is none.
    """
    if given := environ.get(FOLDER_VARIABLE):
        return Path(given)
    for parent in Path(__file__).resolve().parents:
        if any((parent / "sql").glob("0001_*.sql")):
            return parent / "sql"
    raise errors.MigrationFailed(
        f"The folder sql/ with the schema isn't beside the package: name it with --sql-dir or {FOLDER_VARIABLE}."
    )


def read_folder(folder: Path) -> list[Migration]:
    """Read the files in the order of their numbers.

    Raises:
        MigrationFailed: The folder can't be read or is empty, or a name or number is wrong.
    """
    try:
        paths = sorted(folder.glob("*.sql"))
        migrations = [_read(path) for path in paths]
    except (OSError, UnicodeDecodeError) as exc:
        raise errors.MigrationFailed(f"The schema's files in {folder} can't be read: {exc}.") from exc
    if not migrations:
        raise errors.MigrationFailed(f"{folder} holds no schema files (0001_some_words.sql): name the right folder.")
    for one, other in itertools.pairwise(migrations):
        if one.version == other.version:
            raise errors.MigrationFailed(f"{one.name} and {other.name} have the same number: give one the next free.")
    return migrations


async def make_plan(connection: db.Connection, migrations: Sequence[Migration]) -> Plan:
    """Compare the files with what the database says was applied. Changes nothing.

    Raises:
        MigrationChanged: An applied file has another text now.
        MigrationFailed: A file that isn't applied has a lower number than one that is.
    """
    applied = await _read_applied(connection)
    changed = [one.name for one in migrations if one.version in applied and applied[one.version][1] != one.sha256]
    if changed:
        raise errors.MigrationChanged(changed)
    pending = tuple(one for one in migrations if one.version not in applied)
    late = [one.name for one in pending if applied and one.version < max(applied)]
    if late:
        raise errors.MigrationFailed(
            f"{', '.join(late)} would come after a higher number that is applied already: give it the next free number."
        )
    known = {one.version for one in migrations}
    return Plan(
        applied=tuple(one.name for one in migrations if one.version in applied),
        unknown=tuple(name for version, (name, _) in sorted(applied.items()) if version not in known),
        pending=pending,
    )


async def require_current(connection: db.Connection, migrations: Sequence[Migration]) -> Plan:
    """Make sure that every file is applied. A database that is ahead is fine: the schema goes before the code.

    Raises:
        NotMigrated: Some aren't.
        MigrationFailed: As for `make_plan`.
    """
    plan = await make_plan(connection, migrations)
    if plan.pending:
        raise errors.NotMigrated([one.name for one in plan.pending])
    return plan


async def migrate(settings: DatabaseSettings, migrations: Sequence[Migration], *, is_dry_run: bool = False) -> Plan:
    """Apply what isn't applied, one process at a time; the answer is the plan that was carried out.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        DatabaseMissing: It has no such database.
        MigrationFailed: A file can't be applied; those before it are.
    """
    connection = await db.connect(settings)
    try:
        # A big table may take longer to change than a call of the service may.
        await connection.execute("set statement_timeout = 0")
        await connection.execute("set idle_in_transaction_session_timeout = 0")
        if is_dry_run:
            return await make_plan(connection, migrations)
        await _lock(connection)
        plan = await make_plan(connection, migrations)
        await connection.execute(load("migrations")["ensure_table"])
        for migration in plan.pending:
            await _apply(connection, migration)
        return plan
    except psycopg.OperationalError as exc:
        raise db.unavailable(settings, exc) from exc
    finally:
        # The lock is the session's and ends with it.
        await connection.close()


async def create_database(settings: DatabaseSettings) -> bool:
    """Create the database if the server has none of this name; whether it was created.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        MigrationFailed: The user may not create databases.
    """
    try:
        connection = await db.connect(settings)
    except errors.DatabaseMissing:
        connection = await db.connect(settings, name="postgres")
    else:
        await connection.close()
        return False
    try:
        name = psycopg.sql.Identifier(settings.name)
        await connection.execute(psycopg.sql.SQL("create database {} encoding 'UTF8' template template0").format(name))
    except psycopg.errors.DuplicateDatabase:
        return False  # somebody else just did
    except psycopg.Error as exc:
        raise errors.MigrationFailed(f"The database {settings.name!r} can't be created: {_one_line(exc)}.") from exc
    finally:
        await connection.close()
    return True


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise errors.MigrationFailed(f"{path.name} isn't named like 0001_some_words.sql: rename it.")
    text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    return Migration(
        version=int(match["version"]),
        name=path.name,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        is_alone=_ALONE.search(text) is not None,
    )


async def _read_applied(connection: db.Connection) -> dict[int, tuple[str, str]]:
    statements = load("migrations")
    cursor = await connection.execute(statements["find_table"])
    row = await cursor.fetchone()
    if row is None or row["schema_migrations"] is None:
        return {}
    cursor = await connection.execute(statements["list_applied"])
    return {row["version"]: (row["name"], row["sha256"]) for row in await cursor.fetchall()}


async def _lock(connection: db.Connection) -> None:
    """Wait for the lock by asking again and again: a session that waits inside the server holds a snapshot, and a
    CREATE INDEX CONCURRENTLY of the lock's holder would wait for that for ever."""
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


async def _apply(connection: db.Connection, migration: Migration) -> None:
    record = load("migrations")["record"]
    facts = {"version": migration.version, "name": migration.name, "sha256": migration.sha256}
    try:
        if migration.is_alone:
            await connection.execute(_raw(migration))
            await connection.execute(record, facts)
        else:
            async with connection.transaction():
                await connection.execute(_raw(migration))
                await connection.execute(record, facts)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as exc:
        raise errors.MigrationFailed(f"{migration.name} can't be applied: {_one_line(exc)}.") from exc
    logger.info("Applied a schema file", extra={"event": "migration_applied", "file": migration.name})


def _raw(migration: Migration) -> bytes:
    # As bytes: the text is the repository's own, with several statements and without parameters.
    return migration.text.encode()


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()).rstrip(".")
