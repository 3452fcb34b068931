"""The stack's database: made, marked as the stack's own, and migrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from orders_service.dev import errors
from orders_service.store import db, migrating, migrations

if TYPE_CHECKING:
    from pathlib import Path

    from orders_service.settings import DatabaseSettings

#: The comment on a database that `dev` made or was given empty.
MARK = "orders-service dev: orders in here go to a simulated portal"


async def prepare(settings: DatabaseSettings, sql_dir: Path) -> None:
    """Create the database where it is missing, and bring its schema up to date.

    A database with tables that isn't marked is refused: it may hold real orders, and the stack would send them to the
    simulator and call them done.

    Raises:
        DevError: The database isn't the stack's.
        OrdersServiceError: The server is away, or refuses.
    """
    await migrating.create_database(settings)
    connection = await db.connect(settings)
    try:
        await _claim(connection, settings)
    finally:
        await connection.close()
    await migrating.migrate(settings, migrations.read_folder(sql_dir))


async def _claim(connection: db.Connection, settings: DatabaseSettings) -> None:
    cursor = await connection.execute(
        "select shobj_description(oid, 'pg_database') as mark,"
        " exists (select from pg_tables where schemaname = 'public') as has_tables"
        " from pg_database where datname = current_database()"
    )
    row = await cursor.fetchone()
    if row is None or row["mark"] == MARK:
        return
    if row["has_tables"]:
        raise errors.DevError(
            f"The database {settings.name!r} at {settings.where} holds tables that `orders-service dev` didn't make, "
            "perhaps real orders: name an empty one with DB_NAME."
        )
    name = psycopg.sql.Identifier(settings.name)
    await connection.execute(psycopg.sql.SQL("comment on database {} is {}").format(name, psycopg.sql.Literal(MARK)))
