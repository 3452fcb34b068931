"""Orders one by one, so that a spoiled one keeps no other waiting."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orders_service.life.unattended import tell_spoiled
from rosq import InvalidData, InvalidName, RosqError, ServerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orders_service.queueing.schedule import ScheduledOrder

logger = logging.getLogger(__name__)


def keep_apart(
    orders: Sequence[ScheduledOrder],
    handle: Callable[[ScheduledOrder], object],
    spoiled: dict[int, str],
    *,
    of: int | None = None,
) -> None:
    """Handle each order, and note those that can't be handled, with a sentence for whoever is to mend them.

    Args:
        handle: Asks the queue about one order, or for it.
        spoiled: Where they are noted, by id.
        of: How many orders were tried in all; by default as many as are given.

    Raises:
        ServerUnreachable: The queue's server is away.
        RosqError: The queue refuses all of them, for no reason of their own: it is the queue that is in trouble.
    """
    failures: dict[int, Exception] = {}
    for order in orders:
        try:
            handle(order)
        except ServerUnreachable:
            raise
        except Exception as error:
            failures[order.id] = error
    own = (InvalidData, InvalidName)
    if (
        failures
        and len(failures) == (of or len(orders))
        and not any(isinstance(each, own) for each in failures.values())
    ):
        raise next(iter(failures.values()))
    for order_id, failure in failures.items():
        # What the queue says of it is a sentence; anything else is a defect of ours.
        trace = None if isinstance(failure, RosqError) else failure
        extra = {"event": "order_spoiled", "order_id": order_id, "error": str(failure)}
        logger.error("An order can't be handled", exc_info=trace, extra=extra)
        spoiled[order_id] = tell_spoiled(failure)
