"""Webhooks by the contract: what operators see and do without the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from orders_service.access.callers import Role
from orders_service.v1 import operator_pb2 as v1
from orders_service.v1 import operator_pb2_grpc, orders_pb2
from tests.integration.orders_service.access.house import opened_house
from tests.integration.orders_service.webhooks.house import add_order, move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres
    from tests.integration.orders_service.webhooks.house import Teller

URL = "https://crm.example.ru/rosreestr?key=hidden-in-the-url"
PENDING, GIVEN_UP = v1.WEBHOOK_NOTIFICATION_STATE_PENDING, v1.WEBHOOK_NOTIFICATION_STATE_GIVEN_UP


@pytest.fixture
def operator(fresh_database: postgres.Database, teller: Teller) -> Iterator[operator_pb2_grpc.OperatorServiceStub]:
    teller.add_client("crm", URL, is_private_allowed=False)
    with opened_house(fresh_database) as house:
        house.add_token("ivan", Role.OPERATOR)
        yield operator_pb2_grpc.OperatorServiceStub(house.channel("ivan"))


def listed(operator: operator_pb2_grpc.OperatorServiceStub, **filters: object) -> list[v1.WebhookNotification]:
    """All pages of a list, one a page."""
    found: list[v1.WebhookNotification] = []
    token = ""
    while True:
        request = v1.ListWebhookNotificationsRequest(page_size=1, page_token=token, **filters)  # type: ignore[arg-type]
        page = operator.ListWebhookNotifications(request, timeout=30)
        found += page.notifications
        token = page.next_page_token
        if not token:
            return found


def test_a_webhook_is_shown_with_its_host_alone_and_switched_off_and_on(
    operator: operator_pb2_grpc.OperatorServiceStub, teller: Teller
) -> None:
    add_order(teller, "crm")
    shown = operator.GetWebhook(v1.GetWebhookRequest(webhook_name="crm"), timeout=30)
    assert (shown.webhook.host, shown.webhook.waiting, shown.webhook.HasField("off_at")) == ("crm.example.ru", 1, False)
    assert "hidden-in-the-url" not in str(shown)

    request = v1.SwitchWebhookRequest(webhook_name="crm", reason="moves")
    for _ in range(2):
        off = operator.SwitchWebhook(request, timeout=30).webhook
        assert (off.off_by, off.off_reason, off.waiting) == ("operator:ivan", "moves", 0)
    assert teller.states() == ["given_up"]

    on = operator.SwitchWebhook(v1.SwitchWebhookRequest(webhook_name="crm", is_on=True), timeout=30).webhook
    assert not on.HasField("off_at")
    add_order(teller, "crm", 2)
    assert teller.states() == ["given_up", "pending"]
    told = teller.rows(
        "select actor, outcome, request->>'webhook_name' from audit where action = 'OperatorService/SwitchWebhook' "
        "and step = 'done' order by id"
    )
    assert told == [("operator:ivan", "OK", "crm")] * 3
    assert teller.rows("select action from audit where action like 'tokens webhook o%%'") == []


def test_notifications_are_listed_by_pages_and_sent_again(
    operator: operator_pb2_grpc.OperatorServiceStub, teller: Teller
) -> None:
    first, second = add_order(teller, "crm", 1), add_order(teller, "crm", 2)
    move(teller, first, "processing")
    teller.rows(
        "update webhook_notifications set state = 'given_up', finished_at = now(), http_status = 500, "
        "error = 'It answered 500.' where order_id = %s",
        first,
    )

    assert [one.order_id for one in listed(operator)] == [first, second, first]
    assert [one.order_id for one in listed(operator, order_id=second)] == [second]
    assert [one.order_id for one in listed(operator, states=[PENDING])] == [second]
    assert listed(operator, webhook_name="other") == []
    latest = listed(operator, states=[GIVEN_UP], webhook_name="crm")[0]
    assert latest.message_id == f"msg_{latest.notification_id}"
    assert (latest.order_state, latest.http_status) == (orders_pb2.ORDER_STATE_PROCESSING, 500)

    def resend(**which: object) -> int:
        request = v1.ResendWebhookNotificationsRequest(reason="was away", **which)  # type: ignore[arg-type]
        return operator.ResendWebhookNotifications(request, timeout=30).count

    assert resend(order_id=second) == 0, "it is on its way"
    assert resend(notification_ids=[latest.notification_id]) == 1
    assert resend(state=GIVEN_UP) == 1
    assert teller.states() == ["pending"] * 3
    told = teller.rows("select action, reason from audit where action like '%%esend%%' and step = 'done' order by id")
    assert told == [("OperatorService/ResendWebhookNotifications", "was away")] * 3


def test_what_cant_be_is_told_by_its_code(operator: operator_pb2_grpc.OperatorServiceStub) -> None:
    cases: tuple[tuple[Any, Any, grpc.StatusCode], ...] = (
        (operator.GetWebhook, v1.GetWebhookRequest(webhook_name="nobody"), grpc.StatusCode.NOT_FOUND),
        (operator.SwitchWebhook, v1.SwitchWebhookRequest(webhook_name="nobody"), grpc.StatusCode.NOT_FOUND),
        (
            operator.ResendWebhookNotifications,
            v1.ResendWebhookNotificationsRequest(webhook_name="crm"),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (
            operator.ListWebhookNotifications,
            v1.ListWebhookNotificationsRequest(states=[v1.WEBHOOK_NOTIFICATION_STATE_UNSPECIFIED]),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    )
    for call, request, code in cases:
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=30)
        assert caught.value.code() is code
