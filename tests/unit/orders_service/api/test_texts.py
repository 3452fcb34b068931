"""The one check of every text that comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.api.grpc import texts
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2, worker_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message


def broken(message: Message) -> list[str]:
    with pytest.raises(errors.InvalidInput) as refused:
        texts.check(message)
    return [violation.field for violation in refused.value.violations]


def test_each_text_is_named_by_its_path_in_the_contract() -> None:
    holder = worker_pb2.OrderHolder(account="a\0", token="t" * 1001)
    basis = operator_pb2.DecisionBasis(actor="\0", reason="ы" * 2001)

    assert broken(worker_pb2.ClaimOrderRequest(holder=holder)) == ["holder.account", "holder.token"]
    assert broken(operator_pb2.SettleByNumberRequest(basis=basis, despite=["1", "\0"])) == [
        "basis.actor",
        "basis.reason",
        "despite[1]",
    ]
    assert broken(orders_pb2.GetOrderRequest(idempotency_key="\0")) == ["idempotency_key"]


def test_no_secret_is_repeated() -> None:
    session = rosreestr_users_pb2.PortalSession(cookies={"name": "secret\0", "secret\0": "x", "long": "secret" * 2000})
    request = rosreestr_users_pb2.UpdateRosreestrUserRequest(account="a", password="secret\0", session=session)

    with pytest.raises(errors.InvalidInput) as refused:
        texts.check(request)

    assert {one.field for one in refused.value.violations} == {"password", "session.cookies"}
    assert "secret" not in str(refused.value)


def test_what_others_said_is_kept_whatever_stands_in_it() -> None:
    rows = [worker_pb2.ApplicationRow(order_number="N\0", request_status="я" * 9000)]
    told = worker_pb2.RecordFactRequest(send_id="x", reading=worker_pb2.ListReading(person_oid="1\0", rows=rows))

    texts.check(told)

    assert (told.reading.person_oid, told.reading.rows[0].order_number) == ("1\ufffd", "N\ufffd")
    assert len(told.reading.rows[0].request_status) == texts.MAX_TOLD


def test_everything_that_is_said_to_be_others_words_is_in_the_contract() -> None:
    messages = {
        message.full_name: message
        for file in (orders_pb2, operator_pb2, rosreestr_users_pb2, worker_pb2)
        for message in file.DESCRIPTOR.message_types_by_name.values()
    }
    fields = {field.full_name for message in messages.values() for field in message.fields}

    assert messages.keys() | fields >= texts.TOLD_BY_OTHERS


def test_orders_are_left_to_the_check_that_names_every_bad_row() -> None:
    texts.check(orders_pb2.BatchCreateOrdersRequest(orders=[orders_pb2.NewOrder(comment="\0")]))
