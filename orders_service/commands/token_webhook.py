"""`orders-service tokens webhook …`: where a client is told of its orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orders_service.commands.database import EXIT_CODES, json_option, run_on_database, show_at, who_types
from orders_service.commands.language import tr
from orders_service.commands.output import print_facts, print_json, say
from orders_service.crypto import Secretbox
from orders_service.webhooks import manage

if TYPE_CHECKING:
    from orders_service.commands.context import Context
    from orders_service.webhooks.manage import WebhookView


@click.group()
def webhook() -> None:
    """Tell a client of each change of its orders' states, by a signed POST to an address of its own.

    The address belongs to a client's token, and ends with it. What is sent, and how a receiver checks the signature:
    docs/webhooks.md. What was sent and what wasn't: `orders-service webhooks list`.

    \b
    Examples:
      orders-service tokens webhook set crm-2026 --url https://crm.example.ru/rosreestr
      orders-service tokens webhook set crm-2026 --url http://10.0.0.7:8080/rosreestr --allow-private
      orders-service tokens webhook show crm-2026
      orders-service tokens webhook off crm-2026
    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached.
    """


@webhook.command("set", epilog=EXIT_CODES)
@click.argument("name")
@click.option("--url", required=True, metavar="URL", help="Where to send: https, to an address outside of the network.")
@click.option(
    "--allow-private",
    is_flag=True,
    help="The address may be inside the network, and then also http. Addresses local to a link, and those of clouds' "
    "metadata, are never reached.",
)
@json_option
@click.pass_obj
def set_(context: Context, name: str, url: str, allow_private: bool, is_json: bool) -> None:
    """Give the client's token NAME an address, or another one, and switch it on.

    The secret that signs is made with the first address and shown this once; another address keeps it. Sealed with
    ROSREESTR_CRYPTO_SECRET, which this command needs as the service does.
    """
    box = Secretbox.from_env(context.environ)
    view, secret = run_on_database(
        context,
        lambda database: manage.set_webhook(database, box, name, url, is_private_allowed=allow_private, by=who_types()),
        name="tokens",
    )
    if is_json:
        print_json({**_as_json(view), "secret": secret})
        return
    say(f"What becomes of the orders of {view.client} is told from now on to {view.url}")
    if secret is not None:
        click.echo(f"\n  {secret}\n")
        say("Keep it now: it isn't shown again. The receiver checks signatures with it.")


@webhook.command("show", epilog=EXIT_CODES)
@click.argument("name")
@json_option
@click.pass_obj
def show(context: Context, name: str, is_json: bool) -> None:
    """Show where the client is told, and how its address does; never the secret."""
    view = run_on_database(context, lambda database: manage.find_webhook(database, name), name="tokens")
    if is_json:
        print_json(_as_json(view))
        return
    print_facts(
        [
            ("token", view.token if view.is_token_in_use else tr(f"{view.token} (revoked, or ended: nothing is sent)")),
            ("client", view.client),
            ("url", view.url),
            ("private", tr("may be inside the network") if view.is_private_allowed else ""),
            ("standing", _standing(view)),
            ("waiting", str(view.waiting)),
            ("last taken", show_at(view.last_delivered_at)),
            ("last failed", show_at(view.last_failed_at)),
            ("last error", view.last_error or ""),
            ("old secret", tr(f"signs, too, until {show_at(view.previous_until)}") if view.previous_until else ""),
            ("made", f"{show_at(view.created_at)}, {view.created_by}"),
        ]
    )


@webhook.command("off", epilog=EXIT_CODES)
@click.argument("name")
@click.option("--reason", default="", help="Why, for the audit.")
@json_option
@click.pass_obj
def off(context: Context, name: str, reason: str, is_json: bool) -> None:
    """Tell the client nothing any more. What waited is given up; `on` switches it on again."""
    view = run_on_database(
        context,
        lambda database: manage.switch_off(database, name, reason=reason or "By an operator.", by=who_types()),
        name="tokens",
    )
    if is_json:
        print_json(_as_json(view))
    else:
        say(f"Webhook {view.token}: {_standing(view)}")


@webhook.command("on", epilog=EXIT_CODES)
@click.argument("name")
@json_option
@click.pass_obj
def on(context: Context, name: str, is_json: bool) -> None:
    """Tell the client again, of what happens from now on: `webhooks resend` sends what was given up."""
    view = run_on_database(context, lambda database: manage.switch_on(database, name, by=who_types()), name="tokens")
    if is_json:
        print_json(_as_json(view))
    else:
        say(f"Webhook {view.token}: {_standing(view)}")


@webhook.command("rotate", epilog=EXIT_CODES)
@click.argument("name")
@json_option
@click.pass_obj
def rotate(context: Context, name: str, is_json: bool) -> None:
    """Make another secret, and show it. The one before signs beside it for a day."""
    box = Secretbox.from_env(context.environ)
    view, secret = run_on_database(
        context, lambda database: manage.rotate_secret(database, box, name, by=who_types()), name="tokens"
    )
    if is_json:
        print_json({**_as_json(view), "secret": secret})
    else:
        click.echo(f"\n  {secret}\n")
        say(f"Keep it now: it isn't shown again. The one before signs, too, until {show_at(view.previous_until)}")


def _standing(view: WebhookView) -> str:
    if view.off_at is not None:
        return tr(f"switched off at {show_at(view.off_at)} by {view.off_by}: {view.off_reason}")
    if view.failing_since is not None:
        return tr(f"on; nothing was taken since {show_at(view.failing_since)}, tries in a row: {view.failures}")
    return tr("on")


def _as_json(view: WebhookView) -> dict[str, Any]:
    times = ("created_at", "previous_until", "off_at", "failing_since", "last_delivered_at", "last_failed_at")
    names = (
        "token",
        "client",
        "is_token_in_use",
        "url",
        "is_private_allowed",
        "created_by",
        "off_by",
        "off_reason",
        "failures",
        "last_error",
        "waiting",
    )
    plain = {name: getattr(view, name) for name in names}
    return {**plain, **{name: (at := getattr(view, name)) and at.isoformat() for name in times}}
