"""`orders-service audit`: who did what."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click

from orders_service.access import audit as access
from orders_service.commands.database import run_on_database
from orders_service.commands.output import print_json, print_table
from rosq.commands.values import MAX_ID, Days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orders_service.access.audit import AuditView
    from orders_service.commands.context import Context


@click.command(
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached.",
)
@click.option("--order", "order_id", type=click.IntRange(1, MAX_ID), metavar="ID", help="About this order.")
@click.option("--account", metavar="NAME", help="About this account.")
@click.option("--actor", metavar="WHO", help="By this one, like operator:ivan, client:crm or worker:rosreestr_user_1.")
@click.option("--days", type=Days(min_open=True), help="Of the last so many days.")
@click.option(
    "--before",
    "before_id",
    type=click.IntRange(1, MAX_ID),
    metavar="ID",
    help="Older than this row: for the next page.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, access.MAX_PAGE),
    default=access.DEFAULT_PAGE,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "is_json", is_flag=True, help="Print for machines; with what was asked, before and after.")
@click.pass_obj
def audit(
    context: Context,
    order_id: int | None,
    account: str | None,
    actor: str | None,
    days: float | None,
    before_id: int | None,
    limit: int,
    is_json: bool,
) -> None:
    """Show who changed what, why, from where, and what it changed; newest first.

    Goes to PostgreSQL itself, by DB_HOST and its siblings. What workers do step by step stands in the orders' own
    histories (`orders-service orders show ID`). Nothing in the audit can be changed or deleted.

    \b
    Examples:
      orders-service audit --order 17
      orders-service audit --actor operator:ivan --days 7 --json
    """
    filters = access.Filters(
        order_id=order_id,
        account=account,
        actor=actor,
        since=None if days is None else dt.datetime.now(dt.UTC) - dt.timedelta(days=days),
        before_id=before_id,
        limit=limit,
    )
    rows = run_on_database(context, lambda database: access.list_audit(database, filters), name="audit")
    if is_json:
        print_json({"audit": [_as_json(row) for row in rows]})
    elif not rows:
        click.echo("Nothing of this was done.")
    else:
        print_table(
            ("id", "at", "who", "from", "what", "about", "outcome", "changed", "why"),
            [
                (
                    str(row.id),
                    row.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                    row.actor,
                    row.origin,
                    row.action,
                    _about(row),
                    row.outcome or "unknown",
                    _changed(row.before, row.after),
                    row.reason or "",
                )
                for row in rows
            ],
        )


def _about(row: AuditView) -> str:
    orders = [f"order {order_id}" for order_id in row.order_ids[:3]] + (["…"] if len(row.order_ids) > 3 else [])
    return ", ".join(orders + ([row.account] if row.account else []))


def _changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Return each value that isn't what it was."""
    changes = []
    for place, was, now in _pairs(before or {}, after or {}):
        changes += [
            f"{place}{key}: {_show(was.get(key))} → {_show(now[key])}" for key in now if was.get(key) != now[key]
        ]
    return ", ".join(changes)


def _pairs(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    was = {order["order_id"]: order for order in before.get("orders", ())}
    orders = [order for order in after.get("orders", ()) if order["order_id"] in was]
    pairs = [(f"{order['order_id']} " if len(orders) > 1 else "", was[order["order_id"]], order) for order in orders]
    if before.get("account") and after.get("account"):
        pairs.append(("", before["account"], after["account"]))
    return pairs


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_json(row: AuditView) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at.isoformat(),
        "actor": row.actor,
        "origin": row.origin,
        "action": row.action,
        "order_ids": list(row.order_ids),
        "account": row.account,
        "reason": row.reason,
        "request": row.request,
        "before": row.before,
        "after": row.after,
        "outcome": row.outcome,
    }
