"""Find out what came of a send, from the account's own list alone.

Adopting a row, counting readings towards absence, and noticing that more was charged than should have been.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain import absence, adoption
from orders_service.domain.absence import VoidReason
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life import double_payment, loading, other_orders
from orders_service.store import queries

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.domain.facts import ApplicationRow, KeptFact, ListReading
    from orders_service.domain.orders import Order, Send
    from orders_service.life.other_orders import Neighbours
    from orders_service.life.work import Work

_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")

#: `sends.settled_by` where readings proved it.
BY_READINGS: Final = "readings"
#: Why readings told nothing for a whole time of absence, as a person reads it.
_WHY_VOID: Final = {
    VoidReason.OTHER_PERSON: "the account's session is another person's at the portal than the one who ordered",
    VoidReason.FILTERED: "the list was read by a filter only",
    VoidReason.INCOMPLETE: "the list isn't read to its end",
    VoidReason.NO_BALANCE: "the balance can't be read",
    VoidReason.HAS_CANDIDATE: "it shows a row that may be the order's",
    VoidReason.OBJECT_BUSY: "another order of the object is at its gate, and a new row may be either's",
}


async def weigh_reading(work: Work, order: Order, fact: KeptFact, told: ListReading, send: Send) -> Order:
    """Weigh a reading of the account's list about this send, and return the order as far as it is known afterwards.

    A row that can only be the send's is adopted; rows that could be others' too go to a person; a reading without any
    counts towards absence, where it proves anything.
    """
    void = absence.find_whose_fault(
        told,
        is_own_account=fact.username == send.username,
        person_oid=send.person_oid,
        gate_at=send.gate_at,
        recorded_at=fact.recorded_at,
    )
    others = await other_orders.look(
        work,
        order,
        send,
        numbers=[row.order_number for row in told.rows if row.order_number],
        application_ids=[row.application_id for row in told.rows],
        until=told.begun_at,
    )
    candidates = adoption.find_candidates(
        () if void is not None else told.rows,
        cad_key=order.cad_key,
        known_ids=await loading.read_known_rows(work, order, send),
        elsewhere=others.elsewhere,
    )
    if order.submission is None or order.submission.id != send.submission_id:
        # By a person's word the order went on to another account: what this one's list shows can only be an alarm.
        is_looked = send.may_have_left and await double_payment.look_elsewhere(work, order, fact, send, candidates)
    elif order.state in (OrderState.UNCONFIRMED, OrderState.PROCESSING):
        return await _weigh_undecided(work, order, fact, told, send, candidates, others)
    else:
        is_looked = await double_payment.look_for(work, order, fact, send, candidates)
    if is_looked and void is None and told.is_unfiltered and told.is_complete and order.look_at is not None:
        await work.run(
            _ORDER["note_look"],
            order_id=order.id,
            submission_id=send.submission_id,
            person_oid=send.person_oid,
            begun_at=told.begun_at,
        )
    return order


async def _weigh_undecided(
    work: Work,
    order: Order,
    fact: KeptFact,
    told: ListReading,
    send: Send,
    candidates: tuple[ApplicationRow, ...],
    others: Neighbours,
) -> Order:
    """Weigh a reading while the order has no number: adopt, ask a person, or count it."""
    # Where the send wasn't charged: the balance before its gate, or the last that a person saw who decided about it,
    # less what was sent between then and the reading.
    expected_balance = send.balance - others.spent
    void = absence.find_void_reason(
        told,
        is_own_account=fact.username == order.username,
        person_oid=send.person_oid,
        gate_at=send.gate_at,
        recorded_at=fact.recorded_at,
        expected_balance=expected_balance,
    )
    is_processing = order.state is OrderState.PROCESSING
    if candidates and is_processing and await other_orders.find_busy(work, order, send.person_oid, send.account_id):
        # The row may be that order's as well as a late one of ours; ours can't pass the gate meanwhile.
        void = VoidReason.OBJECT_BUSY
    elif candidates:
        if await _weigh_candidates(work, order, fact, told, send, candidates, others.elsewhere):
            return order
        void = VoidReason.HAS_CANDIDATE
    await work.add(
        _JOURNAL["add_reading"],
        send_id=send.send_id,
        fact_id=fact.id,
        read_at=told.begun_at,
        void_reason=void.value if void is not None else None,
    )
    if void is not None:
        await _weigh_void(work, order, fact, told, send, void, expected_balance)
        return order
    counting = dataclasses.replace(send, clear_readings=(*send.clear_readings, told.begun_at))
    if order.open_send == send:
        await _count(work, order, fact, counting, told.begun_at)
    return dataclasses.replace(order, sends=tuple(counting if one == send else one for one in order.sends))


async def _weigh_candidates(
    work: Work,
    order: Order,
    fact: KeptFact,
    told: ListReading,
    send: Send,
    candidates: tuple[ApplicationRow, ...],
    elsewhere: adoption.Elsewhere,
) -> bool:
    """Adopt a row or call a person; False where neither can be said yet."""
    made = _sending(order, send)
    if made is None:
        # Nothing of this order's ever left: the rows are somebody else's doing.
        return False
    if made is order.open_send and told.begun_at < made.gate_at:
        # Seen before the open send was made, so it can't be that one's. Without an earlier one that may have left it
        # isn't the order's at all.
        if not order.absent_sends:
            return False
        numbers = ", ".join(row.order_number for row in candidates)
        reason = f"An earlier send, settled as absent, turned up after all ({numbers}) while a later one is open."
        return await work.ask(order, reason, actor=fact.actor, is_alarm=True)
    if made.is_denied:
        numbers = ", ".join(row.order_number for row in candidates)
        reason = f"A person said that the order isn't at the portal, and the list shows another row: {numbers}."
        return await work.ask(order, reason, actor=fact.actor, is_alarm=True)
    earlier = {other.expected_number for other in order.absent_sends if other is not made and other.expected_number}
    judgement = adoption.judge(
        candidates,
        expected_number=made.expected_number or "",
        earlier_numbers=earlier,
        elsewhere=elsewhere,
        is_complete=told.is_complete,
    )
    match judgement:
        case None:
            return False
        case adoption.AskPerson(reason=reason, is_alarm=is_alarm):
            return await work.ask(order, reason, actor=fact.actor, is_alarm=is_alarm)
        case adoption.Adopt(row=row, left_over=left_over):
            await adopt(work, order, made, row, actor=fact.actor)
            if left_over and len([other for other in order.sends if other.may_have_left]) > 1:
                await double_payment.raise_alarm(work, order, row.order_number, left_over, actor=fact.actor)
    return True


async def adopt(work: Work, order: Order, send: Send, row: ApplicationRow, *, actor: str) -> None:
    """Take this row as the one that the send made: the order is registered."""
    was_absent = send.outcome is SendOutcome.ABSENT
    await settle(work, send, SendOutcome.NUMBER, settled_by=actor)
    reason = f"its row is in the account's list: {row.order_number}"
    if was_absent:
        await work.note(order, "send_reopened", actor=actor, reason="a send settled as absent turned up after all")
    await work.move(
        "register",
        order,
        OrderState.REGISTERED,
        actor=actor,
        reason=reason,
        number=row.order_number,
        application_id=row.application_id,
        portal_status=row.portal_status,
        person_oid=send.person_oid,
    )


async def settle(work: Work, send: Send, outcome: SendOutcome, *, settled_by: str) -> None:
    """Write what came of a send, if it still stands as it was read."""
    changed = await work.run(
        _JOURNAL["settle_send"],
        send_id=send.send_id,
        outcome=outcome.value,
        expected=send.outcome.value if send.outcome is not None else None,
        settled_by=settled_by,
    )
    if changed != 1:
        raise errors.Inconsistent(f"Send {send.send_id} isn't as it was read, though its order is locked.")


async def _count(work: Work, order: Order, fact: KeptFact, send: Send, told_at: dt.datetime) -> None:
    """Count the readings of the open send; settle it as absent where they are enough."""
    counted = loading.count_absence(send)
    before = [at for at in send.clear_readings if at != told_at]
    if counted > absence.count_readings(before, send.counts_from, send.absent_after_s):
        reason = f"nothing of the order in the list ({counted} of {absence.NEEDED})"
        await work.note(order, "reading", actor=fact.actor, reason=reason)
    if counted < absence.NEEDED:
        return
    if send.expected_number:
        reason = (
            f"finish answered the number {send.expected_number}, and the list hasn't shown it for "
            f"{send.absent_after_s:g} s: a person decides."
        )
        await work.hold(order, reason, actor=fact.actor)
        return
    if any(other.settled_by == BY_READINGS for other in order.absent_sends):
        # The send stays open, so that a person's decision is about it.
        reason = "It was sent again, and the list shows nothing for the second time: a person decides."
        await work.hold(order, reason, actor=fact.actor)
        return
    await settle(work, send, SendOutcome.ABSENT, settled_by=BY_READINGS)
    await work.move(
        "unconfirm",
        order,
        OrderState.PROCESSING,
        actor=fact.actor,
        reason=f"absent: {counted} readings over {send.absent_after_s:g} s showed nothing",
    )


async def _weigh_void(
    work: Work,
    order: Order,
    fact: KeptFact,
    told: ListReading,
    send: Send,
    void: VoidReason,
    expected: int,
) -> None:
    """Weigh a reading that proves nothing. It is followed by a better one, mostly; where none comes for a whole time of
    absence, the order would wait for ever, unseen."""
    why = _WHY_VOID.get(void, "")
    if void is VoidReason.OTHER_BALANCE:
        why = f"the balance is {told.balance}, expected were {expected}: something was charged or bought"
        reason = f"The balance is {told.balance}, expected were {expected}."
        await work.note_news(order, "balance_differs", actor=fact.actor, reason=reason)
        work.log(
            logging.WARNING, "A balance isn't as expected", event="balance_differs", order_id=order.id, error=reason
        )
    if send.may_have_left and await _has_lasted(work, send):
        reason = (
            f"For {send.absent_after_s:g} s no reading of the account's list could tell what came of the send "
            f"({why}): a person decides."
        )
        await work.hold(order, reason, actor=fact.actor)


async def _has_lasted(work: Work, send: Send) -> bool:
    """Whether readings were void for a whole time of absence, spaced as those that count, and none between counted."""
    rows = await work.list(_JOURNAL["list_void_readings"], send_id=send.send_id)
    since = max([send.counts_from, send.settled_at or send.gate_at, *send.clear_readings])
    void = [
        row["read_at"] for row in rows if row["void_reason"] not in absence.NOT_OF_THE_SEND and row["read_at"] > since
    ]
    return absence.count_readings(void, since, send.absent_after_s) == absence.NEEDED


def _sending(order: Order, send: Send) -> Send | None:
    """Return the send that a new row would belong to: the open one, else the latest that was settled as absent.

    Of those that the list can show in which this send's row would be: the account may be another person since.
    """
    if order.open_send is not None:
        return order.open_send
    absent = [
        other
        for other in order.absent_sends
        if (other.submission_id, other.person_oid) == (send.submission_id, send.person_oid)
    ]
    if not absent:
        return None
    return send if send in absent and send.expected_number else absent[-1]
