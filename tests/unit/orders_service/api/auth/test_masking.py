"""What viewers don't see, and what the audit doesn't keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf import message_factory, struct_pb2
from google.protobuf.descriptor import FieldDescriptor

from orders_service.access.callers import Role
from orders_service.api.auth.masking import AUDITED, MASK, PERSONAL, for_audit, mask
from orders_service.api.auth.rules import RULES
from orders_service.v1 import orders_pb2
from tests.unit.orders_service.api.auth.contract import RPCS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

CANARY: Final = "4509 123456 canary"

#: Texts that a viewer may see: names of things, the portal's and the system's own words.
SHOWN: Final = {
    "Order.client",
    "Order.cad_num",
    "Order.status",
    "Order.error",
    "Order.hold_reason",
    "Order.account",
    "Order.order_number",
    "Order.portal_status",
    "AccountNumbers.account",
    "DayNumbers.day",
    "GetOrderStatisticsResponse.time_zone",
    "OrderPaper.sha256",
    "OrderPaper.file_name",
    "OrderPaper.registration_number",
    "OrderPaper.reason",
    "OrderEvent.actor",
    "OrderEvent.reason",
    "ListOrdersResponse.next_page_token",
    "ListOrderEventsResponse.next_page_token",
    "ListRosreestrUsersResponse.next_page_token",
    "RosreestrUser.account",
    "RosreestrUser.declarant_category",
    "RosreestrUser.standby_reason",
    "GetOrderCaseResponse.send_id",
    "GetOrderCaseResponse.hold_reason",
    "GetOrderCaseResponse.answers",
    "GetOrderCaseResponse.ways",
    "CandidateRow.order_number",
    "CandidateRow.cad_num",
    "CandidateRow.request_status",
    "Webhook.webhook_name",
    "Webhook.client",
    "Webhook.host",
    "Webhook.off_by",
    "Webhook.off_reason",
    "Webhook.last_error",
    "WebhookNotification.message_id",
    "WebhookNotification.webhook_name",
    "WebhookNotification.error",
    "ListWebhookNotificationsResponse.next_page_token",
}


def texts_of(descriptor: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every field that holds text or bytes, in this message or one that it holds."""
    if descriptor.full_name in seen:
        return
    for field in descriptor.fields:
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            yield f"{descriptor.name}.{field.name}"
        elif field.message_type is not None:
            yield from texts_of(field.message_type, seen | {descriptor.full_name})


def filled(descriptor: Any, depth: int = 0) -> Any:
    """A message with the canary in every text, in every list and map."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)[CANARY] = CANARY
        elif field.message_type is not None:
            if depth < 5:
                part = filled(field.message_type, depth + 1)
                if field.is_repeated:
                    getattr(message, field.name).add().CopyFrom(part)
                else:
                    getattr(message, field.name).CopyFrom(part)
        elif field.type == FieldDescriptor.TYPE_STRING:
            _put(message, field, CANARY)
        elif field.type == FieldDescriptor.TYPE_BYTES:
            _put(message, field, CANARY.encode())
    return message


def _put(message: Message, field: Any, value: object) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def test_every_text_that_a_viewer_can_be_answered_with_is_either_shown_or_masked() -> None:
    answered = {
        text for rpc, method in RPCS.items() if Role.VIEWER in RULES[rpc].roles for text in texts_of(method.output_type)
    }

    assert answered == SHOWN | PERSONAL
    assert not SHOWN & PERSONAL


def test_a_masked_answer_keeps_its_shape_and_no_personal_word() -> None:
    order = orders_pb2.Order(order_id=7, recipient="Иванов И. И.", comment="", idempotency_key="k", status="Выполнен")
    answer = orders_pb2.ListOrdersResponse(orders=[order, order])

    masked = mask(answer)

    expected = orders_pb2.Order(order_id=7, recipient=MASK, idempotency_key=MASK, status="Выполнен")
    assert list(masked.orders) == [expected, expected]  # type: ignore[attr-defined]
    assert answer.orders[0].recipient == "Иванов И. И.", "what others are answered with is untouched"


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_the_audit_keeps_no_text_but_those_that_it_knows(rpc: str) -> None:
    request = filled(RPCS[rpc].input_type)

    kept = for_audit(request)

    def check(value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                check(one, key)
        elif isinstance(value, list):
            for one in value:
                check(one, name)
        elif isinstance(value, str) and CANARY in value:
            assert name in AUDITED, name

    check(kept)
    json.dumps(kept, allow_nan=False)


SECRET_WORDS: Final = ("password", "cookie", "session", "secret", "token", "access_key", "sealed")


def test_no_name_of_a_secret_is_among_those_that_the_audit_keeps() -> None:
    assert not [name for name in AUDITED if any(word in name for word in SECRET_WORDS)]


def test_a_number_that_json_hasnt_is_kept_as_a_word() -> None:
    assert for_audit(struct_pb2.Value(number_value=float("nan"))) == {"number_value": "nan"}
