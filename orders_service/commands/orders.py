"""`orders-service orders …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orders_service.commands import (
    counting,
    deciding,
    ending,
    exporting,
    extract_file,
    submitting,
    watching,
)
from orders_service.commands.client import TIMEOUT_S, connected
from orders_service.commands.language import tr
from orders_service.commands.order_filters import filter_options
from orders_service.commands.order_output import EXIT_CODES, json_option, order_id_argument, print_orders, status_of
from orders_service.commands.output import as_json, enum_name, print_facts, print_json, print_table, say, show_time
from orders_service.v1 import operator_pb2
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from orders_service.commands.context import Context

_PAPER_KIND: Final = v1.OrderPaper.DESCRIPTOR.fields_by_name["kind"]


@click.group()
def orders() -> None:
    """Orders of extracts: submit, follow, fetch, and decide what only a person can.

    \b
    Examples:
      orders-service orders submit --cad-num 77:01:0001001:1001 --wait
      orders-service orders submit --file orders.csv
      orders-service orders list --state failed
      orders-service orders watch
      orders-service orders download 1
    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached.
    """


@orders.command("list", epilog=EXIT_CODES)
@filter_options
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@click.option("--page-token", default="", help="Go on from where the last page ended.")
@json_option
@click.pass_obj
def list_(
    context: Context,
    wanted: dict[str, Any],
    limit: int,
    page_token: str,
    is_json: bool,
) -> None:
    """Show orders, newest first.

    \b
    Examples:
      orders-service orders list --on-hold
      orders-service orders list --state failed --json
    """
    request = v1.ListOrdersRequest(page_size=limit, page_token=page_token, **wanted)
    with connected(context.service) as client:
        page = client.orders.ListOrders(request, timeout=TIMEOUT_S)
    if is_json:
        print_json(as_json(page))
        return
    if not page.orders:
        say("No order waits for a person." if wanted["only_on_hold"] else "There are no such orders.")
    else:
        print_orders(page.orders)
    if page.next_page_token:
        say(f"There are more: --page-token {page.next_page_token}")


@orders.command("show", epilog=EXIT_CODES)
@order_id_argument
@json_option
@click.pass_obj
def show(context: Context, order_id: int, is_json: bool) -> None:
    """Show one order and its history, and where a person may decide, what there is to know and to do."""
    with connected(context.service) as client:
        order = client.orders.GetOrder(v1.GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S).order
        latest = v1.ListOrderEventsRequest(order_id=order_id, page_size=500, newest_first=True)
        events = client.orders.ListOrderEvents(latest, timeout=TIMEOUT_S).events[::-1]
        case = client.operator.GetOrderCase(operator_pb2.GetOrderCaseRequest(order_id=order_id), timeout=TIMEOUT_S)
    if is_json:
        print_json({"order": as_json(order), "events": [as_json(event) for event in events], "case": as_json(case)})
        return
    print_facts(
        (
            ("order", str(order.order_id)),
            ("object", order.cad_num),
            ("status", status_of(order)),
            ("on hold", order.hold_reason),
            ("account", order.account),
            ("number", order.order_number),
            ("at the portal", order.portal_status),
            ("recipient", order.recipient),
            ("comment", order.comment),
            ("idempotency key", order.idempotency_key),
            ("urgent", tr("yes") if order.is_urgent else ""),
            ("accepted", show_time(order.created_at)),
            ("registered", show_time(order.registered_at)),
            ("finished", show_time(order.finished_at)),
            ("next look", show_time(order.next_at)),
        )
    )
    if case.ways:
        deciding.print_case(case)
    for paper in order.papers:
        kind = enum_name(_PAPER_KIND, paper.kind)
        say(f"{kind}: {paper.file_name}, {paper.size_bytes:,} bytes, sha256 {paper.sha256} {paper.reason}")
        if paper.kind == v1.PAPER_KIND_QUARANTINED:
            command = f"orders-service orders download {order.order_id} --set-aside --sha256 {paper.sha256}"
            say(f"  To look at it: {command}")
    fields = v1.OrderEvent.DESCRIPTOR.fields_by_name
    print_table(
        ("when", "who", "what", "why"),
        (
            (
                show_time(event.at),
                event.actor,
                f"→ {enum_name(fields['to_state'], event.to_state)}"
                if event.to_state
                else enum_name(fields["kind"], event.kind),
                event.reason,
            )
            for event in events
        ),
    )


@orders.command("download", epilog=EXIT_CODES)
@order_id_argument
@click.option(
    "--to",
    "to",
    type=click.Path(path_type=Path),
    default=Path(),
    help="File or folder to write to. Default: here, under the extract's own name.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.option("--sha256", default="", help="Which of its papers, as `orders show` tells them.")
@click.option("--set-aside", is_flag=True, help="For operators: what was put aside; it may be of another object.")
@json_option
@click.pass_obj
def download(
    context: Context, order_id: int, to: Path, force: bool, sha256: str, set_aside: bool, is_json: bool
) -> None:
    """Fetch the extract of an order: a ZIP, checked against its SHA-256.

    An order that failed with the registry's own notice gives that notice, and says so.

    \b
    Examples:
      orders-service orders download 1
      orders-service orders download 1 --to extracts/
      orders-service orders download 1 --set-aside
    """
    with connected(context.service) as client:
        paper, path = extract_file.save(client, order_id, to, is_forced=force, sha256=sha256, is_set_aside=set_aside)
    if is_json:
        print_json({"order_id": order_id, "file": str(path), "paper": as_json(paper)})
        return
    kind = enum_name(_PAPER_KIND, paper.kind)
    what = kind if paper.kind == v1.PAPER_KIND_EXTRACT else f"{kind} instead of an extract"
    say(f"{path} ({what}, {paper.size_bytes:,} bytes)")


for command in (
    submitting.submit,
    watching.watch,
    exporting.export,
    exporting.bundle,
    exporting.summary,
    counting.stats,
    deciding.settle,
    deciding.resume,
    deciding.give_up,
    ending.cancel,
    ending.retry,
):
    orders.add_command(command)
