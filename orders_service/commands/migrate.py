"""`orders-service migrate`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders_service.commands.context import QUIET
from orders_service.settings import DatabaseSettings
from orders_service.store import migrations
from rosq import logs

if TYPE_CHECKING:
    from orders_service.commands.context import Context
    from orders_service.store.migrations import Migration, Plan


@click.command()
@click.option(
    "--sql-dir",
    envvar=migrations.FOLDER_VARIABLE,
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="Folder of the files. Default: sql/ beside the package.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be applied, and change nothing.")
@click.option("--create-database", is_flag=True, help="Create the database first if there is none.")
@click.option("--json", "is_json", is_flag=True, help="Print for machines.")
@click.pass_obj
def migrate(context: Context, sql_dir: Path | None, dry_run: bool, create_database: bool, is_json: bool) -> None:
    """Bring the database's schema up to date.

    Applies the numbered files of sql/ that aren't applied yet, in order, each in a transaction; two at once wait for
    each other. A file that was changed after it was applied is refused by name. Reads DB_HOST, DB_PORT, DB_USERNAME,
    DB_PASSWORD, DB_NAME.

    \b
    Examples:
      orders-service migrate
      orders-service migrate --dry-run --json
      DB_HOST=db.example DB_USERNAME=rosq orders-service migrate --create-database
    \b
    Exit codes: 0 the schema is up to date, 1 a file can't be applied, 2 wrong usage, 3 PostgreSQL can't be reached.
    """
    logs.configure("warning", quiet=QUIET)
    settings = DatabaseSettings.from_env(context.environ)
    files = migrations.read_folder(sql_dir or migrations.find_folder(context.environ))
    plan = asyncio.run(_run(settings, files, is_dry_run=dry_run, is_creating=create_database and not dry_run))
    names = [one.name for one in plan.pending]
    if is_json:
        answer = {
            "database": settings.name,
            "dry_run": dry_run,
            "applied_before": list(plan.applied),
            "pending" if dry_run else "applied_now": names,
            "unknown": list(plan.unknown),
        }
        click.echo(json.dumps(answer, indent=2))
        return
    for name in names:
        click.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    if plan.unknown:
        click.echo(f"applied by a newer version: {', '.join(plan.unknown)}")
    if not names:
        click.echo(f"The schema of {settings.name} is up to date.")


async def _run(settings: DatabaseSettings, files: list[Migration], *, is_dry_run: bool, is_creating: bool) -> Plan:
    if is_creating:
        await migrations.create_database(settings)
    return await migrations.migrate(settings, files, is_dry_run=is_dry_run)
