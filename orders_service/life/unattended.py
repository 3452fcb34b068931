"""What the reconciler does with an order that nobody has in hand: weigh its facts, take over its job's failure."""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.states import OrderState
from orders_service.life import loading, weighing
from orders_service.life.work import DEFAULT_LEASE_S, working
from orders_service.store import queries
from orders_service.store.db import OF_THE_DATABASE

if TYPE_CHECKING:
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

ACTOR: Final = "reconciler"

_ORDER: Final = queries.load("life_order")
#: How long an order that is bound and was never sent may be in nobody's hand, in seconds.
UNBIND_AFTER_S: Final = 300.0


class Verdict(enum.Enum):
    """What became of an order whose job failed."""

    #: Nothing was paid: it failed with its job.
    FAILED = "failed"
    #: Something may have been paid: it waits for a person.
    HELD = "held"
    #: Somebody went on with it, or it is over, or a person is to decide already: nothing was done.
    LEFT_ALONE = "left_alone"


async def fail_by_queue(
    db: Database, order_id: int, *, fence: int, error: str, lease_s: float = DEFAULT_LEASE_S
) -> Verdict:
    """End an order whose job failed where nothing was paid; where something may have been, hold it for a person.

    Facts that wait are weighed first: they may say that something was paid.

    Args:
        fence: The order's fence when the caller compared it with its job. Where it rose since, somebody went on.
        error: The job's error, for people.
        lease_s: An order whose last sign of life is older is in nobody's hand.

    Raises:
        DatabaseUnavailable: PostgreSQL is away.
    """
    async with working(db, lease_s) as work:
        order = await loading.find_free_order(work, order_id)
        if order is None or order.fence != fence or order.is_in_hand or order.hold_reason is not None:
            return Verdict.LEFT_ALONE
        order = await weighing.weigh_pending(work, order)
        if order.hold_reason is not None:
            return Verdict.HELD
        if order.state.is_final or order.has_unweighed_facts:
            return Verdict.LEFT_ALONE
        text = error.strip() or "its job failed without saying why"
        if order.state in (OrderState.QUEUED, OrderState.PROCESSING):
            await work.move(
                "fail_by_queue", order, OrderState.FAILED, actor=ACTOR, reason=text, error=text, fence=fence
            )
            work.log(logging.WARNING, "An order failed", event="order_failed", order_id=order.id, error=text)
            return Verdict.FAILED
        await work.hold(order, f"Its job failed: {text}", actor=ACTOR, level=logging.ERROR)
        return Verdict.HELD


async def hold_spoiled(db: Database, order_id: int, error: Exception, *, actor: str) -> None:
    """Hold an order that can't be handled, with an alarm, so that it keeps no other from being handled.

    Args:
        error: What its handling ended with.

    Raises:
        DatabaseUnavailable: PostgreSQL is away.
    """
    async with working(db) as work:
        await work.hold_unread(order_id, tell_spoiled(error), actor=actor)


def tell_spoiled(error: Exception) -> str:
    """Say to a person why an order is held that can't be handled."""
    what = f"{type(error).__name__}: {error}".rstrip(".")
    return f"It can't be handled ({what}). Nothing was decided about it; mend its row, or tell the developers."


async def unbind_abandoned(db: Database, *, quiet_s: float = UNBIND_AFTER_S, page: int = 500) -> list[int]:
    """Let any account take the orders that one bound to itself, never sent, and forgot. Return their ids.

    Its worker may be gone for good, and only that one could put them down. One that is merely slow loses nothing but
    the upload: its next decision is refused.

    Args:
        quiet_s: How long nobody has given a sign of life of the order.

    Raises:
        DatabaseUnavailable: PostgreSQL is away; what was unbound so far stays so.
    """
    unbound: list[int] = []
    after_id = 0
    while True:
        async with working(db) as work:
            rows = await work.list(_ORDER["list_abandoned"], after_id=after_id, quiet_s=quiet_s, limit=page)
        for row in rows:
            try:
                if await _unbind(db, row["id"], quiet_s):
                    unbound.append(row["id"])
            except OF_THE_DATABASE:
                raise
            except Exception as error:
                logger.exception("An order can't be unbound", extra={"event": "order_spoiled", "order_id": row["id"]})
                await hold_spoiled(db, row["id"], error, actor=ACTOR)
        if len(rows) < page:
            return unbound
        after_id = rows[-1]["id"]


async def _unbind(db: Database, order_id: int, quiet_s: float) -> bool:
    async with working(db) as work:
        order = await loading.find_free_order(work, order_id)
        if order is None or order.state is not OrderState.PROCESSING or order.hold_reason is not None:
            return False
        if order.has_unweighed_facts or not order.is_free_by_person or not order.is_bound:
            return False
        reason = f"account {order.username} bound it and gave no sign of life for {quiet_s:.0f} s; nothing was sent"
        try:
            if order.may_have_left:
                # Its place is beside the sends that a person looked for: where a late row is for him again.
                await work.change("free_abandoned", order, quiet_s=quiet_s)
                await work.note(order, "released", actor=ACTOR, reason=f"{reason} since a person looked for it")
            else:
                await work.move(
                    "unbind_abandoned", order, OrderState.QUEUED, actor=ACTOR, reason=reason, quiet_s=quiet_s
                )
        except errors.Refused:
            return False  # it came back at this moment
        return True


async def weigh_unheld_facts(db: Database, lease_s: float = DEFAULT_LEASE_S, *, page: int = 500) -> int:
    """Weigh the facts of all orders that nobody has in hand. Return of how many orders.

    Each order in a transaction of its own; one that somebody decides about at this moment is left to him. Orders that
    wait for a person are left alone.

    Raises:
        DatabaseUnavailable: PostgreSQL is away; what was weighed so far stands.
    """
    weighed = 0
    after_id = 0
    while True:
        async with working(db, lease_s) as work:
            rows = await work.list(
                _ORDER["list_orders_with_pending_facts"],
                after_id=after_id,
                lease_s=lease_s,
                most=weighing.MAX_WEIGHINGS,
                version=facts.VERSION,
                kinds=sorted(facts.KINDS),
                limit=page,
            )
        for row in rows:
            try:
                weighed += await _weigh_unheld(db, row["id"], lease_s)
            except OF_THE_DATABASE:
                raise
            except Exception as error:
                # One order that can't be read must not keep all others from being weighed.
                logger.exception("Facts can't be weighed", extra={"event": "weighing_failed", "order_id": row["id"]})
                await hold_spoiled(db, row["id"], error, actor=ACTOR)
        if len(rows) < page:
            return weighed
        after_id = rows[-1]["id"]


async def _weigh_unheld(db: Database, order_id: int, lease_s: float) -> bool:
    async with working(db, lease_s) as work:
        order = await loading.find_free_order(work, order_id)
        if order is None or order.is_in_hand or order.hold_reason is not None:
            return False
        await weighing.weigh_pending(work, order)
        return True
