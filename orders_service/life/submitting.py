"""The steps before the paid call: intent, upload, and the gate. Here money is kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life import double_payment, guard, loading, other_orders, persons, settling
from orders_service.life.claiming import holding
from orders_service.life.work import Work, working, wrong_state
from orders_service.store import queries

if TYPE_CHECKING:
    import datetime as dt
    import uuid

    from orders_service.domain.account import Account
    from orders_service.domain.orders import Holder, NewSubmission, Order, OrderInHand
    from orders_service.store.db import Database

_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")
_ONE_SEND_PER_OBJECT: Final = "orders_one_send_of_a_person"
_SEND_KEY: Final = "sends_pkey"

#: What the portal may work on a lost paid call, its idle limit and its list's lag are unknown; an hour covers them.
MIN_ABSENT_AFTER_S: Final = 3600.0
#: A week: an order that waits longer for its own absence is a mistake of units.
MAX_ABSENT_AFTER_S: Final = 7 * 24 * 3600.0


async def record_intent(db: Database, holder: Holder, new: NewSubmission) -> OrderInHand:
    """Write the intent and bind the order to the account, before the first call that changes anything at the portal.

    The answer's GUIDs are the ones to use: the given ones the first time, the kept ones ever after. A repeat refreshes
    person, key, balance and spelling, and the known rows as long as nothing was ever sent.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; WRONG_STATE; OBJECT_BUSY; ORDER_ON_HOLD, also
            where the account is another person by now than the one an earlier send was made as, or its list shows what
            an earlier send by another account may have made (then it is held by this); ACCOUNT_ON_STANDBY where it
            turned out to be another person than it was, or one that another account is already: then it stands by from
            here on, and the order is put down.
    """
    try:
        return await _record_intent(db, holder, new)
    except _PersonUnknown:
        # To learn it changes the account, which a decision only shares with others.
        await persons.learn(db, holder, new.person_oid)
        return await _record_intent(db, holder, new)


async def record_upload(db: Database, holder: Holder) -> OrderInHand:
    """Journal that the portal accepted the upload; a repeat keeps the first time.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; WRONG_STATE, also without an
            intent.
    """
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        guard.check_open(order, OrderState.PROCESSING)
        submission = order.submission
        if submission is None or not order.is_bound:
            raise wrong_state(order, f"Order {order.id} has no intent: record it before the upload.", need="intent")
        await work.run(
            _ORDER["note_upload"],
            order_id=order.id,
            fence=holder.fence,
            token=holder.token,
            submission_id=submission.id,
            actor=account.actor,
        )
        return await loading.answer(work, order, account.id)


async def pass_gate(
    db: Database, holder: Holder, send_id: uuid.UUID, *, absent_after_s: float, is_portal_on_loopback: bool
) -> OrderInHand:
    """Pass the gate: after this answer, and only after it, the paid call may be sent, once.

    A crash before the commit leaves the order as it was; one after it leaves it unconfirmed, and the send is settled
    from the account's list. The same send_id may be asked again by the same delivery while the send is open.

    Args:
        absent_after_s: The worker's time of absence, in seconds; kept with the send.

    Raises:
        InvalidInput: A time of absence that isn't one.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; ABSENT_AFTER_TOO_SHORT;
            SEND_OPEN; OBJECT_BUSY; RESEND_NEEDS_PERSON; WRONG_STATE, with metadata need = intent, upload,
            reading or facts where that is missing.
    """
    _check_absent_after(absent_after_s, is_portal_on_loopback)
    try:
        async with working(db) as work:
            account, order = await guard.take(work, holder)
            if not _is_repeat(order, holder, send_id):
                await _check_gate(work, order, send_id)
                await work.move(
                    "pass_gate",
                    order,
                    OrderState.UNCONFIRMED,
                    actor=account.actor,
                    reason=f"send {send_id}",
                    send_id=send_id,
                    absent_after_s=absent_after_s,
                    **holding(holder, account),
                )
            return await loading.answer(work, order, account.id)
    except pg.UniqueViolation as exc:
        # Two gates at the same moment: the other one was first.
        match exc.diag.constraint_name:
            case constraint if constraint == _ONE_SEND_PER_OBJECT:
                raise guard.object_busy(order) from exc
            case constraint if constraint == _SEND_KEY:
                raise _send_used(holder.order_id, send_id) from exc
        raise


def _check_absent_after(absent_after_s: float, is_portal_on_loopback: bool) -> None:
    if not (math.isfinite(absent_after_s) and 0 < absent_after_s <= MAX_ABSENT_AFTER_S):
        raise errors.InvalidInput.of("absent_after", "must be a number of seconds above 0, a week at most.")
    if absent_after_s < MIN_ABSENT_AFTER_S and not is_portal_on_loopback:
        raise errors.Refused(
            "ABSENT_AFTER_TOO_SHORT",
            f"ROSREESTR_ABSENT_AFTER_S is {absent_after_s:g}: less than {MIN_ABSENT_AFTER_S:g} is for a portal on "
            "loopback only, since a send that is taken for absent too early is paid twice.",
        )


def _is_repeat(order: Order, holder: Holder, send_id: uuid.UUID) -> bool:
    """Whether this very delivery passed the gate with this very send, and nothing came of it yet."""
    send = order.open_send
    return (
        order.state is OrderState.UNCONFIRMED
        and order.hold_reason is None
        and send is not None
        and send.send_id == send_id
        # Once finish answered, "you may send" would be wrong: then it was sent.
        and send.answered_at is None
        and (send.fence, send.fence_token) == (holder.fence, holder.token)
    )


async def _check_gate(work: Work, order: Order, send_id: uuid.UUID) -> None:
    """Refuse the gate where anything but a first send, or a resend that is known to be one, would come of it."""
    if order.open_send is not None and order.hold_reason is None:
        raise errors.Refused(
            "SEND_OPEN",
            f"Order {order.id} has a send that isn't settled: it can't be sent again.",
            state=order.state.value,
        )
    guard.check_open(order, OrderState.PROCESSING)
    guard.check_all_is_weighed(order)
    submission = order.submission
    if submission is None or not order.is_bound:
        raise wrong_state(order, f"Order {order.id} has no intent: record it before the gate.", need="intent")
    if submission.uploaded_at is None:
        raise wrong_state(order, f"Order {order.id} isn't uploaded: record it before the gate.", need="upload")
    _check_resend(order)
    met = await work.get(
        _JOURNAL["look_before_gate"],
        send_id=send_id,
        order_id=order.id,
        person_oid=order.person_oid,
        account_id=order.rosreestr_user_id,
        cad_key=order.cad_key,
    )
    if met["is_used"]:
        raise _send_used(order.id, send_id)
    if met["busy_id"] is not None:
        raise guard.object_busy(order, met["busy_id"])


def _check_resend(order: Order) -> None:
    """Refuse to send again what may have been sent already, unless it is settled, allowed, and looked for once more."""
    left = order.may_have_left
    if not left:
        return
    if any(send.outcome is not SendOutcome.ABSENT for send in left):
        raise wrong_state(order, f"Order {order.id} was sent, and not all of its sends are settled as absent.")
    if len([send for send in left if send.settled_by == settling.BY_READINGS]) > 1:
        raise errors.Refused(
            "RESEND_NEEDS_PERSON",
            f"Order {order.id} was sent again once by itself: a person decides about another time.",
        )
    if not order.was_sent_as_now:
        # Another account's or person's sends, of which a person said that they are absent: where this list can show
        # them, the intent looked at it.
        return
    since: dt.datetime = max(send.settled_at for send in order.sends if send.settled_at is not None)
    if not any(at >= since for send in order.sends for at in send.clear_readings):
        raise wrong_state(
            order,
            f"Order {order.id} was sent before: read the account's list once more, after that send was settled.",
            need="reading",
        )


class _PersonUnknown(Exception):
    """The account isn't known to be the person who submits."""


async def _record_intent(db: Database, holder: Holder, new: NewSubmission) -> OrderInHand:
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        guard.check_open(order, OrderState.PROCESSING)
        if account.person_oid != new.person_oid:
            raise _PersonUnknown
        is_held = await _hold_as_other_person(work, order, account, new)
        if not is_held:
            busy = await other_orders.find_busy(work, order, new.person_oid, account.id)
            if busy is not None:
                raise guard.object_busy(order, busy)
            is_held = await double_payment.look_before_intent(work, order, holder, account, new)
        if not is_held:
            await _write_intent(work, order, holder, account, new)
        answered = await loading.answer(work, order, account.id)
    if is_held:
        raise guard.on_hold(answered.order)
    return answered


async def _hold_as_other_person(work: Work, order: Order, account: Account, new: NewSubmission) -> bool:
    """Hold an order that is bound to the account as another person, and may have been sent as that one.

    Another person's list wouldn't show the earlier send: what is read from here on would prove nothing. By a person's
    *absent* the order is bound to nobody, and what was sent before is like another account's.
    """
    if not order.is_bound or order.person_oid == new.person_oid:
        return False
    if not any(send.person_oid == order.person_oid for send in order.may_have_left):
        return False
    reason = f"Account {account.username} is another person at the portal than when the order was sent."
    await work.hold(order, reason, actor=account.actor)
    return True


async def _write_intent(work: Work, order: Order, holder: Holder, account: Account, new: NewSubmission) -> None:
    known = len(new.known_application_ids)
    await work.change(
        "bind",
        order,
        super_package_guid=new.super_package_guid,
        statement_guid=new.statement_guid,
        package_guid=new.package_guid,
        draft_guid=new.draft_guid,
        person_oid=new.person_oid,
        access_key=new.access_key,
        balance=new.balance,
        portal_cad_num=new.portal_cad_num,
        known_application_ids=list(new.known_application_ids),
        is_news=not order.is_bound,
        actor=account.actor,
        reason=f"balance {new.balance}, {known} applications of the object known",
        **holding(holder, account),
    )


def _send_used(order_id: int, send_id: uuid.UUID) -> errors.Refused:
    return errors.Refused(
        "WRONG_STATE", f"Order {order_id} can't use send {send_id} again: make a fresh id.", need="send_id"
    )
