"""Turn facts into what follows from them: each once, in the order in which they came, whoever saw them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.domain import facts
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life import double_payment, loading, settling
from orders_service.store import queries
from orders_service.store.db import OF_THE_DATABASE

if TYPE_CHECKING:
    from orders_service.domain.orders import Order, Send
    from orders_service.life.work import Work

logger = logging.getLogger(__name__)

_JOURNAL: Final = queries.load("life_journal")
#: Another order has the number, or its row.
_TAKEN: Final = frozenset(
    {"orders_number_is_unique", "orders_number_of_a_person", "orders_application_of_a_person"},
)
#: Each repeat means that another order took the very row meanwhile; it is then no candidate any more.
_MAX_TRIES: Final = 5


#: How often a fact of a newer version may be met, a minute apart at least, before a person is asked.
MAX_WEIGHINGS: Final = 5


async def weigh_pending(work: Work, order: Order) -> Order:
    """Weigh every fact of a locked order that wasn't weighed yet, and return the order afterwards.

    While a person must decide, facts only wait: his decision comes first. A fact that can't be weighed is kept as it
    is, and its order is held with an alarm: no claim, report or pass of the reconciler fails by it. One that a newer
    version wrote waits for that one first, and the order passes no gate meanwhile.
    """
    for row in await work.list(_JOURNAL["list_pending_facts"], order_id=order.id):
        if order.hold_reason is not None:
            break
        try:
            order = await _weigh_apart(work, order, facts.KeptFact(**row))
        except OF_THE_DATABASE:
            raise
        except facts.NewerFact as newer:
            await _leave_to_newer(work, order, facts.KeptFact(**row), newer)
            break
        except Exception as error:
            logger.exception("A fact can't be weighed", extra={"event": "weighing_failed", "order_id": order.id})
            await work.add(_JOURNAL["note_failed_weighing"], fact_id=row["id"], most=MAX_WEIGHINGS)
            # Money may hang on what it says, so nobody goes on with the order before a person has read it.
            what = f"{type(error).__name__}: {error}".rstrip(".")
            reason = f"What worker {row['username']} saw (fact {row['id']}, {row['kind']}) can't be weighed: {what}."
            await work.hold_unread(order.id, reason, actor="reconciler")
            break
    return await loading.read_order(work, order.id)


async def _leave_to_newer(work: Work, order: Order, fact: facts.KeptFact, newer: facts.NewerFact) -> None:
    """Leave a fact to a newer service beside this one; where none comes, it is for a person.

    He is told once of an order that is over: nothing waits for him there, and it would be told each minute.
    """
    counted = await work.find(_JOURNAL["note_failed_weighing"], fact_id=fact.id, most=MAX_WEIGHINGS)
    if counted is None:
        return
    work.log(
        logging.WARNING, "A fact waits for a newer version", event="fact_waits", order_id=order.id, error=str(newer)
    )
    if counted["failed_weighings"] == MAX_WEIGHINGS:
        reason = (
            f"What {fact.actor} saw (fact {fact.id}, {fact.kind}) can't be weighed: {newer}, in {MAX_WEIGHINGS} tries."
        )
        await work.hold_unread(order.id, reason, actor="reconciler")


async def weigh_alone(work: Work, order: Order, fact: facts.KeptFact) -> Order:
    """Weigh a fact that is kept by this very transaction, marked as weighed, and return the order afterwards.

    Quicker than `weigh_pending`, as nothing parts it from the rest: where it fails, all of the transaction does.
    """
    weighed = await _weigh(work, order, fact)
    return await loading.read_order(work, order.id) if work.has_changed else weighed


async def keep_answers(work: Work, order: Order) -> None:
    """Keep what finish answered while the order waited for the person who decides now: he was shown it."""
    for row in await work.list(_JOURNAL["list_pending_facts"], order_id=order.id):
        try:
            told = facts.from_content(row["kind"], row["content"], row["version"])
        except ValueError:
            continue
        if isinstance(told, facts.FinishAnswer):
            await _keep_answer(work, order, facts.KeptFact(**row), told)
            await work.run(_JOURNAL["mark_weighed"], fact_id=row["id"])


async def _weigh_apart(work: Work, order: Order, fact: facts.KeptFact) -> Order:
    """Weigh one fact under a savepoint: two orders may adopt one row at the same moment, and only one gets it."""
    tries = 0
    while True:
        tries += 1
        try:
            async with work.savepoint():
                await _weigh(work, order, fact)
                await work.run(_JOURNAL["mark_weighed"], fact_id=fact.id)
            break
        except pg.UniqueViolation as exc:
            if exc.diag.constraint_name not in _TAKEN or tries == _MAX_TRIES:
                raise
    return await loading.read_order(work, order.id)


async def _weigh(work: Work, order: Order, fact: facts.KeptFact) -> Order:
    """Turn one fact into what follows; the order as it is known afterwards, where nothing of it was written."""
    told = facts.from_content(fact.kind, fact.content, fact.version)
    send = None if fact.send_id is None else order.find_send(fact.send_id)
    match told:
        case facts.PortalRefusal():
            reason = f"{told.step}: HTTP {told.http_status}"
            await work.note(order, "refusal", actor=fact.actor, reason=reason)
        case facts.FinishAnswer():
            await _weigh_answer(work, order, fact, told, _sent(order, fact, send))
        case facts.NotSent():
            await _weigh_not_sent(work, order, fact, told, _sent(order, fact, send))
        case facts.ListReading() if send is not None:
            return await settling.weigh_reading(work, order, fact, told, send)
    return order


def _sent(order: Order, fact: facts.KeptFact, send: Send | None) -> Send:
    """Return the send that a fact is about which is always about one."""
    if send is None:
        raise errors.Inconsistent(f"Fact {fact.id} of order {order.id} ({fact.kind}) names no send of it.")
    return send


async def _weigh_answer(work: Work, order: Order, fact: facts.KeptFact, told: facts.FinishAnswer, send: Send) -> None:
    """Keep what finish answered on its send. It moves nothing; it may contradict what was settled."""
    number = told.expected_number
    kept = await _keep_answer(work, order, fact, told)
    if not kept and number and number != send.expected_number:
        reason = f"finish of one send answered twice: {send.expected_number or 'no number'}, then {number}."
        await work.hold(order, reason, actor=fact.actor, is_alarm=True)
    elif not number:
        return
    elif send.outcome is SendOutcome.NOT_SENT:
        reason = f"finish answered the number {number} for a send of which its sender said that no byte had left."
        await work.hold(order, reason, actor=fact.actor, is_alarm=True)
    elif send.outcome is SendOutcome.ABSENT and order.number != number:
        # Whatever became of the order since: this send was charged, and a number of another send is a second payment.
        stored = f" The order's number is {order.number}." if order.number else ""
        reason = f"finish answered the number {number} for a send that was settled as absent.{stored}"
        await work.hold(order, reason, actor=fact.actor, is_alarm=True)
    elif order.number is not None and order.number != number:
        await double_payment.compare_answer(work, order, number, actor=fact.actor)


async def _keep_answer(work: Work, order: Order, fact: facts.KeptFact, told: facts.FinishAnswer) -> bool:
    """Write the answer on its send, and in the history; False: another one was first."""
    said = f"the number {told.expected_number}" if told.expected_number else "no number"
    kept = await work.get(
        _JOURNAL["record_answer"],
        order_id=order.id,
        actor=fact.actor,
        reason=f"HTTP {told.http_status}, {said}",
        send_id=fact.send_id,
        status=told.http_status,
        text=told.text,
        expected_number=told.expected_number,
    )
    work.has_changed = True
    return bool(kept["is_first"])


async def _weigh_not_sent(work: Work, order: Order, fact: facts.KeptFact, told: facts.NotSent, send: Send) -> None:
    """End a send early: only its own sender can know that nothing left."""
    reason = f"no byte was sent: {told.reason}"
    if (fact.fence, fact.fence_token) != (send.fence, send.fence_token):
        await work.note(order, "not_sent_ignored", actor=fact.actor, reason=f"{reason} (said by another delivery)")
        return
    if send.answered_at is not None and send.outcome is not SendOutcome.NOT_SENT:
        # An answer came, so something was sent: whatever the sender believes, only the list can tell.
        await work.hold(order, f"{reason}, and yet finish answered.", actor=fact.actor, is_alarm=True)
        return
    if send.outcome is SendOutcome.NUMBER:
        await work.hold(
            order, f"{reason}, and yet the number {order.number} was adopted for it.", actor=fact.actor, is_alarm=True
        )
        return
    if send.outcome is not None:
        await work.note(order, "not_sent_ignored", actor=fact.actor, reason=f"{reason} (settled already)")
        return
    await settling.settle(work, send, SendOutcome.NOT_SENT, settled_by=fact.actor)
    if order.state.is_final:
        # Given up meanwhile: good to know that nothing was paid.
        await work.note(order, "not_sent", actor=fact.actor, reason=reason)
        return
    await work.move("unconfirm", order, OrderState.PROCESSING, actor=fact.actor, reason=reason)
