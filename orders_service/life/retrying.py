"""Try an order that is over again, where its journal says that nothing can be paid twice by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.domain import decisions, ends
from orders_service.domain.states import OrderState
from orders_service.life import deciding
from orders_service.life.work import DEFAULT_LEASE_S, Work, wrong_state
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.domain.decisions import Basis, Evidence
    from orders_service.domain.orders import Order
    from orders_service.store.db import Database

_DECISION: Final = queries.load("life_decision")
_ONE_SEND_PER_OBJECT: Final = "orders_one_send_of_a_person"


async def retry(db: Database, on: Basis, *, lease_s: float = DEFAULT_LEASE_S) -> None:
    """Let the order go on from where its journal stands, with fresh attempts; a decision like any other.

    Raises:
        InvalidInput: No name, or no reason.
        NotFound: No such order.
        Refused: CASE_OUTDATED; WRONG_STATE, where it isn't over, or could be paid twice (need = person or facts; its
            words say why and what to do instead), or another order of the object is at its gate (need = time).
    """
    if not on.reason.strip():
        raise errors.InvalidInput.of("reason", "must say why the order is tried again.")

    async def act(work: Work, order: Order, seen: Evidence, actor: str) -> None:
        to = ends.find_retry(order, seen, is_taken_over=await is_taken_over(work, order))
        if isinstance(to, ends.Refusal):
            raise wrong_state(order, to.message, need=to.need)
        if to is OrderState.UNCONFIRMED and order.open_send is not None:
            # Looked for over one more time of absence.
            await work.run(_DECISION["note_decided"], send_id=order.open_send.send_id, balance=None, balance_at=None)
        await work.move("retry", order, to, actor=actor, reason=f"tried again: {on.reason.strip()}")

    try:
        await deciding.decide(db, on, decisions.RETRY, act, lease_s=lease_s)
    except pg.UniqueViolation as exc:
        if exc.diag.constraint_name != _ONE_SEND_PER_OBJECT:
            raise
        raise errors.Refused(
            "WRONG_STATE",
            f"Order {on.order_id} can't be looked for again now: another order of its object is between gate and "
            "number. Try again when that one is registered.",
            need="time",
        ) from exc


async def is_taken_over(work: Work, order: Order) -> bool:
    """Whether the order was over already when it came from the system before, which kept no journal."""
    return await work.find(_DECISION["find_end_elsewhere"], order_id=order.id) is not None
