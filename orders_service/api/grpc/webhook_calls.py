"""The calls about webhooks: from the contract's messages to use cases, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.access.callers import current
from orders_service.api.grpc.messages import fit, read_time, time_message
from orders_service.api.grpc.words import NOTIFICATION_STATES, STATES
from orders_service.domain import paging
from orders_service.v1 import operator_pb2 as v1
from orders_service.webhooks import manage, notifications

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.store.db import Database
    from orders_service.webhooks.manage import WebhookView
    from orders_service.webhooks.notifications import NotificationView


async def switch(database: Database, request: v1.SwitchWebhookRequest) -> v1.Webhook:
    """Switch a webhook on or off."""
    by = current().actor
    if request.is_on:
        return webhook_message(await manage.switch_on(database, request.webhook_name, by=by, origin=None))
    reason = request.reason or "By an operator."
    view = await manage.switch_off(database, request.webhook_name, reason=reason, by=by, origin=None)
    return webhook_message(view)


async def list_page(
    database: Database, request: v1.ListWebhookNotificationsRequest
) -> v1.ListWebhookNotificationsResponse:
    """Answer a page of notifications, newest first."""
    size = paging.read_size(request.page_size)
    filters = _filters(request.order_id, request.webhook_name, request.states)
    which = [filters.order_id, filters.token, sorted(filters.states)]
    before_id = paging.read_token(request.page_token, *which)
    found = await notifications.list_notifications(database, filters, before_id=before_id, limit=size + 1)
    messages = fit(found[:size], notification_message)
    has_more = len(messages) < len(found)
    return v1.ListWebhookNotificationsResponse(
        notifications=messages,
        next_page_token=paging.write_token(messages[-1].notification_id, *which) if has_more else "",
    )


async def resend(database: Database, request: v1.ResendWebhookNotificationsRequest) -> int:
    """Have notifications sent again; return how many."""
    return await notifications.send_again(
        database,
        _filters(request.order_id, request.webhook_name, [request.state] if request.state else []),
        ids=tuple(request.notification_ids),
        since=read_time(request.created_from, "created_from") if request.HasField("created_from") else None,
        by=current().actor,
        origin=None,
    )


def webhook_message(view: WebhookView) -> v1.Webhook:
    """Return a webhook as operators see it."""
    return v1.Webhook(
        webhook_name=view.token,
        client=view.client,
        is_token_in_use=view.is_token_in_use,
        host=view.host,
        is_private_allowed=view.is_private_allowed,
        off_at=time_message(view.off_at),
        off_by=view.off_by or "",
        off_reason=view.off_reason or "",
        failing_since=time_message(view.failing_since),
        failures=view.failures,
        last_error=view.last_error or "",
        last_delivered_at=time_message(view.last_delivered_at),
        waiting=view.waiting,
    )


def notification_message(view: NotificationView) -> v1.WebhookNotification:
    """Return a notification as operators see it."""
    return v1.WebhookNotification(
        notification_id=view.id,
        message_id=notifications.message_id(view.id),
        webhook_name=view.token,
        order_id=view.order_id,
        order_state=STATES.value(view.order_state),
        state=NOTIFICATION_STATES.value(view.state),
        attempts=view.attempts,
        created_at=time_message(view.created_at),
        attempted_at=time_message(view.attempted_at),
        finished_at=time_message(view.finished_at),
        http_status=view.http_status or 0,
        error=view.error or "",
    )


def _filters(order_id: int, token: str, states: Sequence[int]) -> notifications.Filters:
    return notifications.Filters(
        order_id=order_id or None,
        token=token or None,
        states=tuple(NOTIFICATION_STATES.word(state, "states") for state in states),
    )
