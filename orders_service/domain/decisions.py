"""What a person decides about an order, what he must have seen for it, and which decisions an order allows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service.domain.states import OrderState, SendOutcome

if TYPE_CHECKING:
    import datetime as dt
    import uuid
    from collections.abc import Iterable

    from orders_service.domain.orders import Order, Send

NUMBER: Final = "number"
ABSENT: Final = "absent"
RESUME: Final = "resume"
GIVE_UP: Final = "give_up"
RETRY: Final = "retry"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What every decision names: the order as the person saw it, who he is, and why.

    Attributes:
        send_id: The send that it is about; None: the order has none that may have left.
        case_no: The case that was shown. It grows with each hold and each decision.
    """

    order_id: int
    send_id: uuid.UUID | None
    case_no: int
    actor: str
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenRow:
    """A row that readings showed, in the portal's spelling of the last of them."""

    application_id: int
    order_number: str
    cad_num: str
    request_status: str
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a person is shown.

    Attributes:
        rows: Those that may be the order's: of its object, not known, and no other order's.
        all_rows: Every row that any reading showed.
        known_before: Applications that were there before anything was sent.
        answers: Numbers that finish named for the send, weighed or not.
        unread: Facts that can't be read.
        balance: The last balance that was read; None: none was.
        balance_at: When.
    """

    rows: tuple[SeenRow, ...] = ()
    all_rows: tuple[SeenRow, ...] = ()
    known_before: frozenset[int] = frozenset()
    answers: tuple[str, ...] = ()
    unread: tuple[int, ...] = ()
    balance: int | None = None
    balance_at: dt.datetime | None = None


def allows_number(order: Order) -> bool:
    """Whether a person may say under which number the order stands at the portal, or correct what is stored."""
    if order.current_send is None:
        return False
    return order.state in (OrderState.UNCONFIRMED, OrderState.PROCESSING, OrderState.REGISTERED)


def allows_absent(order: Order) -> bool:
    """Whether a person may say that the order isn't at the portal."""
    if order.state is OrderState.UNCONFIRMED:
        return True
    is_held = order.state is OrderState.PROCESSING and order.hold_reason is not None
    return is_held and order.current_send is not None and order.current_send.outcome is SendOutcome.ABSENT


def allows_resume(order: Order) -> bool:
    """Whether there is a hold to be lifted without deciding anything."""
    return order.hold_reason is not None


def allows_give_up(order: Order) -> bool:
    """Whether a person may end the order: one that waits for him, or that may be paid."""
    may_be_paid = order.state in (OrderState.UNCONFIRMED, OrderState.REGISTERED)
    return not order.state.is_final and (may_be_paid or order.hold_reason is not None)


def tell_payment(order: Order) -> str:
    """Say in Russian, for the status of an order that is given up, what may have been paid for it."""
    if order.number is not None and order.application_id is None:
        return f"номер {order.number} назвал оператор, список портала его не показал: оплачено ли, неизвестно"
    if order.number is not None:
        return f"заказ на портале оплачен, номер {order.number}"
    left: list[Send] = [send for send in order.sends if send.may_have_left]
    if not left:
        return "ничего не оплачено"
    named = sorted({send.expected_number for send in left if send.expected_number})
    numbers = f", портал назвал номер {', '.join(named)}" if named else ""
    if order.open_send is not None:
        return f"заказ на портале мог быть оплачен{numbers}"
    return f"отправка на портал не найдена; скорее всего, не оплачено{numbers}"


def tell_choice(order_id: int, state: OrderState, *, was_sent: bool) -> str:
    """Return the sentence with which a hold ends: what a person can do, and where the commands are."""
    commands = ["resume", "give-up"]
    if state is OrderState.REGISTERED:
        commands = ["settle --number", *commands]
    elif was_sent:
        commands = ["settle --number", "settle --absent", *commands]
    choice = f"{', '.join(commands[:-1])} or {commands[-1]}"
    return f"`orders-service orders show {order_id}` says what is known and prints the commands: {choice}."


def tell_ways(order: Order, seen: Evidence) -> list[str]:
    """Return each decision that the order allows now, as a command."""
    ids = f" --send {order.current_send.send_id}" if order.current_send is not None else ""
    basis = f"{order.id}{ids} --case {order.case_no}"
    ways = []
    if allows_number(order):
        numbers = sorted({row.order_number for row in seen.rows if row.order_number}) or ["NUMBER --unseen"]
        ways += [
            f"orders-service orders settle {basis} --number {number}{_despite(seen.answers, number)}"
            for number in numbers
        ]
    if allows_absent(order) and not seen.unread and all(row.application_id > 0 for row in seen.rows):
        rows = "".join(f" --row {row_id}" for row_id in sorted({row.application_id for row in seen.rows}))
        ways.append(f"orders-service orders settle {basis} --absent{rows}{_despite(seen.answers)}")
    if allows_resume(order):
        ways.append(f"orders-service orders resume {basis}")
    if allows_give_up(order):
        ways.append(f"orders-service orders give-up {basis} --reason WHY")
    return ways


def _despite(answers: Iterable[str], number: str = "") -> str:
    return "".join(f" --despite {answer}" for answer in answers if answer != number)
