"""What a person must know of an order before deciding about it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.domain import decisions, ends
from orders_service.life import evidence, loading, retrying
from orders_service.life.work import DEFAULT_LEASE_S, working

if TYPE_CHECKING:
    import uuid

    from orders_service.domain.decisions import Evidence
    from orders_service.store.db import Database


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An order as a person decides about it.

    Attributes:
        send_id: The send that a decision is about; None: none may have left.
        hold_reason: Why it waits for a person; None: it doesn't.
        ways: Each decision that it allows now, as a command.
    """

    order_id: int
    case_no: int
    send_id: uuid.UUID | None
    hold_reason: str | None
    seen: Evidence
    ways: tuple[str, ...]


async def read_case(db: Database, order_id: int, *, lease_s: float = DEFAULT_LEASE_S) -> Case:
    """Return what a person must know of the order; nothing is changed, not even by facts that wait.

    Raises:
        NotFound: No such order.
        DatabaseUnavailable: The database is away.
    """
    async with working(db, lease_s) as work:
        order = await loading.find_order(work, order_id)
        if order is None:
            raise errors.NotFound("order", order_id)
        seen = await evidence.gather(work, order)
        is_taken_over = order.state.is_final and await retrying.is_taken_over(work, order)
        return Case(
            order_id=order.id,
            case_no=order.case_no,
            send_id=order.current_send.send_id if order.current_send is not None else None,
            hold_reason=order.hold_reason,
            seen=seen,
            ways=(*decisions.tell_ways(order, seen), *ends.tell_ways(order, seen, is_taken_over=is_taken_over)),
        )
