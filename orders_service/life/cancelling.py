"""End an order that isn't wanted any more, as long as nothing may have been sent for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.domain import ends
from orders_service.domain.states import OrderState
from orders_service.life import loading, weighing
from orders_service.life.work import DEFAULT_LEASE_S, working

if TYPE_CHECKING:
    from orders_service.store.db import Database


async def cancel(db: Database, order_id: int, *, actor: str, reason: str, lease_s: float = DEFAULT_LEASE_S) -> None:
    """End the order: nobody works on it any more, and nothing is paid for it. Its repeat changes nothing more.

    Who has it in hand at this moment is refused at his next step, the gate among them: the order's row parts the two,
    so it is either cancelled and never sent, or sent and this is refused. A hold goes with it. Its job is completed by
    whoever takes it next.

    Args:
        reason: Why, for the history.

    Raises:
        InvalidInput: No reason.
        NotFound: No such order.
        Refused: WRONG_STATE, with metadata state and what to do in its words: something may have been sent (need =
            person, or facts where what was seen must be weighed first), or the order is over.
        DatabaseUnavailable: The database is away.
    """
    if not reason.strip():
        raise errors.InvalidInput.of("reason", "must say why the order is cancelled.")
    async with working(db, lease_s) as work:
        order = await loading.find_order(work, order_id)
        if order is None:
            raise errors.NotFound("order", order_id)
        if order.state is OrderState.CANCELLED:
            return
        # What came in meanwhile may say that something was sent after all.
        order = await weighing.weigh_pending(work, order)
        await work.keep()
        if (refusal := ends.refuse_cancel(order)) is not None:
            raise errors.Refused("WRONG_STATE", refusal.message, state=order.state.value, need=refusal.need)
        await work.move("cancel", order, OrderState.CANCELLED, actor=actor, reason=reason.strip())
        work.log(logging.INFO, "An order was cancelled", event="order_cancelled", order_id=order.id, actor=actor)
