"""Commands that go to PostgreSQL itself, by DB_HOST and its siblings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from orders_service.commands.context import QUIET
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from rosq import logs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orders_service.commands.context import Context

T = TypeVar("T")


def run_on_database(
    context: Context, work: Callable[[Database], Awaitable[T]], *, name: str, log_level: str = "warning"
) -> T:
    """Do this on the database that the environment names; return what came of it.

    Args:
        name: Who does it, as PostgreSQL shows it: the command.

    Raises:
        SettingsInvalid: The environment can't be used.
        DatabaseUnavailable: The database is away.
    """
    logs.configure(log_level, quiet=QUIET)
    settings = DatabaseSettings.from_env(context.environ)

    async def opened() -> T:
        database = Database(settings, application_name=f"orders-service {name}")
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())
