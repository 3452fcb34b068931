"""From what use cases answer to messages of the contract, and back."""

from __future__ import annotations

import datetime as dt
import functools
import math
from typing import TYPE_CHECKING, Final, TypeVar

from google.protobuf import timestamp_pb2
from google.protobuf.message import Message

from orders_service import errors
from orders_service.api.grpc.words import EVENT_KINDS, PAPER_KINDS, STANDBY_KINDS, STATES
from orders_service.v1 import orders_pb2, rosreestr_users_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.duration_pb2 import Duration

    from orders_service.accounts.manage import AccountView
    from orders_service.orders.accept import CreatedOrder
    from orders_service.orders.search import EventView, OrderView, PaperView
    from orders_service.orders.watch import Step

M = TypeVar("M", bound=Message)
T = TypeVar("T")

#: What most clients take is 4 MiB; a page ends before.
MAX_PAGE_BYTES: Final = 3 << 20


def fit(views: Iterable[T], message: Callable[[T], M]) -> list[M]:
    """Return messages of the views, as many as fit into an answer, and one at least where there are any."""
    messages: list[M] = []
    size = 0
    for view in views:
        made = message(view)
        size += made.ByteSize()
        if messages and size > MAX_PAGE_BYTES:
            break
        messages.append(made)
    return messages


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


def read_seconds(message: Duration) -> float:
    """Return a duration in seconds; an unset one has none. Whoever uses it says how long it may be."""
    seconds = message.seconds + message.nanos / 1e9
    # Of another sign, or a second and more in nanos: no duration, so no number of seconds either.
    return seconds if abs(message.nanos) < 1_000_000_000 and message.seconds * message.nanos >= 0 else math.nan


def order_message(order: OrderView) -> orders_pb2.Order:
    """Return an order as clients see it."""
    return orders_pb2.Order(
        order_id=order.id,
        client=order.client,
        idempotency_key=order.idempotency_key or "",
        cad_num=order.cad_num,
        state=STATES.value(order.state),
        status=order.status,
        error=order.error or "",
        hold_reason=order.hold_reason or "",
        account=order.account or "",
        account_id=order.account_id or 0,
        order_number=order.order_number or "",
        portal_status=order.portal_status or "",
        recipient=order.recipient or "",
        comment=order.comment or "",
        is_urgent=order.is_urgent,
        created_at=time_message(order.created_at),
        updated_at=time_message(order.updated_at),
        registered_at=time_message(order.registered_at),
        finished_at=time_message(order.finished_at),
        next_at=time_message(order.next_at),
        papers=[paper_message(paper) for paper in order.papers],
    )


def warning_messages(created: CreatedOrder) -> list[orders_pb2.OrderWarning]:
    """Return what a client should know of an order that was accepted."""
    if created.same_object is None:
        return []
    return [
        orders_pb2.OrderWarning(
            code=orders_pb2.ORDER_WARNING_CODE_SAME_OBJECT_OPEN,
            text=f"Тот же объект уже заказан: заказ {created.same_object} ещё не выполнен, оплачены будут оба.",
            other_order_id=created.same_object,
        )
    ]


def paper_message(paper: PaperView) -> orders_pb2.OrderPaper:
    """Return a file that came of an order."""
    return orders_pb2.OrderPaper(
        kind=PAPER_KINDS.value(paper.kind),
        sha256=paper.sha256,
        size_bytes=paper.size_bytes,
        file_name=paper.file_name,
        registration_number=paper.registration_number or "",
        reason=paper.reason or "",
    )


def event_message(event: EventView) -> orders_pb2.OrderEvent:
    """Return one step of an order's life."""
    return orders_pb2.OrderEvent(
        event_id=event.id,
        at=time_message(event.at),
        actor=event.actor,
        kind=EVENT_KINDS.value(event.kind),
        from_state=STATES.value(event.from_state),
        to_state=STATES.value(event.to_state),
        reason=event.reason or "",
    )


@functools.lru_cache(maxsize=1024)
def step_message(step: Step) -> orders_pb2.WatchOrdersResponse:
    """Return a step for those who watch: one message for all of them, to be changed by none."""
    return orders_pb2.WatchOrdersResponse(
        event_id=step.place.event_id, order_id=step.order_id, event=event_message(step.event)
    )


def account_message(account: AccountView) -> rosreestr_users_pb2.RosreestrUser:
    """Return an account as operators see it."""
    return rosreestr_users_pb2.RosreestrUser(
        account_id=account.id,
        account=account.account,
        gu_login=account.gu_login or "",
        is_active=account.is_active,
        comment=account.comment or "",
        declarant_category=account.declarant_category or "",
        role=account.role or "",
        has_password=account.has_password,
        has_session=account.has_session,
        has_totp=account.has_totp,
        standby_kind=STANDBY_KINDS.value(account.standby_kind),
        standby_reason=account.standby_reason or "",
        standby_until=time_message(account.standby_until),
        open_orders=account.open_orders,
        epoch=account.epoch,
        opened_at=time_message(account.opened_at),
        created_at=time_message(account.created_at),
        updated_at=time_message(account.updated_at),
    )
