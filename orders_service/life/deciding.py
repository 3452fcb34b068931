"""What a person decides about an order that the system can't decide."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import cadastral, errors
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life import loading, settling, weighing
from orders_service.life.work import DEFAULT_LEASE_S, Work, working, wrong_state
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.domain.orders import Order, Send
    from orders_service.store.db import Database

_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")
_OPERATOR: Final = "operator:"
#: How long after its gate a paid call may still be on its way or at the portal, in seconds: a worker waits a minute at
#: most for the answer of the gate and two for that of the portal, which may go on with a call that was lost.
PAID_CALL_S: Final = 300.0


async def settle_by_number(
    db: Database, order_id: int, number: str, *, actor: str, reason: str = "", lease_s: float = DEFAULT_LEASE_S
) -> None:
    """Say that the order stands at the portal under this number: it is registered, and goes on.

    For an unconfirmed order; for one whose sends were settled as absent while it is on hold; and, with the number that
    is stored already, for a registered one: then only the hold is lifted. A repeat changes nothing more.

    Args:
        actor: The person's name, for the history.

    Raises:
        InvalidInput: No number, or no name.
        NotFound: No such order.
        Refused: WRONG_STATE, where the order isn't waiting for this; NUMBER_TAKEN, where another order of the account
            has the number.
    """
    number = number.strip()
    if not number:
        raise errors.InvalidInput.of("number", "must be the portal's number of the order.")
    try:
        await _settle_by_number(db, order_id, number, _operator(actor), reason, lease_s)
    except pg.UniqueViolation as exc:
        # The other order took it at this very moment.
        raise _number_taken(order_id, number) from exc


async def settle_as_absent(
    db: Database, order_id: int, *, actor: str, reason: str = "", lease_s: float = DEFAULT_LEASE_S
) -> None:
    """Say that the order isn't at the portal: its open send is absent, and it may be sent once more.

    What readings of the list showed so far is then known not to be the order's. On a held order that is processing only
    the hold is lifted. A repeat changes nothing more.

    Raises:
        InvalidInput: No name.
        NotFound: No such order.
        Refused: WRONG_STATE, where the order isn't waiting for this; with metadata need = time, while the paid call may
            be on its way.
    """
    actor = _operator(actor)
    async with working(db, lease_s) as work:
        order = await _take(work, order_id)
        if _was_said(order):
            return
        is_open = order.state is OrderState.UNCONFIRMED
        is_held = order.state in (OrderState.PROCESSING, OrderState.QUEUED) and order.hold_reason is not None
        if not (is_open or is_held):
            raise wrong_state(order, f"Order {order.id} is {order.state} and doesn't wait for this decision.")
        if order.open_send is not None:
            await _check_call_is_over(work, order, order.open_send)
        if order.submission is not None and order.sends:
            await _know_what_was_read(work, order)
        if is_open:
            send = order.open_send
            assert send is not None, "an unconfirmed order has an open send"
            await settling.settle(work, send, SendOutcome.ABSENT, settled_by=actor)
            await work.move("unconfirm", order, OrderState.PROCESSING, actor=actor, reason=f"absent. {reason}".strip())
        await _hand_back(work, order, actor=actor, reason=reason or "it isn't at the portal")


async def _settle_by_number(db: Database, order_id: int, number: str, actor: str, reason: str, lease_s: float) -> None:
    async with working(db, lease_s) as work:
        order = await _take(work, order_id)
        if order.number is not None:
            if order.number != number or order.state not in (OrderState.REGISTERED, OrderState.COMPLETED):
                raise wrong_state(order, f"Order {order.id} is {order.state} under the number {order.number}.")
            if order.hold_reason is not None:
                await _hand_back(work, order, actor=actor, reason=reason or f"its number is {number}")
            return
        send = _sent(order)
        if send is None or not _waits_for_number(order):
            raise wrong_state(order, f"Order {order.id} is {order.state} and doesn't wait for a number.")
        await _check_number_is_free(work, order, number)
        rows = await work.list(_JOURNAL["list_rows_read"], order_id=order.id, username=order.username)
        ids = {
            row["application_id"]
            for row in rows
            if row["application_id"]
            and row["order_number"] == number
            and cadastral.find_key(row["cad_num"]) == order.cad_key
        }
        is_contradicted = send.expected_number is not None and send.expected_number != number
        answered = f" (finish had answered {send.expected_number})" if is_contradicted else ""
        await settling.settle(work, send, SendOutcome.NUMBER, settled_by=actor)
        await work.move(
            "register",
            order,
            OrderState.REGISTERED,
            actor=actor,
            reason=f"its number is {number}{answered}. {reason}".strip(),
            number=number,
            application_id=ids.pop() if len(ids) == 1 else None,
            portal_status=None,
        )
        await _hand_back(work, order, actor=actor, reason=reason or f"its number is {number}")


async def _take(work: Work, order_id: int) -> Order:
    order = await loading.find_order(work, order_id)
    if order is None:
        raise errors.NotFound("order", order_id)
    # What came in meanwhile may have decided already. On a held order facts wait for the person instead.
    order = await weighing.weigh_pending(work, order)
    await work.keep()
    return order


def _sent(order: Order) -> Send | None:
    """Return the send that the number would be of."""
    if order.open_send is not None:
        return order.open_send
    return order.absent_sends[-1] if order.absent_sends else None


def _waits_for_number(order: Order) -> bool:
    if order.state is OrderState.UNCONFIRMED:
        return True
    return order.state is OrderState.PROCESSING and order.hold_reason is not None


def _was_said(order: Order) -> bool:
    """Whether a person said so of the latest send already, and nothing came of it since."""
    return (
        order.state is OrderState.PROCESSING
        and order.hold_reason is None
        and bool(order.sends)
        and (order.sends[-1].settled_by or "").startswith(_OPERATOR)
        and order.sends[-1].outcome is SendOutcome.ABSENT
    )


async def _check_number_is_free(work: Work, order: Order, number: str) -> None:
    taken = await work.list(
        _ORDER["list_taken"],
        account_id=order.rosreestr_user_id,
        order_id=order.id,
        numbers=[number],
        application_ids=[],
    )
    if taken:
        raise _number_taken(order.id, number)


def _number_taken(order_id: int, number: str) -> errors.Refused:
    return errors.Refused(
        "NUMBER_TAKEN",
        f"Order {order_id} can't have the number {number}: another order of its account has it.",
        number=number,
    )


async def _check_call_is_over(work: Work, order: Order, send: Send) -> None:
    """Refuse to call a send absent that may be made at this very moment: it would be charged, and so would the next.

    A look at the portal can't tell yet, and no worker can be asked: it may be paused.
    """
    clock = await work.get(_ORDER["read_clock"])
    over_at = send.gate_at + dt.timedelta(seconds=min(PAID_CALL_S, send.absent_after_s))
    left_s = (over_at - clock["now"]).total_seconds()
    if left_s > 0:
        message = f"The paid call of order {order.id} may be on its way: look at the portal again in {left_s:.0f} s."
        raise wrong_state(order, message, need="time")


async def _know_what_was_read(work: Work, order: Order) -> None:
    assert order.submission is not None, "the caller looked"
    rows = await work.list(_JOURNAL["list_rows_read"], order_id=order.id, username=order.username)
    ids = sorted({row["application_id"] for row in rows})
    await work.run(_JOURNAL["know_applications"], submission_id=order.submission.id, application_ids=ids)


async def _hand_back(work: Work, order: Order, *, actor: str, reason: str) -> None:
    """Lift the hold and let the relay put the order back on the queue."""
    await work.change("hand_back", order)
    if order.hold_reason is not None:
        await work.note(order, "hold_lifted", actor=actor, reason=reason)


def _operator(actor: str) -> str:
    name = actor.strip().removeprefix(_OPERATOR).strip()
    if not name:
        raise errors.InvalidInput.of("actor", "must name who decides.")
    return _OPERATOR + name
