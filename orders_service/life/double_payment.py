"""Notice that an order may have been paid twice: it has two numbers at the portal. Never passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.domain.states import OrderState
from orders_service.life import other_orders

if TYPE_CHECKING:
    from orders_service.domain.facts import ApplicationRow, KeptFact
    from orders_service.domain.orders import Order, Send, Sender
    from orders_service.life.work import Work


async def compare_answer(work: Work, order: Order, number: str, *, actor: str) -> None:
    """Raise the alarm: finish named another number than the stored one, whoever stored that."""
    reason = f"finish answered the number {number}, and {order.number} is stored: one of them isn't this order's."
    await work.ask(order, reason, actor=actor, is_alarm=True)


async def look_elsewhere(
    work: Work, order: Order, fact: KeptFact, send: Send, sender: Sender, candidates: tuple[ApplicationRow, ...]
) -> None:
    """Look at a reading of an account that the order has left: does it show a row that nobody was shown?"""
    if not candidates or await other_orders.find_busy(work, order, send.person_oid):
        return
    numbers = ", ".join(row.order_number or "without number" for row in candidates)
    reason = f"A person said that the order isn't at the portal, and the list of {sender.username} shows {numbers}."
    await work.ask(order, reason, actor=fact.actor, is_alarm=True)


async def look_for(
    work: Work, order: Order, fact: KeptFact, send: Send, candidates: tuple[ApplicationRow, ...]
) -> bool:
    """Look at a late reading of an order that has its number, or is final: does it show another of its own?

    False: it can't be told, as another order of the object is at its gate.
    """
    others = [row for row in candidates if row.order_number != order.number]
    if order.state is OrderState.CANCELLED or not others:
        return True
    if await other_orders.find_busy(work, order, send.person_oid):
        return False
    left = order.may_have_left
    expected = {other.expected_number for other in left if other.expected_number}
    # With one send and a row that nobody expected, somebody ordered the same object by hand: not our money.
    if order.number is not None and len(left) < 2:
        others = [row for row in others if row.order_number in expected]
    if others and left:
        numbers = tuple(row.order_number for row in others)
        if order.number is None:
            reason = f"The order is {order.state}, and the list shows {', '.join(numbers)}: it was paid, most likely."
            await work.ask(order, reason, actor=fact.actor, is_alarm=True)
        else:
            await raise_alarm(work, order, order.number, numbers, actor=fact.actor)
    return True


async def raise_alarm(work: Work, order: Order, number: str, others: tuple[str, ...], *, actor: str) -> None:
    """Say that one order has several numbers: it may have been paid more than once. It is held, where it is open."""
    reason = f"Two numbers for one order: {number} is stored, and the list shows {', '.join(others)} beside it."
    await work.ask(order, reason, actor=actor, is_alarm=True)
