"""`orders-service extracts …`: where the files of papers lie, and looking after them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Final, TypeVar

import click

from orders_service.commands.context import QUIET, Failure, WrongSetting
from orders_service.commands.output import print_json, print_table
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from orders_service.store.extracts import PlaceInvalid, check_place, upkeep
from rosq import logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from orders_service.commands.context import Context
    from orders_service.store.extracts.upkeep import Outcome

T = TypeVar("T")

_MIN_AGE_DAYS: Final = 1


@click.group()
def extracts() -> None:
    """Files of papers: where they lie, moving them, removing old ones, checking them.

    Works on the database itself (DB_HOST …) and on the stores that its rows name: run it where the service runs. New
    files go where EXTRACT_STORE of the service says: `database`, a folder as `file:///srv/extracts`, or a store as
    `s3://bucket/prefix` (with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL).

    \b
    Examples:
      orders-service extracts places
      orders-service extracts move --to s3://extracts
      orders-service extracts retire --older-than-days 1095 --dry-run
    \b
    Exit codes: 0 done, 1 a file has trouble (says which), 2 wrong usage, 3 PostgreSQL can't be reached.
    """
    logs.configure("error", quiet=QUIET)


@extracts.command("places")
@click.option("--json", "is_json", is_flag=True, help="Print for machines.")
@click.pass_obj
def places(context: Context, is_json: bool) -> None:
    """Show how much lies where."""
    found = _run(context, upkeep.list_places)
    if is_json:
        print_json([{"place": one.place or None, "files": one.files, "size_bytes": one.size_bytes} for one in found])
        return
    print_table(
        ("place", "files", "bytes"),
        ((one.place or "(removed)", str(one.files), f"{one.size_bytes:,}") for one in found),
    )


@extracts.command("move")
@click.option("--to", "to", required=True, help="database, file:///folder or s3://bucket/prefix.")
@click.pass_obj
def move(context: Context, to: str) -> None:
    """Bring every file to this place, one by one. Downloads go on; may be broken off and run again.

    Set EXTRACT_STORE of the service first, or new files still go to the old place.
    """
    try:
        target = check_place(to)
    except PlaceInvalid as exc:
        raise WrongSetting(f"--to: {exc}") from exc
    _report("moved", _run(context, lambda db: _collect(upkeep.move(db, target), "moved")))


@extracts.command("retire")
@click.option(
    "--older-than-days",
    "days",
    type=click.FloatRange(min=_MIN_AGE_DAYS),
    required=True,
    help="Only files of which every order was over before that, and which came before that.",
)
@click.option("--dry-run", is_flag=True, help="Say how many, and remove nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def retire(context: Context, days: float, dry_run: bool, yes: bool) -> None:
    """Remove the files of old orders for good. Their hash, size, summary and history stay."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    if not dry_run and not yes:
        click.confirm(f"Remove the files of orders that were over before {before:%Y-%m-%d} for good?", abort=True)
    word = "would be removed" if dry_run else "removed"
    _report(word, _run(context, lambda db: _collect(upkeep.retire(db, before, is_dry_run=dry_run), word)))


@extracts.command("check")
@click.pass_obj
def check(context: Context) -> None:
    """Read every file, and hold it against its SHA-256."""
    _report("good", _run(context, lambda db: _collect(upkeep.check(db), "good")))


async def _collect(outcomes: AsyncIterator[Outcome], word: str) -> tuple[int, int, int]:
    """Tell of each file that has trouble; count those that have none, their bytes, and the others."""
    good = size_bytes = bad = 0
    async for outcome in outcomes:
        if outcome.error:
            bad += 1
            click.echo(f"{outcome.file.sha256}: {outcome.error}", err=True)
        else:
            good += 1
            size_bytes += outcome.file.size_bytes
            if good % 1000 == 0:
                click.echo(f"{good:,} {word} …", err=True)
    return good, size_bytes, bad


def _report(word: str, counted: tuple[int, int, int]) -> None:
    good, size_bytes, bad = counted
    click.echo(f"{good:,} {'file' if good == 1 else 'files'} {word}, {size_bytes:,} bytes.")
    if bad:
        raise Failure(
            f"{bad:,} {'file has' if bad == 1 else 'files have'} trouble, see above: nothing was lost by this."
        )


def _run(context: Context, work: Callable[[Database], Awaitable[T]]) -> T:
    async def opened() -> T:
        db = Database(DatabaseSettings.from_env(context.environ), application_name="orders-service extracts")
        await db.open()
        try:
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(opened())
