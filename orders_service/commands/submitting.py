"""`orders-service orders submit`: order, and never twice, whatever becomes of the answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orders_service.commands import following, order_keys
from orders_service.commands.client import TIMEOUT_S, CallFailed, connected, explained
from orders_service.commands.context import Failure
from orders_service.commands.language import tr
from orders_service.commands.order_file import FileOptions, Line, read_orders, show
from orders_service.commands.order_output import json_option, print_orders
from orders_service.commands.output import as_json, enum_name, print_json, print_table, say
from orders_service.v1 import orders_pb2 as v1
from rosq.commands.values import Seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.commands.client import Client
    from orders_service.commands.context import Context

#: `submit` prints so many rows; a file of thousands is looked at by `orders list`.
_MAX_ROWS: Final = 50
_STATE: Final = v1.CreatedOrder.DESCRIPTOR.fields_by_name["state"]
_ROW_NAMED: Final = re.compile(r"orders\[([0-9]+)\]")
#: Of these reasons CheckOrders tells every bad row.
_BAD_ROWS: Final = frozenset({"INVALID_INPUT", "KEY_TAKEN"})


@click.command(
    "submit",
    epilog="Exit codes: 0 accepted (with --wait: all completed), 1 refused (with --wait: one failed or waits for a "
    "person), 2 wrong usage, 3 the orders service can't be reached or its answer was lost: run the same command again, "
    "5 accepted, but --timeout is over.",
)
@click.option(
    "--cad-num", "cad_nums", multiple=True, help="Cadastral number; give it several times for several orders."
)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="XLSX or CSV with a column of numbers, and perhaps of recipient, comment, urgency and key; see --preview.",
)
@click.option("--column", default="", help="The file's column of the number, by its heading or from 1.")
@click.option("--sheet", default="", help="The sheet of the workbook, where several hold something.")
@click.option("--encoding", default="", help="Of the CSV, where what was found isn't right.")
@click.option("--preview", is_flag=True, help="Show what was taken for what in the file, and order nothing.")
@click.option(
    "--errors", type=click.Path(path_type=Path, dir_okay=False), help="Write every bad row of the file here, as CSV."
)
@click.option("--recipient", default="", help="Your own note of whom it is for; never sent to the portal.")
@click.option("--comment", default="", help="A free note.")
@click.option("--urgent", is_flag=True, help="Goes before ordinary orders.")
@click.option(
    "--idempotency-key",
    default="",
    help="Your own name for the order: the same again orders nothing twice. A file has a column for it.",
)
@click.option(
    "--batch",
    default="",
    help="Your own name for all of it, part of the key of each order that has none. Another name orders the same "
    "objects once more.",
)
@click.option("--wait", is_flag=True, help="Follow the orders until each is final or waits for a person.")
@click.option("--timeout", type=Seconds(), help="Stop following after this many seconds.")
@json_option
@click.pass_obj
def submit(
    context: Context,
    cad_nums: tuple[str, ...],
    file: Path | None,
    column: str,
    sheet: str,
    encoding: str,
    preview: bool,
    errors: Path | None,
    recipient: str,
    comment: str,
    urgent: bool,
    idempotency_key: str,
    batch: str,
    wait: bool,
    timeout: float | None,
    is_json: bool,
) -> None:
    """Order extracts: all of them are accepted, or none and it says why.

    The same command again orders nothing twice: run it again whenever its end wasn't seen. To order the same file or
    numbers once more, on purpose, give another --batch.

    \b
    Examples:
      orders-service orders submit --cad-num 77:01:0001001:1001 --idempotency-key 2026-17
      orders-service orders submit --cad-num 77:01:0001001:1001 --cad-num 77:01:0001001:1002 --wait
      orders-service orders submit --file orders.xlsx --preview
      orders-service orders submit --file orders.xlsx --recipient "Bank"
    """
    if bool(cad_nums) == (file is not None):
        raise click.UsageError("Give either --cad-num (several times if you like) or --file.")
    if idempotency_key and len(cad_nums) != 1:
        raise click.UsageError("--idempotency-key names one order: give one --cad-num, or a column in the file.")
    if timeout is not None and not wait:
        raise click.UsageError("--timeout goes with --wait.")
    if file is None and (column or sheet or encoding or preview or errors):
        raise click.UsageError("--column, --sheet, --encoding, --preview and --errors go with --file.")
    keys = ""
    if file is not None:
        options = FileOptions(
            column=column,
            sheet=sheet,
            encoding=encoding,
            recipient=recipient,
            batch=batch,
            errors=errors,
            is_json=is_json,
        )
        if preview:
            show(file, options)
            return
        lines, read = read_orders(file, options)
        if read.preview.derived_keys:
            keys = "made of object, recipient and --batch"
    else:
        lines = [
            Line(
                order=v1.NewOrder(cad_num=cad_num, idempotency_key=idempotency_key),
                where=f"--cad-num {cad_num}",
                number=number,
            )
            for number, cad_num in enumerate(cad_nums, start=1)
        ]
        batch = batch or order_keys.name_of_numbers(cad_nums)
    for line in lines:
        line.order.recipient = line.order.recipient or recipient
        line.order.comment = line.order.comment or comment
        line.order.is_urgent = line.order.is_urgent or urgent
    if order_keys.give_keys(lines, batch):
        keys = f"{batch}:{lines[0].number} …"
    with connected(context.service) as client:
        created = _create(client, lines)
        _tell(created, lines, keys, is_json=is_json, is_followed=wait)
        if wait:
            with following.accepted_anyway(created, client.address):
                orders = following.follow(client.orders, created, timeout_s=timeout, is_quiet=is_json)
            if is_json:
                print_json({"orders": [as_json(order) for order in orders]})
            else:
                print_orders(orders)
            following.require_completed(orders, timeout_s=timeout)


def _create(client: Client, lines: Sequence[Line]) -> list[v1.CreatedOrder]:
    """Send the orders; a broken rule is told with the place where the user wrote the order.

    Raises:
        CallFailed: Nothing was accepted; or it isn't known, and the sentence says so.
    """
    orders = [line.order for line in lines]
    try:
        with explained(client.address):
            return list(
                client.orders.BatchCreateOrders(v1.BatchCreateOrdersRequest(orders=orders), timeout=TIMEOUT_S).orders
            )
    except CallFailed as error:
        if error.may_be_done:
            raise type(error)(
                f"{error.message} {tr(_maybe(len(lines)))}", reason=error.reason, may_be_done=True
            ) from error
        if error.reason not in _BAD_ROWS:
            raise
        told = _tell_bad_rows(client, lines) or [error.message]
        # One line stays one sentence.
        raise Failure("\n".join(told if len(lines) == 1 else ["Nothing was ordered.", *told])) from error
    except KeyboardInterrupt as interrupt:
        raise Failure(_maybe(len(lines))) from interrupt


def _maybe(count: int) -> str:
    what = "The order may be accepted" if count == 1 else "The orders may be accepted"
    return f"{what}: run the SAME command again, it orders nothing twice."


def _tell_bad_rows(client: Client, lines: Sequence[Line]) -> list[str]:
    """Ask for every bad row, which an error has no room for; one line for each broken rule."""
    told: list[str] = []
    index = 0
    with explained(client.address):
        while True:
            request = v1.CheckOrdersRequest(orders=[line.order for line in lines], from_index=index)
            answer = client.orders.CheckOrders(request, timeout=TIMEOUT_S)
            told += [_tell_rule(lines, row.index, rule) for row in answer.bad_rows for rule in row.rules]
            index = answer.next_index
            if index == 0:
                return told


def _tell_rule(lines: Sequence[Line], index: int, rule: v1.BrokenRule) -> str:
    where = lines[index].where
    # Whoever typed one number knows which field it is.
    field = "" if rule.field == "cad_num" and where.startswith("--cad-num") else f"{rule.field}: "
    text = _ROW_NAMED.sub(lambda named: lines[int(named[1])].where, rule.rule)
    return f"{where}: {field}{text}"


def _tell(
    created: Sequence[v1.CreatedOrder], lines: Sequence[Line], keys: str, *, is_json: bool, is_followed: bool
) -> None:
    """Print what was accepted."""
    if is_json:
        if not is_followed:
            print_json({"orders": [_as_json(one, line) for one, line in zip(created, lines, strict=True)]})
        return
    existing = sum(one.is_existing for one in created)
    say(f"{len(created) - existing} accepted, {existing} already there.")
    if keys:
        say(f"Their keys: {keys}; the same command again orders nothing twice.")
    for one, line in zip(created, lines, strict=True):
        for warning in one.warnings:
            click.echo(f"{line.where}: {warning.text}")
    if existing and keys:
        say("To order what is already there once more, on purpose, give another --batch.")
    if is_followed:
        return
    rows = [
        (str(one.order_id), line.order.cad_num, enum_name(_STATE, one.state), line.order.idempotency_key)
        for one, line in zip(created[:_MAX_ROWS], lines[:_MAX_ROWS], strict=True)
    ]
    print_table(("id", "object", "state", "key"), rows)
    if len(created) > _MAX_ROWS:
        say(f"… and {len(created) - _MAX_ROWS} more: see `orders-service orders list`.")


def _as_json(one: v1.CreatedOrder, line: Line) -> dict[str, Any]:
    return {
        "order_id": one.order_id,
        "cad_num": line.order.cad_num,
        "idempotency_key": line.order.idempotency_key,
        "state": enum_name(_STATE, one.state),
        "is_existing": one.is_existing,
        "warnings": [as_json(warning) for warning in one.warnings],
    }
