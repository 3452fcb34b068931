"""`orders-service orders watch`: steps of orders as they are taken."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Final

import click
import grpc

from orders_service.commands.client import Client, explain
from orders_service.commands.order_output import EXIT_CODES, json_option
from orders_service.commands.output import as_json, enum_name, say, show_time
from orders_service.v1 import orders_pb2 as v1
from rosq.commands.values import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Generator

    from orders_service.commands.context import Context, Way

_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 5.0
_FIELDS: Final = v1.OrderEvent.DESCRIPTOR.fields_by_name


@click.command("watch", epilog=EXIT_CODES)
@click.argument("order_ids", metavar="[ID]...", type=click.IntRange(1, MAX_ID), nargs=-1)
@click.option(
    "--after",
    "after_event_id",
    type=click.IntRange(0, MAX_ID),
    help="Begin after this event, 0: with the first there is. Default: now.",
)
@click.option(
    "--limit", type=click.IntRange(1, MAX_ID), help="End after so many events. Default: when you say so (Ctrl-C)."
)
@json_option
@click.pass_obj
def watch(
    context: Context, order_ids: tuple[int, ...], after_event_id: int | None, limit: int | None, is_json: bool
) -> None:
    """Show what becomes of orders while it happens: of all that you may see, or of those that are named.

    Each step is shown once and none is left out, also where the service was away in between. With --json each is one
    line; give its event_id as --after to go on there another time.

    \b
    Examples:
      orders-service orders watch
      orders-service orders watch 17 18 --after 0
      orders-service orders watch --json --after 123456 | while read -r line; do …
    """
    request = v1.WatchOrdersRequest(after_event_id=after_event_id, order_ids=order_ids)
    left = limit
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(_told(context.service, request)) as told:
        for one in told:
            click.echo(json.dumps(as_json(one), ensure_ascii=False) if is_json else _line(one))
            left = None if left is None else left - 1
            if left == 0:
                return


def _told(address: Way, request: v1.WatchOrdersRequest) -> Generator[v1.WatchOrdersResponse]:
    """Yield the steps; a connection that breaks is followed by another, which goes on where it ended."""
    client, pause_s, was_there = Client(address), _FIRST_PAUSE_S, False
    try:
        while True:
            call = client.orders.WatchOrders(request)
            try:
                for answer in call:
                    was_there, pause_s = True, _FIRST_PAUSE_S
                    request.after_event_id = answer.event_id
                    if answer.HasField("event"):
                        yield answer
            except grpc.RpcError as error:
                assert isinstance(error, grpc.Call)
                if not was_there or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    explain(error, address)
                if pause_s == _FIRST_PAUSE_S:
                    say("The orders service is away: it is asked again until it is back.", err=True)
            finally:
                call.cancel()
            time.sleep(pause_s)
            pause_s = min(_MAX_PAUSE_S, 2 * pause_s)
    finally:
        client.close()


def _line(told: v1.WatchOrdersResponse) -> str:
    event = told.event
    what = (
        f"→ {enum_name(_FIELDS['to_state'], event.to_state)}"
        if event.to_state
        else enum_name(_FIELDS["kind"], event.kind)
    )
    why = f": {event.reason}" if event.reason else ""
    return f"{show_time(event.at)}  order {told.order_id}  {what} ({event.actor}){why}"
