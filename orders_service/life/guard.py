"""Who may decide: the account's current epoch, and the delivery that holds the order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.life import loading, weighing
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.domain.account import Account
    from orders_service.domain.orders import Holder, Order
    from orders_service.domain.states import OrderState
    from orders_service.life.work import Work

_SQL: Final = queries.load("life_order")


async def take(work: Work, holder: Holder) -> tuple[Account, Order]:
    """Lock account and order for a decision of this holder, and weigh the facts that wait.

    What the facts said stands even if the decision is refused afterwards.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE.
    """
    account, order = await loading.lock_account_and_order(work, holder)
    check_delivery(order, holder, account)
    if order.has_unweighed_facts:
        order = await weighing.weigh_pending(work, order)
        await work.keep()
    return account, order


async def touch(work: Work, order: Order, holder: Holder) -> None:
    """Mark a sign of life, where this delivery holds the order and nothing else is written of it."""
    await work.add(_SQL["touch"], order_id=order.id, fence=holder.fence, token=holder.token)


def check_delivery(order: Order, holder: Holder, account: Account) -> None:
    """Refuse a delivery that doesn't hold the order.

    An order without an account was put down by this very delivery: the caller's own look at the state decides.

    Raises:
        Refused: STALE_FENCE.
    """
    is_own = order.rosreestr_user_id in (None, account.id)
    if not (order.is_held_by(holder.fence, holder.token) and is_own):
        raise stale_fence(order, holder)


def check_open(order: Order, *allowed: OrderState) -> None:
    """Refuse an order that waits for a person or stands elsewhere.

    Raises:
        Refused: ORDER_ON_HOLD; WRONG_STATE.
    """
    if order.hold_reason is not None:
        raise on_hold(order)
    if order.state not in allowed:
        raise errors.Refused(
            "WRONG_STATE",
            f"Order {order.id} is {order.state}; this needs {' or '.join(allowed)}.",
            state=order.state.value,
        )


def check_all_is_weighed(order: Order) -> None:
    """Refuse what can't be taken back while something was seen of the order that this version can't read.

    Raises:
        Refused: WRONG_STATE, with metadata need = facts.
    """
    if order.has_unweighed_facts:
        raise errors.Refused(
            "WRONG_STATE",
            f"Something was seen of order {order.id} that a newer version of the service must weigh first.",
            state=order.state.value,
            need="facts",
        )


def stale_fence(order: Order, holder: Holder) -> errors.Refused:
    """Make the refusal of a delivery that doesn't hold the order."""
    return errors.Refused(
        "STALE_FENCE",
        f"Order {order.id} isn't held by this delivery (fence {holder.fence}; the order's is {order.fence}): "
        "what it decides doesn't count any more.",
        fence=str(order.fence),
    )


def on_hold(order: Order) -> errors.Refused:
    """Make the refusal of an order that waits for a person."""
    return errors.Refused("ORDER_ON_HOLD", f"Order {order.id} waits for a person: {order.hold_reason}")


def object_busy(order: Order, busy: int | None = None) -> errors.Refused:
    """Make the refusal of an order whose object another one has at its gate."""
    other = f"Order {busy}" if busy is not None else "Another order"
    return errors.Refused(
        "OBJECT_BUSY",
        f"{other} of the object of order {order.id} is between gate and number as the same person: "
        "a new row in the list couldn't be told apart.",
    )
