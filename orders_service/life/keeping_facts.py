"""Keep what the portal showed, whoever saw it and however late."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from psycopg.types.json import Jsonb

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import guard, loading, weighing
from orders_service.life.work import DEFAULT_LEASE_S, Work, working
from orders_service.store import queries

if TYPE_CHECKING:
    import uuid

    from orders_service.domain.orders import Holder, Order, OrderInHand
    from orders_service.store.db import Database

_ACCOUNT: Final = queries.load("life_account")
_JOURNAL: Final = queries.load("life_journal")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFact:
    """What became of a fact.

    Attributes:
        is_weighed: Otherwise whoever holds the order weighs it, or the service when nobody does.
    """

    order: OrderInHand
    is_weighed: bool


async def record_fact(
    db: Database,
    holder: Holder,
    fact: facts.Fact,
    *,
    send_id: uuid.UUID | None,
    lease_s: float = DEFAULT_LEASE_S,
) -> RecordedFact:
    """Keep a fact, whatever fence and epoch its teller has; a repeat of the very same isn't kept twice.

    It is weighed at once where the teller holds the order, or nobody does.

    Args:
        send_id: The send it is about. None: of a reading the open send, else the latest; a refusal has none.
        lease_s: An order whose last sign of life is older is in nobody's hand.

    Raises:
        InvalidInput: A finish's answer, or that nothing was sent, without its send.
        Refused: ORDER_UNKNOWN; SEND_UNKNOWN.
    """
    if send_id is None and isinstance(fact, facts.FinishAnswer | facts.NotSent):
        raise errors.InvalidInput.of("send_id", "is required: the fact is about one send.")
    async with working(db, lease_s) as work:
        order = await loading.lock_order(work, holder.order_id)
        about = _find_send(order, fact, send_id)
        fact_id = await _keep(work, order, holder, fact, about)
        is_holder = order.is_held_by(holder.fence, holder.token) and order.username == holder.username
        if is_holder:
            await guard.touch(work, order, holder)
        if is_holder or not order.is_in_hand:
            await weighing.weigh_pending(work, order)
        kept = await work.get(_JOURNAL["find_weighing"], fact_id=fact_id)
        account = await work.find(_ACCOUNT["find_account_id"], username=holder.username)
        answered = await loading.answer(work, order.id, account["id"] if account is not None else None)
        return RecordedFact(order=answered, is_weighed=kept["is_weighed"])


def _find_send(order: Order, fact: facts.Fact, send_id: uuid.UUID | None) -> uuid.UUID | None:
    if send_id is not None:
        if order.find_send(send_id) is None:
            raise errors.Refused("SEND_UNKNOWN", f"Order {order.id} has no send {send_id}.")
        return send_id
    if not isinstance(fact, facts.ListReading) or not order.sends:
        return None
    # After a send was settled as absent a worker isn't told of it any more, and looks once more all the same.
    return (order.open_send or order.sends[-1]).send_id


async def _keep(work: Work, order: Order, holder: Holder, fact: facts.Fact, send_id: uuid.UUID | None) -> int:
    values: dict[str, object] = {
        "order_id": order.id,
        "send_id": send_id,
        "kind": fact.kind,
        "username": holder.username,
        "fence": holder.fence,
        "token": holder.token,
        "content": Jsonb(fact.content()),
    }
    same = await work.find(_JOURNAL["find_same_fact"], **values)
    if same is not None:
        return int(same["id"])
    row = await work.get(_JOURNAL["add_fact"], **values)
    work.log(
        logging.INFO, "A fact was kept", event="fact_kept", order_id=order.id, kind=fact.kind, worker_id=holder.username
    )
    return int(row["id"])
