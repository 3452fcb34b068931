"""Notice that an order was, or would be, paid twice: it has two numbers at the portal. Never passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg.types.json import Jsonb

from orders_service.domain import facts
from orders_service.domain.states import OrderState
from orders_service.life import other_orders
from orders_service.store import queries

if TYPE_CHECKING:
    from collections.abc import Collection

    from orders_service.domain.account import Account
    from orders_service.domain.facts import ApplicationRow, KeptFact
    from orders_service.domain.orders import Holder, NewSubmission, Order, Send
    from orders_service.life.work import Work

_JOURNAL: Final = queries.load("life_journal")


async def look_before_intent(work: Work, order: Order, holder: Holder, account: Account, new: NewSubmission) -> bool:
    """Hold the order, with an alarm, where the list shows what an earlier send may have made; False: it doesn't.

    By a person's word an order goes on to any account, also to one that reads the very list of the earlier sender.
    Rows that came meanwhile would be known rows of its own intent, and no reading after it would look at them: so each
    that the earlier sender didn't know, and that a person didn't rule out, stops the intent. Told anew each time, since
    nothing but a decision about the rows can make the next intent another one.
    """
    if not order.may_have_left:
        return False
    seen = set(new.known_application_ids)
    for row in await work.list(
        _JOURNAL["list_earlier_senders"], order_id=order.id, person_oid=new.person_oid, account_id=account.id
    ):
        send = order.find_send(row["send_id"])
        strange = sorted(seen - set(row["known_application_ids"]))
        if send is None or not strange:
            continue
        others = await other_orders.look(work, order, send, application_ids=strange)
        strange = [one for one in strange if one not in others.elsewhere.application_ids]
        if strange:
            await _keep_seen(work, order, holder, account, new, send, strange)
            reason = (
                f"Account {account.username} reads the list of account {row['username']}, which sent the order before, "
                f"and it shows applications of the object that nobody was shown: {', '.join(map(str, strange))}."
            )
            await work.hold(order, reason, actor=account.actor, is_alarm=True)
            return True
    return False


async def _keep_seen(
    work: Work,
    order: Order,
    holder: Holder,
    account: Account,
    new: NewSubmission,
    send: Send,
    application_ids: Collection[int],
) -> None:
    """Keep what the intent says of the list as a reading, so that a person is shown the rows, and can rule them out."""
    rows = tuple(
        facts.ApplicationRow(
            application_id=one, order_number="", cad_num=order.cad_num, status_code="", request_status=""
        )
        for one in application_ids
    )
    reading = facts.ListReading(
        begun_at=order.as_of,
        person_oid=new.person_oid,
        is_unfiltered=True,
        is_complete=True,
        balance=new.balance,
        rows=rows,
        rows_in_all=len(rows),
    )
    await work.run(
        _JOURNAL["keep_fact"],
        order_id=order.id,
        send_id=send.send_id,
        kind=reading.kind,
        version=facts.VERSION,
        username=account.username,
        fence=holder.fence,
        fence_token=holder.token,
        content=Jsonb(reading.content()),
        is_holder=True,
        is_weighed=True,
    )


async def compare_answer(work: Work, order: Order, number: str, *, actor: str) -> None:
    """Raise the alarm: finish named another number than the stored one, whoever stored that."""
    reason = f"finish answered the number {number}, and {order.number} is stored: one of them isn't this order's."
    await work.ask(order, reason, actor=actor, is_alarm=True)


async def look_elsewhere(
    work: Work, order: Order, fact: KeptFact, send: Send, candidates: tuple[ApplicationRow, ...]
) -> bool:
    """Look at a reading of an account that the order has left: does it show a row that nobody was shown?

    False: it can't be told, as another order of the object is at its gate.
    """
    if not candidates:
        return True
    if await other_orders.find_busy(work, order, send.person_oid, send.account_id):
        return False
    numbers = ", ".join(row.order_number or "without number" for row in candidates)
    reason = f"A person said that the order isn't at the portal, and the list of {send.username} shows {numbers}."
    await work.ask(order, reason, actor=fact.actor, is_alarm=True)
    return True


async def look_for(
    work: Work, order: Order, fact: KeptFact, send: Send, candidates: tuple[ApplicationRow, ...]
) -> bool:
    """Look at a late reading of an order that has its number, or is final: does it show another of its own?

    False: it can't be told, as another order of the object is at its gate.
    """
    others = [row for row in candidates if row.order_number != order.number]
    if order.state is OrderState.CANCELLED or not others:
        return True
    if await other_orders.find_busy(work, order, send.person_oid, send.account_id):
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
