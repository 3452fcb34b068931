"""From what use cases answer to messages of the contract, and back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from google.protobuf import timestamp_pb2

from orders_service import errors
from orders_service.v1 import orders_pb2, rosreestr_users_pb2

if TYPE_CHECKING:
    from orders_service.accounts.manage import AccountView
    from orders_service.orders.search import EventView, OrderView, PaperView

#: Names of the states in the database, by their numbers in the contract.
STATE_NAMES: Final[dict[int, str]] = {
    number: name.removeprefix("ORDER_STATE_").lower()
    for name, number in orders_pb2.OrderState.items()
    if number != orders_pb2.ORDER_STATE_UNSPECIFIED
}
_STATES: Final = {name: orders_pb2.OrderState.ValueType(number) for number, name in STATE_NAMES.items()}


def state_message(state: str | None) -> orders_pb2.OrderState.ValueType:
    """Return the contract's value of a state in the database; None is unspecified."""
    return orders_pb2.ORDER_STATE_UNSPECIFIED if state is None else _STATES[state]


def state_name(value: int, field: str) -> str:
    """Return the state in the database of a value of the contract.

    Raises:
        InvalidInput: There is no such state, or it is unspecified.
    """
    name = STATE_NAMES.get(value)
    if name is None:
        raise errors.InvalidInput.of(field, f"is no state of an order: {value}.")
    return name


def time_message(at: dt.datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return a point in time, unset for None."""
    if at is None:
        return None
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(at)
    return message


def read_time(message: timestamp_pb2.Timestamp, field: str) -> dt.datetime:
    """Return a point in time, aware, in UTC.

    Raises:
        InvalidInput: It is out of what a timestamp may be.
    """
    try:
        return message.ToDatetime(tzinfo=dt.UTC)
    except (ValueError, OverflowError) as exc:
        raise errors.InvalidInput.of(field, "isn't a point in time between the years 1 and 9999.") from exc


def order_message(order: OrderView) -> orders_pb2.Order:
    """Return an order as clients see it."""
    return orders_pb2.Order(
        id=order.id,
        cad_num=order.cad_num,
        state=state_message(order.state),
        status=order.status,
        error=order.error or "",
        username=order.username or "",
        rosreestr_user_id=order.rosreestr_user_id or 0,
        order_number=order.order_number or "",
        recipient=order.recipient or "",
        comment=order.comment or "",
        idempotency_key=order.idempotency_key or "",
        is_urgent=order.is_urgent,
        hold_reason=order.hold_reason or "",
        portal_status=order.portal_status or "",
        created_at=time_message(order.created_at),
        updated_at=time_message(order.updated_at),
        registered_at=time_message(order.registered_at),
        finished_at=time_message(order.finished_at),
        next_at=time_message(order.next_at),
        papers=[paper_message(paper) for paper in order.papers],
    )


def paper_message(paper: PaperView) -> orders_pb2.Paper:
    """Return a file that came of an order."""
    return orders_pb2.Paper(
        kind=paper.kind,
        sha256=paper.sha256,
        size_bytes=paper.size_bytes,
        file_name=paper.file_name,
        registration_number=paper.registration_number or "",
        reason=paper.reason or "",
    )


def event_message(event: EventView) -> orders_pb2.OrderEvent:
    """Return one step of an order's life."""
    return orders_pb2.OrderEvent(
        at=time_message(event.at),
        actor=event.actor,
        kind=event.kind,
        from_state=state_message(event.from_state),
        to_state=state_message(event.to_state),
        reason=event.reason or "",
    )


def account_message(account: AccountView) -> rosreestr_users_pb2.RosreestrUser:
    """Return an account as operators see it."""
    return rosreestr_users_pb2.RosreestrUser(
        id=account.id,
        username=account.username,
        gu_login=account.gu_login or "",
        is_active=account.is_active,
        comment=account.comment or "",
        declarant_category=account.declarant_category or "",
        has_password=account.has_password,
        has_session=account.has_session,
        standby_kind=account.standby_kind or "",
        standby_reason=account.standby_reason or "",
        standby_until=time_message(account.standby_until),
        open_orders=account.open_orders,
        epoch=account.epoch,
        opened_at=time_message(account.opened_at),
        created_at=time_message(account.created_at),
        updated_at=time_message(account.updated_at),
    )
