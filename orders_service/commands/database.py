"""Commands that go to PostgreSQL itself, by DB_HOST and its siblings."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final, TypeVar

import click

from orders_service.commands.context import QUIET, login_name
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from rosq import logs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from orders_service.commands.context import Context

T = TypeVar("T")

EXIT_CODES: Final = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached."

json_option = click.option("--json", "is_json", is_flag=True, help="Print for machines.")


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


def who_types() -> str:
    """Return who types, for the audit: nobody checks it, but whoever can reach the database could write anything."""
    return f"shell:{login_name()}@{socket.gethostname()}"


def show_at(time: dt.datetime | None) -> str:
    """Return a point in time in the local zone, to the minute; empty for None."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M") if time is not None else ""
