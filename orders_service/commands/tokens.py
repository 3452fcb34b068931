"""`orders-service tokens …`: who may call the service."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orders_service import errors
from orders_service.access import tokens as access
from orders_service.access.callers import Role
from orders_service.commands.context import Failure
from orders_service.commands.database import EXIT_CODES, json_option, run_on_database, show_at, who_types
from orders_service.commands.output import print_json, print_table
from orders_service.commands.token_webhook import webhook
from rosq.commands.values import Days

if TYPE_CHECKING:
    from orders_service.access.tokens import TokenView
    from orders_service.commands.context import Context
    from orders_service.store.db import Database

_DEFAULT_DAYS = 365
#: More than any token has: what else lies in the file isn't read.
_MAX_SECRET = 1000


@click.group()
def tokens() -> None:
    """Access tokens: who may call the service, and what he may do.

    These commands go to PostgreSQL itself, by DB_HOST and its siblings, so that the first token can be made, too. From
    the first token on the service asks everybody for one.

    \b
    Roles:
      client     orders, and sees its own orders: --client NAME says whose they are
      viewer     sees everything but personal data, and changes nothing
      operator   accounts, decisions, everything that people do
      worker     works off orders with one account: --account NAME
    \b
    Examples:
      orders-service tokens add ivan --role operator
      orders-service tokens add crm-2026 --role client --client crm --days 400
      orders-service tokens add worker-1 --role worker --account rosreestr_user_1 --to /run/secrets/worker-1
      orders-service tokens list
      orders-service tokens revoke crm-2025
      orders-service tokens webhook set crm-2026 --url https://crm.example.ru/rosreestr
    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached.
    """


tokens.add_command(webhook)


@tokens.command("add", epilog=EXIT_CODES)
@click.argument("name")
@click.option("--role", required=True, type=click.Choice([role.value for role in access.ROLES]), help="What it may do.")
@click.option("--client", metavar="NAME", help="Whose orders it sees; for the role client.")
@click.option("--account", metavar="NAME", help="The account that it works for; for the role worker.")
@click.option(
    "--days",
    type=Days(min_open=True),
    help=f"It ends after so many days.  [default: {_DEFAULT_DAYS}]",
)
@click.option("--no-end", is_flag=True, help="It never ends.")
@click.option(
    "--to",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this file, for nobody else to read, and don't show it. Where the file holds a token that is in "
    "use under this name already, nothing is done.",
)
@json_option
@click.pass_obj
def add(
    context: Context,
    name: str,
    role: str,
    client: str | None,
    account: str | None,
    days: float | None,
    no_end: bool,
    path: Path | None,
    is_json: bool,
) -> None:
    """Make a token. It is shown this once; nobody can read it again.

    \b
    Examples:
      orders-service tokens add ivan --role operator
      orders-service tokens add worker-1 --role worker --account rosreestr_user_1 --to worker-1.token
    """
    if no_end and days is not None:
        raise click.UsageError("Say --days or --no-end, not both.")
    ends_at = None if no_end else dt.datetime.now(dt.UTC) + dt.timedelta(days=days or _DEFAULT_DAYS)
    wanted = access.NewToken(
        name=name, role=Role(role), client=client, account=account, ends_at=ends_at, created_by=who_types()
    )

    async def work(database: Database) -> tuple[TokenView, str | None, bool]:
        if path is not None and (known := await _find_in_file(database, path, name)) is not None:
            return known, None, False
        if path is not None:
            _make_room(path)
        async with database.transaction() as connection:
            is_first = not await access.is_any_made(connection)
        token, secret = await access.add_token(database, wanted)
        if path is not None:
            await _write(database, path, token, secret, is_first=is_first)
        return token, secret, is_first

    token, secret, is_first = run_on_database(context, work, name="tokens")
    if is_json:
        print_json({**_as_json(token), "token": None if path is not None else secret})
        return
    if secret is None:
        click.echo(f"{path} holds the token {name} already.")
        return
    click.echo(f"{_told(token)} was made; it {_end(token)}.")
    if path is not None:
        click.echo(f"It is in {path}.")
    else:
        click.echo(f"\n  {secret}\n\nKeep it now: it isn't shown again. Callers take it from ORDERS_SERVICE_TOKEN.")
    if is_first:
        click.echo("It is the first: within five seconds the service asks everybody for one. Give each worker its own.")


@tokens.command("list", epilog=EXIT_CODES)
@click.option("--all", "with_past", is_flag=True, help="Also those that were revoked or have ended.")
@json_option
@click.pass_obj
def list_(context: Context, with_past: bool, is_json: bool) -> None:
    """Show the tokens, without what lets their owners in."""
    found = run_on_database(context, lambda database: access.list_tokens(database, with_past=with_past), name="tokens")
    if is_json:
        print_json({"tokens": [_as_json(token) for token in found]})
    elif not found:
        click.echo("There is no token in use: make one with `orders-service tokens add NAME --role ROLE`.")
    else:
        rows = [
            (
                str(token.id),
                token.name,
                token.role.value,
                token.client or token.account or "",
                _end(token),
                _used(token),
            )
            for token in found
        ]
        print_table(("id", "name", "role", "of", "standing", "last used"), rows)


@tokens.command("revoke", epilog=EXIT_CODES)
@click.argument("name")
@json_option
@click.pass_obj
def revoke(context: Context, name: str, is_json: bool) -> None:
    """Let nobody in with this token any more: within five seconds, in every process of the service."""
    revoke_it = functools.partial(access.revoke_token, name=name, revoked_by=who_types())
    token = run_on_database(context, revoke_it, name="tokens")
    if is_json:
        print_json(_as_json(token))
    else:
        click.echo(f"{_told(token)} {_end(token)}.")


async def _find_in_file(database: Database, path: Path, name: str) -> TokenView | None:
    """Return the token that lies in the file already, where it is in use under this name."""
    try:
        with path.open(encoding="ascii") as file:
            secret = file.read(_MAX_SECRET).strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise Failure(f"{path} can't be read, and isn't overwritten: {exc}.") from exc
    if not secret:
        return None
    async with database.transaction() as connection:
        token = await access.find_token(connection, secret) if access.is_possible(secret) else None
    if token is None or token.name != name:
        raise Failure(f"{path} holds something else than a token {name}, and isn't overwritten: take it away first.")
    return None if token.revoked_at is not None or token.has_ended else token


def _make_room(path: Path) -> None:
    """Find out whether the file can be written before there is a token that would be lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as exc:
        raise Failure(f"{path} can't be written ({exc.strerror}): no token was made.") from exc


async def _write(database: Database, path: Path, token: TokenView, secret: str, *, is_first: bool) -> None:
    """Write the secret; what can't be written lets nobody in: nobody would ever know it, and the name would be taken.

    Raises:
        Failure: It can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(secret + "\n")
            file.flush()
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fsync(file.fileno())
    except OSError as exc:
        # Half a secret would keep the next one out.
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
        said = f"{path} can't be written ({exc.strerror})"
        try:
            await access.revoke_token(database, token.name, revoked_by=who_types())
        except errors.DatabaseUnavailable as away:
            left = f"`orders-service tokens revoke {token.name}` before you make it anew"
            raise Failure(f"{said}, nor could the token {token.name} be revoked again ({away}): {left}.") from exc
        first = " It was the first: the service asks everybody for a token now, so make one." if is_first else ""
        raise Failure(f"{said}: the token {token.name} was revoked again.{first}") from exc


def _told(token: TokenView) -> str:
    whose = f" of {token.client or token.account}" if token.client or token.account else ""
    return f"The token {token.name} ({token.role}{whose})"


def _end(token: TokenView) -> str:
    if token.revoked_at is not None:
        return f"was revoked at {show_at(token.revoked_at)} by {token.revoked_by}"
    if token.ends_at is None:
        return "never ends"
    return f"{'ended' if token.has_ended else 'ends'} at {show_at(token.ends_at)}"


def _used(token: TokenView) -> str:
    return f"{show_at(token.last_used_at)} from {token.last_used_from}" if token.last_used_at else "never"


def _as_json(token: TokenView) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "client": token.client,
        "account": token.account,
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by,
        "ends_at": token.ends_at and token.ends_at.isoformat(),
        "has_ended": token.has_ended,
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
        "revoked_by": token.revoked_by,
        "last_used_at": token.last_used_at and token.last_used_at.isoformat(),
        "last_used_from": token.last_used_from,
    }
