"""Notice that an order may have been paid twice: it has two numbers at the portal. Never passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.domain.states import OrderState
from orders_service.life import other_orders

if TYPE_CHECKING:
    from orders_service.domain.facts import ApplicationRow, KeptFact
    from orders_service.domain.orders import Order, Sender
    from orders_service.life.work import Work


async def compare_answer(work: Work, order: Order, number: str, *, actor: str) -> None:
    """Raise the alarm: finish named another number than the stored one, whoever stored that."""
    reason = f"finish answered the number {number}, and {order.number} is stored: one of them isn't this order's."
    await work.ask(order, reason, actor=actor, is_alarm=True)


async def look_elsewhere(
    work: Work, order: Order, fact: KeptFact, sender: Sender, candidates: tuple[ApplicationRow, ...]
) -> None:
    """Look at a reading of an account that the order has left: does it show a row that nobody was shown?"""
    if not candidates or await other_orders.is_object_busy(work, order, account_id=sender.account_id):
        return
    numbers = ", ".join(row.order_number or "without number" for row in candidates)
    reason = f"A person said that the order isn't at the portal, and the list of {sender.username} shows {numbers}."
    await work.ask(order, reason, actor=fact.actor, is_alarm=True)


async def look_for(work: Work, order: Order, fact: KeptFact, candidates: tuple[ApplicationRow, ...]) -> None:
    """Look at a late reading of an order that has its number, or is final: does it show another of its own?"""
    if order.state is OrderState.CANCELLED:
        return
    others = [row for row in candidates if row.order_number != order.number]
    if not others or await other_orders.is_object_busy(work, order):
        return
    left = [send for send in order.sends if send.may_have_left]
    expected = {send.expected_number for send in left if send.expected_number}
    # With one send and a row that nobody expected, somebody ordered the same object by hand: not our money.
    if order.number is not None and len(left) < 2:
        others = [row for row in others if row.order_number in expected]
    if others and left:
        numbers = tuple(row.order_number for row in others)
        await raise_alarm(work, order, order.number or "none", numbers, actor=fact.actor)


async def raise_alarm(work: Work, order: Order, number: str, others: tuple[str, ...], *, actor: str) -> None:
    """Say that one order has several numbers: it may have been paid more than once. It is held, where it is open."""
    reason = f"Two numbers for one order: {number} is stored, and the list shows {', '.join(others)} beside it."
    await work.ask(order, reason, actor=actor, is_alarm=True)
