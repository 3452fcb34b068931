"""What a person decides about an order that the system can't decide.

Each decision names the send and the case that the person saw. The case grows with each hold and each decision, so what
was decided about one is never taken for another; and each is written down, so its repeat is known as one for ever.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import cadastral, errors
from orders_service.domain import decisions
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.life import evidence, loading, other_orders, settling, weighing
from orders_service.life.work import DEFAULT_LEASE_S, Work, working, wrong_state
from orders_service.store import queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from psycopg.rows import DictRow

    from orders_service.domain.decisions import Basis, Evidence
    from orders_service.domain.orders import Order, Send
    from orders_service.store.db import Database

_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")
_DECISION: Final = queries.load("life_decision")
_OPERATOR: Final = "operator:"
#: How long after its gate a paid call may still be on its way or at the portal, in seconds: a worker waits a minute at
#: most for the answer of the gate and two for that of the portal, which may go on with a call that was lost.
PAID_CALL_S: Final = 300.0


async def settle_by_number(
    db: Database,
    on: Basis,
    number: str,
    *,
    despite: Collection[str] = (),
    is_unseen: bool = False,
    lease_s: float = DEFAULT_LEASE_S,
) -> None:
    """Say that the order stands at the portal under this number: it is registered, and goes on.

    For an unconfirmed order; for one whose send was settled as absent; and for a registered one: with the stored number
    its hold is lifted, with another the stored one is corrected, as long as no paper completed it.

    Args:
        despite: Numbers that finish named, and that are wrong.
        is_unseen: The number is right although no reading showed it.

    Raises:
        InvalidInput: No number, or no name.
        NotFound: No such order.
        Refused: CASE_OUTDATED; WRONG_STATE, with metadata need = time while the paid call may be on its way;
            NUMBER_TAKEN by another order; NUMBER_NOT_OURS, a row of another object or from before the gate;
            UNNAMED, with metadata need = unseen or answer.
    """
    number = number.strip()
    if not number:
        raise errors.InvalidInput.of("number", "must be the portal's number of the order.")

    async def act(work: Work, order: Order, seen: Evidence, actor: str) -> None:
        await _take_number(work, order, seen, number, set(despite), is_unseen=is_unseen, actor=actor, reason=on.reason)

    try:
        await decide(db, on, decisions.NUMBER, act, number=number, lease_s=lease_s)
    except pg.UniqueViolation as exc:
        # The other order took it at this very moment.
        raise _number_taken(on.order_id, number) from exc


async def settle_as_absent(
    db: Database,
    on: Basis,
    *,
    application_ids: Collection[int] = (),
    despite: Collection[str] = (),
    lease_s: float = DEFAULT_LEASE_S,
) -> None:
    """Say that the order isn't at the portal: its send is absent, and any account may send it once more.

    Args:
        application_ids: The rows that the person was shown, all of them: they aren't the order's. Any other that turns
            up raises the alarm.
        despite: Numbers that finish named, all of them: nothing stands behind them.

    Raises:
        InvalidInput: No name.
        NotFound: No such order.
        Refused: CASE_OUTDATED; WRONG_STATE, with metadata need = time while the paid call may be on its way; UNNAMED,
            with metadata need = rows, answer or facts.
    """

    async def act(work: Work, order: Order, seen: Evidence, actor: str) -> None:
        send = order.current_send
        if send is None or not decisions.allows_absent(order):
            raise wrong_state(order, f"Order {order.id} is {order.state} and doesn't wait for this decision.")
        _check_call_is_over(order, send)
        _check_all_is_named(order, seen, application_ids, despite)
        await work.run(_JOURNAL["know_applications"], order_id=order.id, application_ids=list(application_ids))
        if send.outcome is None:
            await settling.settle(work, send, SendOutcome.ABSENT, settled_by=actor)
            reason = f"absent. {on.reason}".strip()
            await work.move("unconfirm", order, OrderState.PROCESSING, actor=actor, reason=reason)
        # Nothing was paid: whoever comes first may go on with it.
        await work.run(_ORDER["unbind_by_person"], order_id=order.id)
        await _overrule(work, order, seen, send, actor)
        await _hand_back(work, order, actor=actor, reason=on.reason or "it isn't at the portal")

    await decide(db, on, decisions.ABSENT, act, application_ids=application_ids, lease_s=lease_s)


async def resume(db: Database, on: Basis, *, lease_s: float = DEFAULT_LEASE_S) -> None:
    """Lift the hold and decide nothing about money: the order goes on from where it stands.

    An unconfirmed order is looked for over one more time of absence.

    Raises:
        InvalidInput: No name.
        NotFound: No such order.
        Refused: CASE_OUTDATED; WRONG_STATE, where the order isn't held.
    """

    async def act(work: Work, order: Order, seen: Evidence, actor: str) -> None:
        if not decisions.allows_resume(order):
            raise wrong_state(order, f"Order {order.id} is {order.state} and isn't held.")
        if order.current_send is not None:
            await work.run(_DECISION["note_decided"], send_id=order.current_send.send_id, balance=None, balance_at=None)
        await _hand_back(work, order, actor=actor, reason=on.reason or "resumed")

    await decide(db, on, decisions.RESUME, act, lease_s=lease_s)


async def give_up(db: Database, on: Basis, *, lease_s: float = DEFAULT_LEASE_S) -> None:
    """End the order: it fails, and its error says what may have been paid.

    Raises:
        InvalidInput: No name, or no reason.
        NotFound: No such order.
        Refused: CASE_OUTDATED; WRONG_STATE, where the order is over, or nothing was paid and it isn't held.
    """
    if not on.reason.strip():
        raise errors.InvalidInput.of("reason", "must say why the order is given up.")

    async def act(work: Work, order: Order, seen: Evidence, actor: str) -> None:
        if not decisions.allows_give_up(order):
            raise wrong_state(order, f"Order {order.id} is {order.state} and can't be given up.")
        error = f"{on.reason.strip()} ({decisions.tell_payment(order)})"
        await _pass_over(work, order, seen, actor)
        reason = f"given up: {error}"
        await work.move("give_up", order, OrderState.FAILED, actor=actor, reason=reason, error=error)

    await decide(db, on, decisions.GIVE_UP, act, lease_s=lease_s)


async def decide(
    db: Database,
    on: Basis,
    kind: str,
    act: Callable[[Work, Order, Evidence, str], Awaitable[None]],
    *,
    lease_s: float,
    number: str | None = None,
    application_ids: Collection[int] = (),
) -> None:
    """Take a decision, unless it is the repeat of one, or about something else than what stands there now."""
    actor = _operator(on.actor)
    ids = sorted(set(application_ids))
    async with working(db, lease_s) as work:
        order = await loading.find_order(work, on.order_id)
        if order is None:
            raise errors.NotFound("order", on.order_id)
        made = await work.find(_DECISION["find_decision"], order_id=order.id, case_no=on.case_no)
        if made is not None:
            if (made["kind"], made["number"], made["application_ids"], made["send_id"]) != (
                kind,
                number,
                ids,
                on.send_id,
            ):
                raise _outdated(order, _tell_made(made))
            return
        # What came in meanwhile may have decided already. On a held order facts wait for the person instead.
        order = await weighing.weigh_pending(work, order)
        await work.keep()
        _check_basis(order, on)
        await act(work, order, await evidence.gather(work, order), actor)
        await work.run(
            _DECISION["add_decision"],
            order_id=order.id,
            case_no=on.case_no,
            send_id=on.send_id,
            kind=kind,
            number=number,
            application_ids=ids,
            actor=actor,
            reason=on.reason,
        )


def _check_basis(order: Order, on: Basis) -> None:
    """Refuse a decision about another send or case than what stands there now."""
    current = order.current_send.send_id if order.current_send is not None else None
    if on.send_id != current:
        named = f"is about send {on.send_id}" if on.send_id is not None else "names no send"
        raise _outdated(order, f"The decision {named}; the order's is {current or 'none'}.")
    if on.case_no != order.case_no:
        held = f" It is held: {order.hold_reason}" if order.hold_reason is not None else ""
        raise _outdated(order, f"The decision is about case {on.case_no}; the order's is {order.case_no}.{held}")


async def _take_number(
    work: Work,
    order: Order,
    seen: Evidence,
    number: str,
    despite: set[str],
    *,
    is_unseen: bool,
    actor: str,
    reason: str,
) -> None:
    send = order.current_send
    if send is None or not decisions.allows_number(order):
        raise wrong_state(order, f"Order {order.id} is {order.state} and doesn't wait for a number.")
    if order.number == number:
        await work.run(_DECISION["note_decided"], send_id=send.send_id, balance=None, balance_at=None)
        await _hand_back(work, order, actor=actor, reason=reason or f"its number is {number}")
        return
    _check_call_is_over(order, send)
    application_id = await _check_number(work, order, seen, send, number, despite, is_unseen=is_unseen)
    answered = f" (finish had answered {', '.join(seen.answers)})" if set(seen.answers) - {number} else ""
    told = f"its number is {number}{answered}. {reason}".strip()
    values: dict[str, object] = {"number": number, "application_id": application_id}
    if order.state is OrderState.REGISTERED:
        await work.change("correct", order, **values)
        await work.note(order, "number_corrected", actor=actor, reason=f"{told} Before: {order.number}.")
    else:
        await settling.settle(work, send, SendOutcome.NUMBER, settled_by=actor)
        values |= {"account_id": send.account_id, "person_oid": send.person_oid}
        await work.move("register_by_person", order, OrderState.REGISTERED, actor=actor, reason=told, **values)
    await _overrule(work, order, seen, send, actor)
    await _pass_over(work, order, seen, actor)
    await _hand_back(work, order, actor=actor, reason=reason or f"its number is {number}")


async def _check_number(
    work: Work, order: Order, seen: Evidence, send: Send, number: str, despite: set[str], *, is_unseen: bool
) -> int | None:
    """Hold a person's number against all that is known; return its row's id, where one was seen."""
    rows = [row for row in seen.all_rows if row.order_number == number]
    own = [row for row in rows if cadastral.find_key(row.cad_num) == order.cad_key]
    if rows and not own:
        raise _not_ours(order, number, f"its row shows the object {rows[-1].cad_num or 'none'}.")
    ids = {row.application_id for row in own if row.application_id > 0}
    if ids & seen.known_before:
        raise _not_ours(order, number, "its row was in the list before the order was sent.")
    others = await other_orders.look(work, order, send, numbers=[number], application_ids=ids)
    if others.taken:
        raise _number_taken(order.id, number)
    if not own and not is_unseen:
        raise _unnamed(
            order,
            "unseen",
            f"No reading of the list showed the number {number}: look for a slip, or say that it is right although "
            "unseen (--unseen).",
        )
    if denied := sorted(set(seen.answers) - despite - {number}):
        raise _unnamed(
            order,
            "answer",
            f"finish answered the number {', '.join(denied)}, not {number}: say that it is wrong "
            f"({' '.join(f'--despite {answer}' for answer in denied)}), or give that one.",
        )
    return ids.pop() if len(ids) == 1 else None


def _check_all_is_named(
    order: Order, seen: Evidence, application_ids: Collection[int], despite: Collection[str]
) -> None:
    """Refuse an absence that doesn't name exactly what speaks against it: it would be passed over in silence."""
    if seen.unread:
        raise _unnamed(
            order,
            "facts",
            f"Of order {order.id} something was seen that this version can't read (facts "
            f"{', '.join(map(str, seen.unread))}): it may be the order's row. Resume it with a version that can.",
        )
    shown = sorted({row.application_id for row in seen.rows})
    if sorted(set(application_ids)) != shown or 0 in shown:
        rows = "; ".join(f"{row.application_id} {row.order_number or 'without number'}" for row in seen.rows)
        how = " ".join(f"--row {row_id}" for row_id in shown)
        what = f"may be the order's: {rows}. If none of them is, name each ({how})." if shown else "may be: name none."
        if 0 in shown:
            what = f"may be the order's: {rows}. One without an id can't be ruled out: resume, or give up."
        raise _unnamed(order, "rows", f"Rows of the list that {what}")
    if sorted(set(despite)) != sorted(seen.answers):
        said = ", ".join(seen.answers) or "no number"
        how = " ".join(f"--despite {answer}" for answer in seen.answers)
        raise _unnamed(order, "answer", f"finish answered {said}: if nothing stands behind it, name it ({how}).")


def _check_call_is_over(order: Order, send: Send) -> None:
    """Refuse to settle a send that may be made at this very moment: it would be charged, whatever was said of it.

    A look at the portal can't tell yet, and no worker can be asked: it may be paused.
    """
    over_at = send.gate_at + dt.timedelta(seconds=min(PAID_CALL_S, send.absent_after_s))
    left_s = (over_at - order.as_of).total_seconds()
    if left_s > 0:
        message = f"The paid call of order {order.id} may be on its way: look at the portal again in {left_s:.0f} s."
        raise wrong_state(order, message, need="time")


async def _overrule(work: Work, order: Order, seen: Evidence, send: Send, actor: str) -> None:
    """Let what the person saw be seen: answers are kept, and the balance is expected as he saw it last."""
    await weighing.keep_answers(work, order)
    await work.run(_DECISION["note_decided"], send_id=send.send_id, balance=seen.balance, balance_at=seen.balance_at)


async def _pass_over(work: Work, order: Order, seen: Evidence, actor: str) -> None:
    """Lay aside what can't be read: a person decided without it, and it would stop the order again."""
    for fact_id in seen.unread:
        await work.run(_JOURNAL["mark_weighed"], fact_id=fact_id)
        await work.note(order, "fact_passed_over", actor=actor, reason=f"fact {fact_id} can't be read")


async def _hand_back(work: Work, order: Order, *, actor: str, reason: str) -> None:
    """Lift the hold, close the case, and let the relay put the order back on the queue."""
    await work.change("hand_back", order)
    if order.hold_reason is not None:
        await work.note(order, "hold_lifted", actor=actor, reason=reason)


def _tell_made(made: DictRow) -> str:
    what = " ".join(str(part) for part in (made["kind"], made["number"], *made["application_ids"]) if part is not None)
    return f"{made['actor'].removeprefix(_OPERATOR)} decided about this case already: {what}."


def _outdated(order: Order, what: str) -> errors.Refused:
    current = order.current_send.send_id if order.current_send is not None else ""
    return errors.Refused(
        "CASE_OUTDATED",
        f"{what} Look again with `orders-service orders show {order.id}`.",
        send_id=str(current),
        case_no=str(order.case_no),
    )


def _unnamed(order: Order, need: str, message: str) -> errors.Refused:
    return errors.Refused("UNNAMED", message, state=order.state.value, need=need)


def _not_ours(order: Order, number: str, why: str) -> errors.Refused:
    return errors.Refused("NUMBER_NOT_OURS", f"Order {order.id} can't have the number {number}: {why}", number=number)


def _number_taken(order_id: int, number: str) -> errors.Refused:
    return errors.Refused(
        "NUMBER_TAKEN",
        f"Order {order_id} can't have the number {number}: another order of its account has it, or its row.",
        number=number,
    )


def _operator(actor: str) -> str:
    name = actor.strip().removeprefix(_OPERATOR).strip()
    if not name:
        raise errors.InvalidInput.of("actor", "must name who decides.")
    return _OPERATOR + name
