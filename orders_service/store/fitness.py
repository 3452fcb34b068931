"""What the database must be like before an order is trusted to it, beside what each session is asked (`session`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.store import indexes, migrations
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.store.db import Connection, Database
    from orders_service.store.migrations import Migration

logger = logging.getLogger(__name__)


async def check_database(database: Database, needed: Sequence[Migration]) -> None:
    """Make sure that the database may be used; warn of what can lose acknowledged commits at a failover.

    Raises:
        UnsafeServer: An index guards nothing.
        NotMigrated: A schema file isn't applied; names them.
        MigrationFailed: An applied file is another one here.
        DatabaseUnavailable: The database is away, or mustn't be trusted with an order.
    """
    async with database.transaction() as connection:
        plan = await migrations.require_current(connection, needed)
        await _require_valid_indexes(connection)
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


async def _require_valid_indexes(connection: Connection) -> None:
    if invalid := await indexes.find_invalid(connection):
        raise errors.UnsafeServer(
            f"{'Index' if len(invalid) == 1 else 'Indexes'} {', '.join(invalid)} of the database "
            f"{'is' if len(invalid) == 1 else 'are'} invalid: a build failed, and what should be unique may not be. "
            f"`reindex index {invalid[0]}` builds it, or says which rows are in the way."
        )
