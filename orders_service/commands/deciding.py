"""`orders-service orders settle`, `resume` and `give-up`: what only a person can decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from orders_service.commands.client import TIMEOUT_S, connected
from orders_service.commands.context import login_name
from orders_service.commands.order_output import EXIT_CODES, json_option, order_id_argument, print_orders
from orders_service.commands.output import as_json, print_facts, print_json, print_table, say, show_time
from orders_service.v1 import operator_pb2 as v1
from rosq.commands.values import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.commands.context import Context
    from orders_service.v1 import orders_pb2

_MAX_CASE: Final = 2**31 - 1


def _require_case(context: click.Context, parameter: click.Parameter, case_no: int | None) -> int:
    """A decision is about what its person was shown; who doesn't know the number is told where it stands."""
    if case_no is None:
        raise click.UsageError(
            "Give --case: `orders-service orders show ID` prints it, with each decision ready to copy.", context
        )
    return case_no


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what every decision names."""
    for option in (
        click.pass_obj,
        json_option,
        click.option("--reason", default="", help="Why, for the history."),
        click.option("--actor", default=login_name, help="Who decides, for the history. Default: your login."),
        click.option(
            "--case",
            "case_no",
            type=click.IntRange(1, _MAX_CASE),
            callback=_require_case,
            help="From `orders show`. Required.",
        ),
        click.option("--send", "send_id", default="", help="From `orders show`; none where it shows none."),
        order_id_argument,
    ):
        command = option(command)
    return command


@click.command("settle", epilog=EXIT_CODES)
@_decision
@click.option("--number", help="It stands at the portal under this number.")
@click.option("--unseen", is_flag=True, help="With --number: it is right, although no reading of the list showed it.")
@click.option("--absent", is_flag=True, help="It isn't there: it may be sent, and charged, once more.")
@click.option(
    "--row",
    "rows",
    type=click.IntRange(1, MAX_ID),
    multiple=True,
    help="With --absent: this row isn't the order's; name all that are shown.",
)
@click.option("--despite", multiple=True, help="The portal's finish answered this number, and that is wrong.")
def settle(
    context: Context,
    order_id: int,
    send_id: str,
    case_no: int,
    actor: str,
    reason: str,
    is_json: bool,
    number: str | None,
    unseen: bool,
    absent: bool,
    rows: tuple[int, ...],
    despite: tuple[str, ...],
) -> None:
    """Decide about an order that the system can't decide: look at the portal first, money depends on it.

    `orders show` prints what there is to know, and this command as it must be given. The same command may be repeated
    without harm; what stands elsewhere by now is refused.

    \b
    Examples:
      orders-service orders settle 17 --send 0c5d… --case 2 --number 80-12345678 --reason "seen in the list"
      orders-service orders settle 17 --send 0c5d… --case 2 --absent --row 901 --reason "901 was ordered by hand"
    """
    if (number is None) == (not absent):
        raise click.UsageError("Give either --number or --absent.")
    if absent and unseen:
        raise click.UsageError("--unseen goes with --number.")
    if rows and not absent:
        raise click.UsageError("--row goes with --absent.")
    basis = v1.DecisionBasis(order_id=order_id, send_id=send_id, case_no=case_no, actor=actor, reason=reason)
    with connected(context.service) as client:
        answer: Any
        if number is not None:
            by_number = v1.SettleByNumberRequest(basis=basis, number=number, despite=despite, is_unseen=unseen)
            answer = client.operator.SettleByNumber(by_number, timeout=TIMEOUT_S)
        else:
            as_absent = v1.SettleAsAbsentRequest(basis=basis, application_ids=rows, despite=despite)
            answer = client.operator.SettleAsAbsent(as_absent, timeout=TIMEOUT_S)
    _print(answer.order, is_json=is_json)


@click.command("resume", epilog=EXIT_CODES)
@_decision
def resume(context: Context, order_id: int, send_id: str, case_no: int, actor: str, reason: str, is_json: bool) -> None:
    """Lift the hold of an order and decide nothing about money: it goes on from where it stands.

    \b
    Example:
      orders-service orders resume 17 --send 0c5d… --case 2 --reason "the disk has room again"
    """
    basis = v1.DecisionBasis(order_id=order_id, send_id=send_id, case_no=case_no, actor=actor, reason=reason)
    with connected(context.service) as client:
        answer = client.operator.ResumeOrder(v1.ResumeOrderRequest(basis=basis), timeout=TIMEOUT_S)
    _print(answer.order, is_json=is_json)


@click.command("give-up", epilog=EXIT_CODES)
@_decision
def give_up(
    context: Context, order_id: int, send_id: str, case_no: int, actor: str, reason: str, is_json: bool
) -> None:
    """End an order: it fails, and its status says what may have been paid for it.

    \b
    Example:
      orders-service orders give-up 17 --send 0c5d… --case 2 --reason "the registry never answers"
    """
    basis = v1.DecisionBasis(order_id=order_id, send_id=send_id, case_no=case_no, actor=actor, reason=reason)
    with connected(context.service) as client:
        answer = client.operator.GiveUpOrder(v1.GiveUpOrderRequest(basis=basis), timeout=TIMEOUT_S)
    _print(answer.order, is_json=is_json)


def print_case(case: v1.GetOrderCaseResponse) -> None:
    """Print what there is to know of an order that a person may decide about, and each decision as a command."""
    print_facts(
        (
            ("case", str(case.case_no)),
            ("send", case.send_id),
            ("finish answered", ", ".join(case.answers)),
            ("balance", str(case.balance) if case.HasField("balance") else ""),
            ("unread facts", ", ".join(map(str, case.unread_facts))),
        )
    )
    if case.rows:
        print_table(
            ("row", "number", "object", "status", "first seen", "last seen"),
            (
                (
                    str(row.application_id),
                    row.order_number,
                    row.cad_num,
                    row.request_status,
                    show_time(row.first_seen_at),
                    show_time(row.last_seen_at),
                )
                for row in case.rows
            ),
        )
    for way in case.ways:
        say(f"may be: {way}")


def _print(order: orders_pb2.Order, *, is_json: bool) -> None:
    if is_json:
        print_json(as_json(order))
    else:
        print_orders([order])
