"""Take an order in hand, and put it down."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain.states import OrderState
from orders_service.life import guard, loading, other_orders, strikes, weighing
from orders_service.life.work import Work, working

if TYPE_CHECKING:
    from orders_service.domain.account import Account
    from orders_service.domain.orders import Holder, Order, OrderInHand
    from orders_service.domain.strikes import Trouble
    from orders_service.store.db import Database

#: Thirty days: longer waits are a mistake of units.
MAX_DELAY_S: Final = 30 * 24 * 3600.0


async def claim_order(db: Database, holder: Holder) -> OrderInHand:
    """Take the order in hand with a greater fence than any before; the repeat of the own claim answers as before.

    Facts that nobody weighed yet are weighed by it. A final order is answered as it is.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; BOUND_TO_OTHER_ACCOUNT; and
            for an order that isn't bound to the account yet ACCOUNT_INACTIVE, ACCOUNT_ON_STANDBY and
            NO_DECLARANT_CATEGORY; OBJECT_BUSY where the order would be sent. Nothing was changed.
    """
    async with working(db) as work:
        account, order = await loading.lock_account_and_order(work, holder)
        if not order.state.is_final:
            await _claim_open(work, order, holder, account)
        if order.has_unweighed_facts:
            order = await weighing.weigh_pending(work, await loading.read_order(work, order.id))
        return await loading.answer(work, order, account.id)


async def release_order(
    db: Database, holder: Holder, *, reason: str, delay_s: float, trouble: Trouble | None = None
) -> OrderInHand:
    """Put the order down: back to queued and unbound where nothing may have been sent, else it stays where it is.

    Args:
        delay_s: Seconds until somebody should look at it again; 0: at once. With trouble the first pause, which grows.
        trouble: What it met, neither its own fault nor its account's: counted, and in the end the order is held.

    Raises:
        InvalidInput: A delay or trouble that isn't one.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE.
    """
    check_delay("delay", delay_s)
    if trouble is not None:
        strikes.check_trouble(trouble)
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        why_held = None
        if trouble is not None and not order.state.is_final and order.hold_reason is None:
            struck = await strikes.strike(work, order, holder, trouble, first_s=delay_s, reason=reason)
            delay_s, why_held = struck.delay_s, struck.why_held
        await lay_down(work, order, holder, account, delay_s=delay_s, reason=reason)
        if why_held is not None:
            await strikes.hold(work, order, why_held, actor=account.actor)
        return await loading.answer(work, order, account.id)


async def lay_down(work: Work, order: Order, holder: Holder, account: Account, *, delay_s: float, reason: str) -> None:
    """Give the order back to the queue, or leave it with its account, as `release_order` says."""
    if order.state.is_final:
        # Cancelled meanwhile: it is in nobody's hand.
        return
    if order.state is OrderState.PROCESSING and not order.may_have_left and order.hold_reason is None:
        await back_to_queue(work, order, holder, account, delay_s=delay_s, reason=reason)
    elif order.rosreestr_user_id == account.id and not order.state.is_final:
        await put_down(work, order, holder, account, delay_s=delay_s)
        await work.note_news(order, "released", actor=account.actor, reason=reason)


async def back_to_queue(
    work: Work,
    order: Order,
    holder: Holder,
    account: Account,
    *,
    delay_s: float,
    reason: str,
    is_not_found: bool = False,
) -> None:
    """Let any account take the order; only where nothing may have been sent."""
    await work.move(
        "unbind",
        order,
        OrderState.QUEUED,
        actor=account.actor,
        reason=reason,
        delay_s=_or_none(delay_s),
        is_not_found=is_not_found,
        **holding(holder, account),
    )


async def put_down(
    work: Work, order: Order, holder: Holder, account: Account, *, delay_s: float, is_not_found: bool = False
) -> None:
    """Let the order stay where it is, in nobody's hand until its time; with its account, where anything binds it."""
    await work.change(
        "put_down",
        order,
        delay_s=_or_none(delay_s),
        is_not_found=is_not_found,
        is_freed=order.state is OrderState.PROCESSING and bool(order.may_have_left) and order.is_free_by_person,
        **holding(holder, account),
    )


def holding(holder: Holder, account: Account) -> dict[str, object]:
    """Return what a decision's update compares: account, epoch, fence and token."""
    return {"account_id": account.id, "epoch": holder.epoch, "fence": holder.fence, "token": holder.token}


def check_delay(field: str, delay_s: float) -> None:
    """Refuse a time that isn't one.

    Raises:
        InvalidInput: Negative, not a number, or over 30 days.
    """
    if not (math.isfinite(delay_s) and 0 <= delay_s <= MAX_DELAY_S):
        raise errors.InvalidInput.of(field, "must be a number of seconds from 0 to 30 days.")


async def _claim_open(work: Work, order: Order, holder: Holder, account: Account) -> None:
    is_repeat = order.is_held_by(holder.fence, holder.token) and order.rosreestr_user_id == account.id
    if not is_repeat and holder.fence <= order.fence:
        raise guard.stale_fence(order, holder)
    if order.hold_reason is not None:
        raise guard.on_hold(order)
    is_own = order.rosreestr_user_id == account.id
    if order.is_bound and not is_own:
        raise errors.Refused(
            "BOUND_TO_OTHER_ACCOUNT",
            f"Order {order.id} belongs to account {order.username}: only that one can go on with it.",
            account=order.username or "",
        )
    if not is_repeat and not order.is_bound and account.refusal is not None:
        reason, message = account.refusal
        raise errors.Refused(reason, message)
    is_to_be_sent = order.state in (OrderState.QUEUED, OrderState.PROCESSING)
    if is_to_be_sent and not is_repeat:
        busy = await other_orders.find_busy(work, order, order.person_oid or account.person_oid, account.id)
        if busy is not None:
            raise guard.object_busy(order, busy)
    if is_repeat:
        await guard.touch(work, order, holder)
    elif order.state is OrderState.QUEUED:
        await work.move(
            "claim_queued",
            order,
            OrderState.PROCESSING,
            actor=account.actor,
            reason="claimed",
            **holding(holder, account),
        )
    else:
        await work.change("claim_again", order, **holding(holder, account))
        if not is_own:
            await work.note(order, "claimed", actor=account.actor, reason=f"taken over from account {order.username}")


def _or_none(delay_s: float) -> float | None:
    """At once is no time at all: `next_at` NULL."""
    return delay_s or None
