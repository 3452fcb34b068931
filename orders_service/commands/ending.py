"""`orders-service orders cancel` and `retry`: orders that aren't wanted any more, and such as are to be tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from orders_service.commands.client import TIMEOUT_S, CallFailed, ServiceAway, connected, explained
from orders_service.commands.context import Failure, login_name
from orders_service.commands.order_output import EXIT_CODES, json_option, order_ids_argument, print_orders
from orders_service.commands.output import as_json, print_json
from orders_service.v1 import operator_pb2, orders_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.commands.client import Client
    from orders_service.commands.context import Context

_actor_option: Final = click.option(
    "--actor", default=login_name, help="Who does it, for the history. Default: your login."
)


@click.command("cancel", epilog=EXIT_CODES)
@order_ids_argument
@click.option("--why", required=True, help="Why, for the history.")
@_actor_option
@json_option
@click.pass_obj
def cancel(context: Context, order_ids: tuple[int, ...], why: str, actor: str, is_json: bool) -> None:
    """End orders that aren't wanted any more; nothing is paid for them.

    An order of which something may have been sent isn't cancelled: it says what can be done instead. The same command
    may be repeated without harm.

    \b
    Example:
      orders-service orders cancel 17 18 --why "ordered by mistake"
    """

    def end(client: Client, order_id: int) -> orders_pb2.Order:
        request = orders_pb2.CancelOrderRequest(order_id=order_id, reason=why, actor=actor)
        return client.orders.CancelOrder(request, timeout=TIMEOUT_S).order

    _each(context, order_ids, end, is_json=is_json)


@click.command("retry", epilog=EXIT_CODES)
@order_ids_argument
@click.option("--why", required=True, help="Why, for the history.")
@_actor_option
@json_option
@click.pass_obj
def retry(context: Context, order_ids: tuple[int, ...], why: str, actor: str, is_json: bool) -> None:
    """Try orders again that failed or were cancelled, from where their journals stand.

    What has its number is collected again, what may have been sent is looked for again, what was never sent begins
    anew. What could be paid twice isn't tried: it says why, and what can be done instead.

    \b
    Example:
      orders-service orders retry 17 18 --why "the portal is back"
    """

    def again(client: Client, order_id: int) -> orders_pb2.Order:
        asked = operator_pb2.GetOrderCaseRequest(order_id=order_id)
        case = client.operator.GetOrderCase(asked, timeout=TIMEOUT_S)
        basis = operator_pb2.DecisionBasis(
            order_id=order_id, send_id=case.send_id, case_no=case.case_no, actor=actor, reason=why
        )
        return client.operator.RetryOrder(operator_pb2.RetryOrderRequest(basis=basis), timeout=TIMEOUT_S).order

    _each(context, order_ids, again, is_json=is_json)


def _each(
    context: Context, order_ids: tuple[int, ...], do: Callable[[Client, int], orders_pb2.Order], *, is_json: bool
) -> None:
    """Do it with each order by itself; one that is refused keeps no other from it, and is told at the end.

    What was done before the service went away is told, too.
    """
    done: list[orders_pb2.Order] = []
    refused: list[str] = []
    away: ServiceAway | None = None
    with connected(context.service) as client:
        for order_id in dict.fromkeys(order_ids):
            try:
                with explained(context.service):
                    done.append(do(client, order_id))
            except ServiceAway as error:
                away = error
                break
            except CallFailed as error:
                refused.append(str(error))
    if is_json:
        print_json({"orders": [as_json(order) for order in done], "refused": refused})
    elif done:
        print_orders(done)
    if away is not None:
        raise away
    if refused:
        raise Failure("\n".join(refused))
