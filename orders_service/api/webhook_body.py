"""What a client is told by a webhook: the event, and the order as REST shows it to him."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.api.grpc.messages import event_message, order_message
from orders_service.api.rest.problem import to_json
from orders_service.api.rest.rpc import to_plain

if TYPE_CHECKING:
    from orders_service.orders.search import EventView, OrderView


def write_body(message_id: str, event: EventView, order: OrderView) -> bytes:
    """Write what is sent.

    The order is as it stands at this moment: where its telling was late, it may be further than the event.
    """
    told = to_plain(event_message(event))
    return to_json(
        {
            "id": message_id,
            "type": f"order.{event.to_state}",
            "created_at": told["at"],
            "event": told,
            "order": to_plain(order_message(order)),
        }
    )
