"""Which orders may be cancelled, and which that are over may be tried again: what could lose money or pay twice isn't.

Each refusal says why, and what can be done instead.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orders_service.domain.states import OrderState

if TYPE_CHECKING:
    from orders_service.domain.decisions import Evidence
    from orders_service.domain.orders import Order


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why not, and what then.

    Attributes:
        need: What would have to be first, for machines: person, facts, or empty where nothing helps.
    """

    message: str
    need: str = ""


def refuse_cancel(order: Order) -> Refusal | None:
    """Say why the order can't be cancelled; None: it can.

    Cancelled means that nothing is paid. Whatever may have been sent is settled, or given up by a person, who is told
    what may have been paid.
    """
    look = f"`orders-service orders show {order.id}` says what is known"
    if order.state.is_final:
        return Refusal(message=f"Order {order.id} is {order.state}: it is over, and can't be cancelled.")
    if order.state is OrderState.REGISTERED:
        return Refusal(
            message=f"Order {order.id} is registered at the portal as {order.number}: it is paid. Let it come to its "
            f"extract, or let an operator give it up: {look}.",
            need="person",
        )
    if order.may_have_left:
        return Refusal(
            message=f"Order {order.id} may have been sent to the portal, and paid: its account's list is to tell. Wait "
            f"until it is registered, or let an operator decide: {look}.",
            need="person",
        )
    if _is_answered_all_the_same(order):
        return Refusal(
            message=f"The worker of order {order.id} said that nothing had left, and finish answered: it may be paid. "
            f"Let an operator look for it at the portal: {look}.",
            need="person",
        )
    if order.has_unweighed_facts:
        return Refusal(
            message=f"Something was seen of order {order.id} that isn't judged yet, and may say that it was sent: "
            f"cancel it again in a minute; where it is held, an operator decides: {look}.",
            need="facts",
        )
    return None


def find_retry(order: Order, seen: Evidence, *, is_taken_over: bool) -> OrderState | Refusal:
    """Return where an order that is over goes on from when it is tried again, by its journal; or why it can't.

    With a number it is collected once more, with an open send it is looked for once more: nothing is sent by either.
    What was never sent begins anew. Where a send was settled as absent the order stands where it stood before it
    failed, with its account, whose list is read before anything is sent again.

    Args:
        seen: What a person would be shown of it.
        is_taken_over: It is from the system before this one, which kept no journal.
    """
    look = f"`orders-service orders show {order.id}` says what is known"
    anew = "submit it as a new order, with a new key"
    if not order.state.is_final:
        return Refusal(message=f"Order {order.id} is {order.state}: it isn't over. {look.capitalize()}.")
    if order.state is OrderState.COMPLETED:
        return Refusal(message=f"Order {order.id} has its extract. For another one {anew}.")
    if is_taken_over:
        return Refusal(
            message=f"Order {order.id} is from the system before this one, which kept no journal: it may be paid. Look "
            f"at the portal; if there is nothing of it, {anew}."
        )
    if order.has_unweighed_facts:
        return Refusal(
            message=f"Something was seen of order {order.id} that isn't judged yet, and may say that it was paid: a "
            "service that is new enough judges it by itself.",
            need="facts",
        )
    if order.number is not None:
        return OrderState.REGISTERED if order.state is OrderState.FAILED else _paid(order)
    if order.open_send is not None:
        return OrderState.UNCONFIRMED
    if _is_answered_all_the_same(order):
        return Refusal(
            message=f"The worker of order {order.id} said that nothing had left, and finish answered: it may be paid. "
            f"Look at the portal; if there is nothing of it, {anew}.",
            need="person",
        )
    if not order.may_have_left:
        return OrderState.QUEUED
    is_denied = order.current_send is not None and order.current_send.is_denied
    # What finish answered a person overruled with his absent.
    answers = () if is_denied else seen.answers
    if seen.rows or answers:
        shown = ", ".join(filter(None, (*(row.order_number for row in seen.rows), *answers))) or "a row of it"
        return Refusal(
            message=f"Order {order.id} was sent, and the portal showed {shown}: it is paid, most likely, and would be "
            f"paid again. Fetch it there; if it isn't this order's, {anew}.",
            need="person",
        )
    if not order.is_bound and not order.is_free_by_person:
        return Refusal(
            message=f"Order {order.id} was sent, and no account has it any more whose list could tell what came of it. "
            f"Look at the portal; if there is nothing of it, {anew}.",
            need="person",
        )
    return OrderState.PROCESSING


def _is_answered_all_the_same(order: Order) -> bool:
    """Whether a send that its sender denies was answered: one of the two isn't so."""
    return any(not send.may_have_left and send.answered_at is not None for send in order.sends)


def _paid(order: Order) -> Refusal:
    return Refusal(
        message=f"Order {order.id} has the number {order.number} at the portal, and was cancelled: fetch it there."
    )


def tell_ways(order: Order, seen: Evidence, *, is_taken_over: bool) -> list[str]:
    """Return each of the two that the order allows now, as a command."""
    ways = []
    if refuse_cancel(order) is None:
        ways.append(f"orders-service orders cancel {order.id} --why WHY")
    if isinstance(find_retry(order, seen, is_taken_over=is_taken_over), OrderState):
        ways.append(f"orders-service orders retry {order.id} --why WHY")
    return ways
