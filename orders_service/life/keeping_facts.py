"""Keep what the portal showed, whoever saw it and however late."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from psycopg.types.json import Jsonb

from orders_service import errors
from orders_service.domain import facts
from orders_service.life import loading, weighing
from orders_service.life.work import DEFAULT_LEASE_S, Work, working
from orders_service.store import queries
from orders_service.store.db import OF_THE_DATABASE

if TYPE_CHECKING:
    import uuid

    from orders_service.domain.orders import Holder, Order, OrderInHand
    from orders_service.store.db import Database

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
    try:
        return await _record(db, holder, fact, send_id, lease_s, is_quick=True)
    except _NotWeighed:
        # Another order took the very row, or it can't be weighed at all: kept first, and weighed apart from that.
        return await _record(db, holder, fact, send_id, lease_s, is_quick=False)


class _NotWeighed(Exception):
    """Nothing was kept: what follows from the fact, whatever went wrong with that, took it back."""


async def _record(
    db: Database, holder: Holder, fact: facts.Fact, send_id: uuid.UUID | None, lease_s: float, *, is_quick: bool
) -> RecordedFact:
    async with working(db, lease_s) as work:
        order = await loading.lock_order(work, holder.order_id)
        about = await _find_send(work, order, holder, fact, send_id)
        is_holder = order.is_held_by(holder.fence, holder.token) and order.username == holder.username
        may_weigh = is_holder or not order.is_in_hand
        # One that waits, or a person who is to decide, comes first.
        is_quick = is_quick and may_weigh and not order.has_unweighed_facts and order.hold_reason is None
        values: dict[str, object] = {
            "send_id": about,
            "kind": fact.kind,
            "version": facts.VERSION,
            "username": holder.username,
            "fence": holder.fence,
            "fence_token": holder.token,
        }
        row = await work.get(
            _JOURNAL["keep_fact"],
            **values,
            order_id=order.id,
            content=Jsonb(fact.content()),
            is_holder=is_holder,
            is_weighed=is_quick,
        )
        is_weighed = bool(row["is_weighed"])
        if row["is_new"]:
            extra = {"event": "fact_kept", "order_id": order.id, "kind": fact.kind, "worker_id": holder.username}
            work.log(logging.INFO, "A fact was kept", **extra)
            kept = facts.KeptFact(
                **values,  # type: ignore[arg-type]
                id=row["id"],
                recorded_at=row["recorded_at"],
                content=fact.content(),
            )
            if is_quick:
                try:
                    order = await weighing.weigh_alone(work, order, kept)
                except OF_THE_DATABASE:
                    raise
                except Exception as error:
                    raise _NotWeighed from error
        if may_weigh and not is_weighed:
            order = await weighing.weigh_pending(work, order)
            is_weighed = bool((await work.get(_JOURNAL["find_weighing"], fact_id=row["id"]))["is_weighed"])
        account = order.rosreestr_user_id if order.username == holder.username else None
        return RecordedFact(order=await loading.answer(work, order, account), is_weighed=is_weighed)


async def _find_send(
    work: Work, order: Order, holder: Holder, fact: facts.Fact, send_id: uuid.UUID | None
) -> uuid.UUID | None:
    if send_id is not None:
        if order.find_send(send_id) is None:
            if isinstance(fact, facts.NotSent):
                # Its gate may still be on its way: it must not pass any more, as nobody would send.
                await work.add(_JOURNAL["bury_send"], send_id=send_id, order_id=order.id, username=holder.username)
                await work.keep()
            raise errors.Refused("SEND_UNKNOWN", f"Order {order.id} has no send {send_id}.")
        return send_id
    if not isinstance(fact, facts.ListReading) or not order.sends:
        return None
    # After a send was settled as absent a worker isn't told of it any more, and looks once more all the same: for its
    # account's own, which its list can show, and as the person that it read as.
    own = [send for send in order.sends if send.username == holder.username]
    as_person = [send for send in own if send.person_oid == fact.person_oid]
    is_others = order.open_send is not None and order.open_send.username != holder.username
    if order.open_send is not None and not (is_others and own):
        return order.open_send.send_id
    return (as_person or own or order.sends)[-1].send_id
