"""`orders-service orders …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orders_service.commands import deciding, extract_file, following
from orders_service.commands.client import TIMEOUT_S, CallFailed, connected, explained
from orders_service.commands.context import Failure
from orders_service.commands.order_file import COLUMNS, Line, read_orders
from orders_service.commands.order_output import EXIT_CODES, json_option, order_id_argument, print_orders
from orders_service.commands.output import as_json, enum_name, print_facts, print_json, print_table, show_time
from orders_service.v1 import operator_pb2
from orders_service.v1 import orders_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.commands.client import Client
    from orders_service.commands.context import Context

_STATES: Final = [
    enum_name(v1.Order.DESCRIPTOR.fields_by_name["state"], number) for number in v1.OrderState.values() if number
]


@click.group()
def orders() -> None:
    """Orders of extracts: submit, follow, fetch, and decide what only a person can.

    \b
    Examples:
      orders-service orders submit --cad-num 77:01:0001001:1001 --wait
      orders-service orders submit --file orders.csv
      orders-service orders list --state failed
      orders-service orders download 1
    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached.
    """


@orders.command(
    "submit",
    epilog="Exit codes: 0 accepted (with --wait: all completed), 1 refused (with --wait: one failed or waits for a "
    "person), 2 wrong usage, 3 the orders service can't be reached.",
)
@click.option(
    "--cad-num", "cad_nums", multiple=True, help="Cadastral number; give it several times for several orders."
)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"CSV with a header; columns: {', '.join(COLUMNS)}. Or just numbers, one a line.",
)
@click.option("--recipient", default="", help="Your own note of whom it is for; never sent to the portal.")
@click.option("--comment", default="", help="A free note.")
@click.option("--urgent", is_flag=True, help="Goes before ordinary orders.")
@click.option(
    "--idempotency-key",
    default="",
    help="Your own name for the order: the same again orders nothing twice. A file has a column for it.",
)
@click.option("--wait", is_flag=True, help="Follow the orders until each is final or waits for a person.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Stop following after this many seconds.")
@json_option
@click.pass_obj
def submit(
    context: Context,
    cad_nums: tuple[str, ...],
    file: Path | None,
    recipient: str,
    comment: str,
    urgent: bool,
    idempotency_key: str,
    wait: bool,
    timeout: float | None,
    is_json: bool,
) -> None:
    """Order extracts: all of them are accepted, or none and it says why.

    \b
    Examples:
      orders-service orders submit --cad-num 77:01:0001001:1001 --idempotency-key 2026-17
      orders-service orders submit --cad-num 77:01:0001001:1001 --cad-num 77:01:0001001:1002 --wait
      orders-service orders submit --file orders.csv --recipient "Bank"
    """
    if bool(cad_nums) == (file is not None):
        raise click.UsageError("Give either --cad-num (several times if you like) or --file.")
    if idempotency_key and len(cad_nums) != 1:
        raise click.UsageError("--idempotency-key names one order: give one --cad-num, or a column in the file.")
    if timeout is not None and not wait:
        raise click.UsageError("--timeout goes with --wait.")
    lines = (
        read_orders(file)
        if file is not None
        else [
            Line(order=v1.NewOrder(cad_num=number, idempotency_key=idempotency_key), where=f"--cad-num {number}")
            for number in cad_nums
        ]
    )
    for line in lines:
        line.order.recipient = line.order.recipient or recipient
        line.order.comment = line.order.comment or comment
        line.order.is_urgent = line.order.is_urgent or urgent
    with connected(context.service) as client:
        created = _create(client, lines)
        accepted = [one.order for one in created]
        if wait:
            with following.accepted_anyway(accepted, client.address):
                accepted = following.follow(client.orders, accepted, timeout_s=timeout, is_quiet=is_json)
    existing = {one.order.id for one in created if one.is_existing}
    if is_json:
        print_json({"orders": [{"order": as_json(order), "is_existing": order.id in existing} for order in accepted]})
    else:
        click.echo(f"{len(created) - len(existing)} accepted, {len(existing)} already there.")
        print_orders(accepted)
    if wait:
        following.require_completed(accepted)


@orders.command("list", epilog=EXIT_CODES)
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state; repeatable.")
@click.option("--cad-num", default="", help="Only of this object, whatever the spelling.")
@click.option("--account", default="", help="Only of this account.")
@click.option("--on-hold", is_flag=True, help="Only those that wait for a person.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@click.option("--page-token", default="", help="Go on from where the last page ended.")
@json_option
@click.pass_obj
def list_(
    context: Context,
    states: tuple[str, ...],
    cad_num: str,
    account: str,
    on_hold: bool,
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
    request = v1.ListOrdersRequest(
        page_size=limit,
        page_token=page_token,
        states=[v1.OrderState.Value(f"ORDER_STATE_{state.upper()}") for state in states],
        cad_num=cad_num,
        username=account,
        only_on_hold=on_hold,
    )
    with connected(context.service) as client:
        page = client.orders.ListOrders(request, timeout=TIMEOUT_S)
    if is_json:
        print_json(as_json(page))
        return
    if not page.orders:
        click.echo("There is no such order.")
    else:
        print_orders(page.orders)
    if page.next_page_token:
        click.echo(f"There are more: --page-token {page.next_page_token}")


@orders.command("show", epilog=EXIT_CODES)
@order_id_argument
@json_option
@click.pass_obj
def show(context: Context, order_id: int, is_json: bool) -> None:
    """Show one order and its history, and where a person may decide, what there is to know and to do."""
    with connected(context.service) as client:
        answer = client.orders.GetOrder(v1.GetOrderRequest(id=order_id, with_events=True), timeout=TIMEOUT_S)
        case = client.operator.GetOrderCase(operator_pb2.GetOrderCaseRequest(order_id=order_id), timeout=TIMEOUT_S)
    if is_json:
        print_json(as_json(answer) | {"case": as_json(case)})
        return
    order = answer.order
    print_facts(
        (
            ("order", str(order.id)),
            ("object", order.cad_num),
            ("status", order.status),
            ("on hold", order.hold_reason),
            ("account", order.username),
            ("number", order.order_number),
            ("at the portal", order.portal_status),
            ("recipient", order.recipient),
            ("comment", order.comment),
            ("idempotency key", order.idempotency_key),
            ("urgent", "yes" if order.is_urgent else ""),
            ("accepted", show_time(order.created_at)),
            ("registered", show_time(order.registered_at)),
            ("finished", show_time(order.finished_at)),
            ("next look", show_time(order.next_at)),
        )
    )
    if case.ways:
        deciding.print_case(case)
    for paper in order.papers:
        click.echo(f"{paper.kind}: {paper.file_name}, {paper.size_bytes:,} bytes, sha256 {paper.sha256} {paper.reason}")
    state = v1.OrderEvent.DESCRIPTOR.fields_by_name["to_state"]
    print_table(
        ("when", "who", "what", "why"),
        (
            (
                show_time(event.at),
                event.actor,
                f"→ {enum_name(state, event.to_state)}" if event.to_state else event.kind,
                event.reason,
            )
            for event in answer.events
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
@json_option
@click.pass_obj
def download(context: Context, order_id: int, to: Path, force: bool, is_json: bool) -> None:
    """Fetch the extract of an order: a ZIP, checked against its SHA-256.

    An order that failed with the registry's own notice gives that notice, and says so.

    \b
    Examples:
      orders-service orders download 1
      orders-service orders download 1 --to extracts/
    """
    with connected(context.service) as client:
        paper, path = extract_file.save(client.orders, order_id, to, is_forced=force)
    if is_json:
        print_json({"order_id": order_id, "file": str(path), "paper": as_json(paper)})
        return
    what = "extract" if paper.kind == "extract" else f"{paper.kind} instead of an extract"
    click.echo(f"{path} ({what}, {paper.size_bytes:,} bytes)")


def _create(client: Client, lines: Sequence[Line]) -> list[v1.CreatedOrder]:
    """Send the orders; a broken rule is told with the place where the user wrote the order."""
    request = v1.CreateOrdersRequest(orders=[line.order for line in lines])
    try:
        with explained(client.address):
            return list(client.orders.CreateOrders(request, timeout=TIMEOUT_S).orders)
    except CallFailed as error:
        if not error.violations:
            raise
        told = []
        for field, rule in error.violations:
            index, _, name = field.removeprefix("orders[").partition("].")
            told.append(f"{lines[int(index)].where}: {name}: {rule}" if index.isdigit() else f"{field}: {rule}")
        # One line stays one sentence.
        raise Failure("\n".join(told if len(lines) == 1 else ["Nothing was ordered.", *told])) from error


for command in (deciding.settle, deciding.resume, deciding.give_up):
    orders.add_command(command)
