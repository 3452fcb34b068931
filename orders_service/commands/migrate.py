"""`orders-service migrate`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders_service.commands.context import QUIET, Failure
from orders_service.settings import DatabaseSettings
from orders_service.store import migrating, migrations
from orders_service.store.migrating import Patience
from orders_service.store.migrations import Phase
from orders_service.takeover import survey, taking
from rosq import logs
from rosq.commands.values import Seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.commands.context import Context
    from orders_service.store.migrations import Migration
    from orders_service.takeover.survey import Survey


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
@click.option(
    "--before-deploy",
    "phase",
    flag_value=Phase.BEFORE_DEPLOY.value,
    help="Only what a running service of the version before can live with.",
)
@click.option(
    "--after-deploy",
    "phase",
    flag_value=Phase.AFTER_DEPLOY.value,
    help="Only what has to wait until no service of the version before runs.",
)
@click.option(
    "--lock-timeout-s",
    envvar="MIGRATE_LOCK_TIMEOUT_S",
    type=Seconds(0.01, 3600),
    default=Patience().lock_timeout_s,
    show_default=True,
    show_envvar=True,
    help="For how long a file may wait for a table, and let the service wait behind it, at a time.",
)
@click.option(
    "--lock-attempts",
    envvar="MIGRATE_LOCK_ATTEMPTS",
    type=click.IntRange(1, 100_000),
    default=Patience().attempts,
    show_default=True,
    show_envvar=True,
    help="How often it is tried, a second apart.",
)
@click.option("--yes", is_flag=True, help="Ask nothing where a database of the system before is found.")
@click.option("--json", "is_json", is_flag=True, help="Print for machines.")
@click.pass_obj
def migrate(
    context: Context,
    *,
    sql_dir: Path | None,
    dry_run: bool,
    create_database: bool,
    phase: str | None,
    lock_timeout_s: float,
    lock_attempts: int,
    yes: bool,
    is_json: bool,
) -> None:
    """Bring the database's schema up to date.

    Applies the numbered files of sql/ that aren't applied yet, in order, each in a transaction; two at once wait for
    each other. A file that was changed after it was applied is refused by name. Reads DB_HOST, DB_PORT, DB_USERNAME,
    DB_PASSWORD, DB_NAME.

    To go on serving meanwhile: --before-deploy, then the new version, then --after-deploy. Without either all files
    are applied; no service of another version may then run.

    A database of the system before this one is taken over: what becomes of its orders and accounts is said first, and
    on a terminal asked for; it is done in one transaction, and drops nothing (docs/how-to/leave-the-old-system.md).

    \b
    Examples:
      orders-service migrate
      orders-service migrate --dry-run --json
      orders-service migrate --before-deploy
      DB_HOST=db.example DB_USERNAME=rosq orders-service migrate --create-database
    \b
    Exit codes: 0 the schema is up to date, 1 a file can't be applied, 2 wrong usage, 3 PostgreSQL can't be reached.
    """
    logs.configure("warning", quiet=QUIET)
    settings = DatabaseSettings.from_env(context.environ)
    files = migrations.read_folder(sql_dir or migrations.find_folder(context.environ))
    patience = Patience(lock_timeout_s=lock_timeout_s, attempts=lock_attempts)
    if create_database and not dry_run:
        asyncio.run(migrating.create_database(settings))
    taken = _take_over(settings, files, patience, is_dry_run=dry_run, phase=phase, is_quiet=is_json, is_yes=yes)
    plan = asyncio.run(
        migrating.migrate(
            settings,
            files,
            is_dry_run=dry_run,
            phase=Phase(phase or Phase.ALL.value),
            patience=patience,
        )
    )
    if not dry_run:
        asyncio.run(taking.settle_persons(settings))
    names = [one.name for one in plan.pending]
    left = [one.name for one in plan.left]
    if is_json:
        answer = {
            "database": settings.name,
            "dry_run": dry_run,
            "applied_before": list(plan.applied),
            "pending" if dry_run else "applied_now": names,
            "left": left,
            "unknown": list(plan.unknown),
            "taken_over": None if taken is None else {"accounts": taken.accounts, "orders": dict(taken.fates)},
        }
        click.echo(json.dumps(answer, indent=2))
        return
    for name in names:
        click.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    for name in left:
        click.echo(f"left for later: {name}")
    if plan.unknown:
        click.echo(f"applied by a newer version: {', '.join(plan.unknown)}")
    if not names and not left:
        click.echo(f"The schema of {settings.name} is up to date.")


def _take_over(
    settings: DatabaseSettings,
    files: Sequence[Migration],
    patience: Patience,
    *,
    is_dry_run: bool,
    phase: str | None,
    is_quiet: bool,
    is_yes: bool,
) -> Survey | None:
    """Say what would become of the old system's orders, where there are any, and take them over."""
    found = asyncio.run(survey.find(settings))
    if found is None:
        return None
    if phase is not None:
        raise click.UsageError(f"This database is the old system's: it is taken over by `migrate` without --{phase}.")
    if not is_quiet:
        for line in found.tell():
            click.echo(line)
    if found.problems:
        raise Failure(" ".join(("The database can't be taken over yet, nothing was changed.", *found.problems)))
    if is_dry_run:
        return found
    if not is_yes and sys.stdin.isatty():
        # What was said is what is asked about; with --json stdout is for the machine.
        if is_quiet:
            for line in found.tell():
                click.echo(line, err=True)
        click.confirm("Take it over?", abort=True, err=True)
    taken = asyncio.run(taking.take_over(settings, files, patience))
    if taken is not None and not is_quiet:
        click.echo("Taken over.")
    return taken
