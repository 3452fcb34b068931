"""What the database's server must be like before an order is trusted to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.store import migrations
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.store.db import Database
    from orders_service.store.migrations import Migration

logger = logging.getLogger(__name__)


async def check_database(database: Database, needed: Sequence[Migration]) -> None:
    """Make sure that the database may be used; warn of what can lose acknowledged commits at a failover.

    Raises:
        UnsafeServer: A crash of the server may lose what it acknowledged, or it is a standby.
        NotMigrated: A schema file isn't applied; names them.
        MigrationFailed: An applied file is another one here.
        DatabaseUnavailable: The database is away.
    """
    await check_safety(database)
    async with database.transaction() as connection:
        plan = await migrations.require_current(connection, needed)
        row = await (await connection.execute(load("fitness")["read_replication"])).fetchone()
    if plan.unknown:
        logger.warning(
            "The database is ahead of this version",
            extra={"event": "database_ahead", "files": ",".join(plan.unknown)},
        )
    if row is not None and row["replicas"] and not row["synchronous_standby_names"]:
        logger.warning(
            "PostgreSQL has replicas and waits for none of them: a failover may forget what it acknowledged. "
            "Set synchronous_standby_names",
            extra={"event": "asynchronous_replication", "replicas": row["replicas"]},
        )


async def check_safety(database: Database) -> None:
    """Make sure that the server keeps what it acknowledged through a crash of its own.

    Raises:
        UnsafeServer: It doesn't, or it is a standby.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        row = await (await connection.execute(load("fitness")["read_safety"])).fetchone()
    assert row is not None
    where = database.settings.where
    if row["is_standby"]:
        raise errors.UnsafeServer(f"PostgreSQL at {where} is a standby: point DB_HOST to the primary.")
    for setting in ("fsync", "full_page_writes"):
        if row[setting] != "on":
            raise errors.UnsafeServer(
                f"PostgreSQL at {where} runs with {setting} = {row[setting]}: a crash may lose acknowledged payments. "
                f"Set {setting} = on."
            )
