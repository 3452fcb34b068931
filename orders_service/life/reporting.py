"""What a holder reports of an order that goes on or ends: not known, not ready, can't be fulfilled."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from orders_service import cadastral, errors
from orders_service.domain.states import OrderState
from orders_service.domain.strikes import LONGEST_REGISTERED_S
from orders_service.life import guard, loading
from orders_service.life.claiming import back_to_queue, check_delay, holding, put_down
from orders_service.life.work import Work, working

if TYPE_CHECKING:
    from orders_service.domain.account import Account
    from orders_service.domain.facts import ApplicationRow
    from orders_service.domain.orders import Holder, Order, OrderInHand
    from orders_service.store.db import Database

#: What operators know from the system that this replaces.
NOT_FOUND_TEXT: Final = "Кадастровый номер не найден на портале"
#: Clocks and schedules aren't exact: a second look that comes a little early is one.
_EARLY: Final = 0.9


async def record_not_found(db: Database, holder: Holder, *, recheck_s: float) -> OrderInHand:
    """Say that the portal doesn't know the object: it is asked again after recheck_s, by any account, then it fails.

    An order that may have been sent stays with its account.

    Raises:
        InvalidInput: A time that isn't one.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; WRONG_STATE.
    """
    check_delay("recheck_in", recheck_s)
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        is_repeat = order.not_found_at is not None and (
            order.state is OrderState.QUEUED or (order.state is OrderState.FAILED)
        )
        if not is_repeat:
            guard.check_open(order, OrderState.PROCESSING)
            await _not_found(work, order, holder, account, recheck_s)
        return await loading.answer(work, order, account.id)


async def record_check(db: Database, holder: Holder, *, row: ApplicationRow | None, next_check_s: float) -> OrderInHand:
    """Say that a registered order isn't ready, what the list says of it, and when to look again.

    Where the list doesn't show its row for a whole time of absence, it is held: the number is wrong, most likely. And
    where it isn't ready after three days, once: the registry takes no longer, as a rule.

    Args:
        row: The order's own row; None: the list didn't show it.
        next_check_s: Seconds until the next look.

    Raises:
        InvalidInput: The row is of another number or object, or the time isn't one.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ORDER_ON_HOLD; WRONG_STATE.
    """
    check_delay("next_check_in", next_check_s)
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        guard.check_open(order, OrderState.REGISTERED)
        if row is not None:
            _check_row(order, row)
        status = row.portal_status if row is not None else None
        noted = await work.change_and_read(
            "note_check",
            order,
            portal_status=status,
            application_id=row.application_id if row is not None and row.application_id > 0 else None,
            is_seen=row is not None,
            next_check_s=next_check_s,
            **holding(holder, account),
        )
        if row is None:
            await _look_for_missing(work, order, account, noted["missing_s"])
        await _look_for_late(work, order, account, noted["registered_s"])
        if status is not None and status != order.portal_status:
            # Only what is new: an order that takes three days is looked at thousands of times.
            await work.note(order, "check", actor=account.actor, reason=f"not ready: {status}")
        return await loading.answer(work, order, account.id)


async def fail_order(db: Database, holder: Holder, *, reason: str, is_portal_verdict: bool) -> OrderInHand:
    """Say that the order can't be fulfilled: it fails where nothing was paid, or by the portal's own verdict.

    Otherwise money is at stake: it keeps its state, and a person must look.

    Args:
        reason: For people; becomes the status after «Ошибка: ».
        is_portal_verdict: The portal itself said so, finally.

    Raises:
        InvalidInput: No reason.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; WRONG_STATE.
    """
    if not reason.strip():
        raise errors.InvalidInput.of("reason", "must say why the order can't be fulfilled.")
    async with working(db) as work:
        account, order = await guard.take(work, holder)
        if order.state is OrderState.FAILED or order.hold_reason is not None:
            return await loading.answer(work, order, account.id)
        guard.check_open(order, OrderState.PROCESSING, OrderState.UNCONFIRMED, OrderState.REGISTERED)
        guard.check_all_is_weighed(order)
        is_paid = order.state is OrderState.REGISTERED
        if order.state is OrderState.PROCESSING or (is_paid and is_portal_verdict):
            await fail(work, order, holder, account, reason)
        else:
            await work.hold(order, reason, actor=account.actor)
        return await loading.answer(work, order, account.id)


async def fail(work: Work, order: Order, holder: Holder, account: Account, reason: str) -> None:
    """End the order for good, by the delivery in hand."""
    await work.move(
        "fail", order, OrderState.FAILED, actor=account.actor, reason=reason, error=reason, **holding(holder, account)
    )
    work.log(logging.WARNING, "An order failed", event="order_failed", order_id=order.id, error=reason)


async def _not_found(work: Work, order: Order, holder: Holder, account: Account, recheck_s: float) -> None:
    if _is_time_for_second_look(order, recheck_s):
        guard.check_all_is_weighed(order)
        await fail(work, order, holder, account, NOT_FOUND_TEXT)
        return
    reason = "the portal doesn't know the object; it is asked once more"
    if order.may_have_left:
        await put_down(work, order, holder, account, delay_s=recheck_s, is_not_found=True)
        await work.note(order, "not_found", actor=account.actor, reason=reason)
        return
    await back_to_queue(work, order, holder, account, delay_s=recheck_s, reason=reason, is_not_found=True)


async def _look_for_missing(work: Work, order: Order, account: Account, missing_s: float) -> None:
    """Hold a registered order whose row the list doesn't show any more: it would be asked for without an end."""
    send = order.current_send
    if send is None or missing_s < send.absent_after_s:
        return
    reason = (
        f"For {send.absent_after_s:g} s the account's list hasn't shown the row of {order.number}: that number is "
        "wrong, or the account's session is another person's at the portal."
    )
    await work.hold(order, reason, actor=account.actor)


async def _look_for_late(work: Work, order: Order, account: Account, registered_s: float) -> None:
    """Tell a person, once, of a registered order that doesn't get ready: it would be asked for without an end."""
    if registered_s < LONGEST_REGISTERED_S:
        return
    reason = (
        f"It has been registered under {order.number} for more than {LONGEST_REGISTERED_S / 3600:.0f} h, and isn't "
        "ready: look at the portal what keeps it."
    )
    await work.ask(order, reason, actor=account.actor)


def _is_time_for_second_look(order: Order, recheck_s: float) -> bool:
    if order.not_found_at is None:
        return False
    return (order.as_of - order.not_found_at).total_seconds() >= recheck_s * _EARLY


def _check_row(order: Order, row: ApplicationRow) -> None:
    """Refuse a row of another order: its status would be told as this one's."""
    violations = []
    if row.order_number != order.number:
        rule = f"is {row.order_number}, the order's is {order.number}."
        violations.append(errors.Violation(field="row.order_number", rule=rule))
    if cadastral.find_key(row.cad_num) != order.cad_key:
        rule = f"is {row.cad_num}, the order's is {order.cad_num}."
        violations.append(errors.Violation(field="row.cad_num", rule=rule))
    if order.application_id is not None and row.application_id != order.application_id:
        rule = f"is {row.application_id}, the order's is {order.application_id}."
        violations.append(errors.Violation(field="row.application_id", rule=rule))
    if violations:
        raise errors.InvalidInput(violations)
