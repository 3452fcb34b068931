"""`orders-service accounts …`."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

import click

from orders_service.commands.client import TIMEOUT_S, connected
from orders_service.commands.language import tr
from orders_service.commands.output import as_json, enum_name, print_facts, print_json, print_table, say, show_time
from orders_service.commands.session_file import read_session
from orders_service.v1 import rosreestr_users_pb2 as v1

if TYPE_CHECKING:
    from orders_service.commands.client import Client
    from orders_service.commands.context import Context

_json = click.option("--json", "is_json", is_flag=True, help="Print for machines.")
_username = click.argument("username")
_EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached."


@click.group()
def accounts() -> None:
    """Accounts of the portal: each has one worker, which orders with it.

    \b
    Examples:
      orders-service accounts add rosreestr_user_1 --declarant-category 357039000000
      orders-service accounts list
      orders-service accounts set rosreestr_user_1 --password
    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached.
    """


@accounts.command("add", epilog=_EXIT_CODES)
@_username
@click.option("--gu-login", default="", help="Login at Госуслуги (phone, e-mail or СНИЛС) where it isn't USERNAME.")
@click.option(
    "--declarant-category",
    default="",
    metavar="CODE",
    help="12 digits: what the declarant states about himself to the registry. Without it the account orders nothing.",
)
@click.option("--comment", default="", help="A free note.")
@click.option("--inactive", is_flag=True, help="Take no orders with it yet.")
@click.option("--no-password", is_flag=True, help="Store none: the account will use an imported session.")
@_json
@click.pass_obj
def add(
    context: Context,
    username: str,
    gu_login: str,
    declarant_category: str,
    comment: str,
    inactive: bool,
    no_password: bool,
    is_json: bool,
) -> None:
    """Add an account.

    The password is asked for without being shown, or read from standard input where that isn't a terminal. The
    service stores it sealed and never gives it out.

    \b
    Examples:
      orders-service accounts add rosreestr_user_1 --declarant-category 357039000000
      pass show rosreestr/1 | orders-service accounts add rosreestr_user_1
    """
    password = "" if no_password else _read_password()
    request = v1.CreateRosreestrUserRequest(
        account=username,
        password=password,
        gu_login=gu_login,
        declarant_category=declarant_category,
        comment=comment,
        is_inactive=inactive,
    )
    with connected(context.service) as client:
        user = client.accounts.CreateRosreestrUser(request, timeout=TIMEOUT_S).user
    _print(user, is_json=is_json, said=f"Account {username} was added.")


@accounts.command("list", epilog=_EXIT_CODES)
@_json
@click.pass_obj
def list_(context: Context, is_json: bool) -> None:
    """Show all accounts and how each stands."""
    with connected(context.service) as client:
        users = _list_all(client)
    if is_json:
        print_json({"accounts": [as_json(user) for user in users]})
    elif not users:
        say("There is no account yet: add one with `orders-service accounts add USERNAME`.")
    else:
        rows = [
            (str(user.account_id), user.account, _standing(user), str(user.open_orders), user.comment) for user in users
        ]
        print_table(("id", "account", "standing", "open", "comment"), rows)


@accounts.command("show", epilog=_EXIT_CODES)
@_username
@_json
@click.pass_obj
def show(context: Context, username: str, is_json: bool) -> None:
    """Show one account."""
    with connected(context.service) as client:
        request = v1.GetRosreestrUserRequest(account=username)
        user = client.accounts.GetRosreestrUser(request, timeout=TIMEOUT_S).user
    _print(user, is_json=is_json)


@accounts.command("set", epilog=_EXIT_CODES)
@_username
@click.option("--password", is_flag=True, help="Ask for a new password, or read it from standard input.")
@click.option(
    "--totp",
    is_flag=True,
    help="Ask for the secret of the login's one-time codes (Base32), or read it from standard input.",
)
@click.option("--gu-login", help="Login at Госуслуги; empty: the same as USERNAME.")
@click.option("--declarant-category", metavar="CODE", help="12 digits; empty: none, and the account orders nothing.")
@click.option("--role", help="Where the person has several at the portal: the role's oid or name; empty: the only one.")
@click.option("--comment", help="A free note.")
@_json
@click.pass_obj
def set_(
    context: Context,
    username: str,
    password: bool,
    totp: bool,
    gu_login: str | None,
    declarant_category: str | None,
    role: str | None,
    comment: str | None,
    is_json: bool,
) -> None:
    """Change what is given and leave the rest. A new password also ends a standby that waits for one.

    \b
    Examples:
      orders-service accounts set rosreestr_user_1 --declarant-category 357039000000
      orders-service accounts set rosreestr_user_1 --password
      orders-service accounts set rosreestr_user_1 --totp
    """
    request = v1.UpdateRosreestrUserRequest(
        account=username, gu_login=gu_login, declarant_category=declarant_category, role=role, comment=comment
    )
    if password:
        request.password = _read_password()
    if totp:
        request.totp_secret = _read_secret("One-time secret")
    given = (gu_login, declarant_category, role, comment)
    if not (password or totp) and all(value is None for value in given):
        raise click.UsageError(
            "Say what to change: --password, --totp, --gu-login, --declarant-category, --role or --comment."
        )
    with connected(context.service) as client:
        user = client.accounts.UpdateRosreestrUser(request, timeout=TIMEOUT_S).user
    _print(user, is_json=is_json, said=f"Account {username} was changed.")


@accounts.command("import-session", epilog=_EXIT_CODES)
@_username
@click.option(
    "--file",
    "file",
    required=True,
    type=click.File("rb"),
    help=(
        "cookies.txt, an extension's JSON, a browser's state, a HAR, a Cookie header, a request copied as cURL, or a "
        "JSON object of cookie names and values; - reads standard input. {} forgets the session."
    ),
)
@click.option(
    "--portal-url",
    envvar="ROSREESTR_PORTAL_URL",
    default="https://lk.rosreestr.ru",
    show_envvar=True,
    show_default=True,
    help="The portal: cookies of other sites are left out.",
)
@_json
@click.pass_obj
def import_session(context: Context, username: str, file: IO[bytes], portal_url: str, is_json: bool) -> None:
    """Give the account a session that you logged in to with a browser.

    What a browser, an extension of it or a tool exports is told by itself. Of it only the portal's own cookies are
    kept; what has expired, or is of other sites, is left out, and told without its value.

    \b
    Examples:
      orders-service accounts import-session rosreestr_user_1 --file cookies.txt
      pbpaste | orders-service accounts import-session rosreestr_user_1 --file -
    """
    session = read_session(file, portal_url)
    count = len(session.cookies) + len(session.jar)
    request = v1.UpdateRosreestrUserRequest(account=username, session=session)
    with connected(context.service) as client:
        user = client.accounts.UpdateRosreestrUser(request, timeout=TIMEOUT_S).user
    said = f"The session of {username} was stored (cookies: {count})." if count else f"{username} has no session now."
    _print(user, is_json=is_json, said=said)


@accounts.command("deactivate", epilog=_EXIT_CODES)
@_username
@_json
@click.pass_obj
def deactivate(context: Context, username: str, is_json: bool) -> None:
    """Take no new orders with the account. Its own are still collected."""
    with connected(context.service) as client:
        request = v1.DeactivateRosreestrUserRequest(account=username)
        user = client.accounts.DeactivateRosreestrUser(request, timeout=TIMEOUT_S).user
    _print(user, is_json=is_json, said=f"Account {username} takes no new orders.")


@accounts.command("activate", epilog=_EXIT_CODES)
@_username
@_json
@click.pass_obj
def activate(context: Context, username: str, is_json: bool) -> None:
    """Take new orders with the account again, whatever was in the way."""
    with connected(context.service) as client:
        request = v1.ActivateRosreestrUserRequest(account=username)
        user = client.accounts.ActivateRosreestrUser(request, timeout=TIMEOUT_S).user
    _print(user, is_json=is_json, said=f"Account {username} is active.")


def _list_all(client: Client) -> list[v1.RosreestrUser]:
    users: list[v1.RosreestrUser] = []
    token = ""
    while True:
        request = v1.ListRosreestrUsersRequest(page_size=500, page_token=token)
        page = client.accounts.ListRosreestrUsers(request, timeout=TIMEOUT_S)
        users += page.users
        token = page.next_page_token
        if not token:
            return users


def _print(user: v1.RosreestrUser, *, is_json: bool, said: str = "") -> None:
    if is_json:
        print_json(as_json(user))
        return
    if said:
        say(said)
    print_facts(
        (
            ("id", str(user.account_id)),
            ("account", user.account),
            ("standing", _standing(user)),
            ("until", show_time(user.standby_until)),
            ("login", user.gu_login),
            ("declarant category", user.declarant_category),
            ("role", user.role),
            ("password", tr("stored") if user.has_password else tr("none")),
            ("one-time codes", tr("stored") if user.has_totp else tr("none")),
            ("session", tr("stored") if user.has_session else tr("none")),
            ("open orders", str(user.open_orders)),
            ("last opened", show_time(user.opened_at)),
            ("comment", user.comment),
        )
    )


def _standing(user: v1.RosreestrUser) -> str:
    if not user.is_active:
        return tr("inactive")
    if user.standby_reason:
        kind = enum_name(v1.RosreestrUser.DESCRIPTOR.fields_by_name["standby_kind"], user.standby_kind)
        return tr(f"stands by ({kind}): {user.standby_reason}")
    if not user.declarant_category:
        return tr("orders nothing: set its --declarant-category")
    if not user.has_password and not user.has_session:
        return tr("can't log in: set its password or import a session")
    return tr("active")


def _read_password() -> str:
    return _read_secret("Password")


def _read_secret(what: str) -> str:
    if sys.stdin.isatty():
        prompted: str = click.prompt(tr(what), hide_input=True, confirmation_prompt=True, err=True)
        return prompted
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise click.UsageError(f"No {what.lower()} came on standard input: pipe one in, or run this in a terminal.")
    return secret
