"""`orders-service extracts …`: where the files of papers lie, and looking after them."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, TypeVar

import click

from orders_service.commands.context import Failure, WrongSetting
from orders_service.commands.database import run_on_database
from orders_service.commands.output import print_json, print_table
from orders_service.store.extracts import PlaceInvalid, check_place, upkeep
from rosq.commands.values import Days

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from orders_service.commands.context import Context
    from orders_service.store.db import Database
    from orders_service.store.extracts.upkeep import Outcome, PlaceView

T = TypeVar("T")


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


@extracts.command("places")
@click.option("--json", "is_json", is_flag=True, help="Print for machines.")
@click.pass_obj
def places(context: Context, is_json: bool) -> None:
    """Show how much lies where."""
    found = _run(context, upkeep.list_places)
    if is_json:
        print_json(
            [
                {
                    "place": one.place or None,
                    "is_removed": one.is_removed,
                    "files": one.files,
                    "size_bytes": one.size_bytes,
                }
                for one in found
            ]
        )
        return
    print_table(
        ("place", "files", "bytes"),
        ((_called(one), str(one.files), f"{one.size_bytes:,}") for one in found),
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
    _report(context, lambda db: upkeep.move(db, target), "moved", "what isn't told as moved lies where it lay")


@extracts.command("retire")
@click.option(
    "--older-than-days",
    "days",
    type=Days(1),
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
        click.confirm(
            f"Remove the files of orders that were over before {before:%Y-%m-%d} for good?", abort=True, err=True
        )
    word = "would be removed" if dry_run else "removed"
    outcomes = functools.partial(upkeep.retire, before=before, is_dry_run=dry_run)
    _report(context, outcomes, word, "what couldn't be removed is still there")


@extracts.command("check")
@click.pass_obj
def check(context: Context) -> None:
    """Read every file, and hold it against its SHA-256."""
    _report(context, upkeep.check, "good", "what is damaged or missing comes back from a backup alone")


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


def _report(
    context: Context, outcomes: Callable[[Database], AsyncIterator[Outcome]], word: str, consequence: str
) -> None:
    """Do it file by file, and say what came of it.

    Raises:
        Failure: A file has trouble: each is told, and what follows for it.
    """
    good, size_bytes, bad = _run(context, lambda db: _collect(outcomes(db), word))
    click.echo(f"{good:,} {'file' if good == 1 else 'files'} {word}, {size_bytes:,} bytes.")
    if bad:
        raise Failure(f"{bad:,} {'file has' if bad == 1 else 'files have'} trouble, see above: {consequence}.")


def _called(view: PlaceView) -> str:
    return view.place or ("(removed)" if view.is_removed else "(never came)")


def _run(context: Context, work: Callable[[Database], Awaitable[T]]) -> T:
    # Each file that has trouble is told as what came of the command, not as a line of a log too.
    return run_on_database(context, work, name="extracts", log_level="error")
