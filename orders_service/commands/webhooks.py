"""`orders-service webhooks …`: what clients were told, and telling it again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from orders_service.commands.database import EXIT_CODES, json_option, run_on_database, show_at, who_types
from orders_service.commands.output import print_json, print_table, say
from orders_service.webhooks import notifications
from rosq.commands.values import MAX_ID, Days

if TYPE_CHECKING:
    from orders_service.commands.context import Context
    from orders_service.webhooks.notifications import NotificationView

_order = click.option("--order", "order_id", type=click.IntRange(1, MAX_ID), metavar="ID", help="Of this order.")
_token = click.option("--token", metavar="NAME", help="Of the webhook of this token.")


@click.group()
def webhooks() -> None:
    """What clients were told of their orders, and what they weren't.

    \b
    A notification is one change of an order's state:
      pending     to be sent, or tried again
      behind      an earlier one of the same order comes first
      delivered   the client's address took it
      given_up    tried for a day in vain, or its webhook was switched off
    \b
    Examples:
      orders-service webhooks list --state given_up
      orders-service webhooks list --order 17
      orders-service webhooks resend --order 17
      orders-service webhooks resend --state given_up --token crm-2026 --days 3

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached.
    """


@webhooks.command("list", epilog=EXIT_CODES)
@_order
@_token
@click.option(
    "--state", "states", multiple=True, type=click.Choice(notifications.STATES), help="In this state; repeatable."
)
@click.option(
    "--before", "before_id", type=click.IntRange(1, MAX_ID), metavar="ID", help="Older than this: for the next page."
)
@click.option(
    "--limit",
    type=click.IntRange(1, notifications.MAX_PAGE),
    default=notifications.DEFAULT_PAGE,
    show_default=True,
    help="How many at most.",
)
@json_option
@click.pass_obj
def list_(
    context: Context,
    order_id: int | None,
    token: str | None,
    states: tuple[str, ...],
    before_id: int | None,
    limit: int,
    is_json: bool,
) -> None:
    """Show notifications, newest first."""
    filters = notifications.Filters(order_id=order_id, token=token, states=states)
    found = run_on_database(
        context,
        lambda database: notifications.list_notifications(database, filters, before_id=before_id, limit=limit),
        name="webhooks",
    )
    if is_json:
        print_json({"notifications": [_as_json(one) for one in found]})
    elif not found:
        say("There is no such notification.")
    else:
        print_table(
            ("id", "token", "order", "told", "state", "tries", "made", "last try", "answer", "why"),
            [_row(one) for one in found],
        )


@webhooks.command("resend", epilog=EXIT_CODES)
@click.argument("ids", nargs=-1, type=click.IntRange(1, MAX_ID), metavar="[ID]...")
@_order
@_token
@click.option(
    "--state", "states", multiple=True, type=click.Choice(notifications.OVER), help="In this state; repeatable."
)
@click.option("--days", type=Days(min_open=True), help="Of the last so many days.")
@json_option
@click.pass_obj
def resend(
    context: Context,
    ids: tuple[int, ...],
    order_id: int | None,
    token: str | None,
    states: tuple[str, ...],
    days: float | None,
    is_json: bool,
) -> None:
    """Send notifications again that are over: those of these IDs, of an order, or in a state.

    Each goes under its own `webhook-id` once more, so a receiver knows that it is a repeat. The order in it is as it
    stands now. What belongs to a webhook that is off stays as it is.
    """
    if not ids and order_id is None and not states:
        raise click.UsageError("Say which: IDs, --order or --state.")
    filters = notifications.Filters(order_id=order_id, token=token, states=states)
    since = None if days is None else dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    count = run_on_database(
        context,
        lambda database: notifications.send_again(database, filters, ids=ids, since=since, by=who_types()),
        name="webhooks",
    )
    if is_json:
        print_json({"count": count})
    else:
        say(f"Will be sent again: {count}." if count else "There is none that is over, and whose webhook is on.")


def _row(one: NotificationView) -> tuple[str, ...]:
    return (
        str(one.id),
        one.token,
        str(one.order_id),
        one.order_state,
        one.state,
        str(one.attempts),
        show_at(one.created_at),
        show_at(one.attempted_at),
        str(one.http_status or ""),
        one.error or "",
    )


def _as_json(one: NotificationView) -> dict[str, Any]:
    return {
        "id": one.id,
        "webhook_id": notifications.message_id(one.id),
        "token": one.token,
        "order_id": one.order_id,
        "order_state": one.order_state,
        "state": one.state,
        "attempts": one.attempts,
        "created_at": one.created_at.isoformat(),
        "attempted_at": one.attempted_at and one.attempted_at.isoformat(),
        "finished_at": one.finished_at and one.finished_at.isoformat(),
        "http_status": one.http_status,
        "error": one.error,
    }
