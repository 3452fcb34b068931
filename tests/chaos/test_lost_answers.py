"""The answer to the paid call is lost: the account's list says what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import operator_pb2, orders_pb2

if TYPE_CHECKING:
    from tests.postgres import Database
    from tests.system import System

CAD_NUM = "77:01:0001001:1001"


def test_an_order_whose_finish_answer_was_lost_after_the_charge_is_adopted(system: System) -> None:
    system.portal("/_simulator/faults", {"endpoint": "finish", "kind": "lost_answer_after_charge", "times": 1})
    system.start_worker("a1")

    [order_id] = system.submit(CAD_NUM)
    [order] = system.wait_completed(order_id)

    assert [charge["number"] for charge in system.charges()] == [order.order_number]


@pytest.mark.parametrize("kind", ["lost_answer_before_charge", "status"])
def test_an_order_that_was_not_charged_is_sent_again_once_it_is_absent(system: System, kind: str) -> None:
    system.portal("/_simulator/faults", {"endpoint": "finish", "kind": kind, "status": 500, "times": 1})
    system.start_worker("a1")

    [order_id] = system.submit(CAD_NUM)
    [order] = system.wait_completed(order_id)

    assert [charge["number"] for charge in system.charges()] == [order.order_number]
    settled = [
        event.reason for event in system.events(order_id) if event.kind == orders_pb2.ORDER_EVENT_KIND_TRANSITION
    ]
    assert any("absent" in reason for reason in settled), settled


def test_a_completed_order_that_was_sent_twice_is_looked_for_once_more(
    system: System, fresh_database: Database
) -> None:
    system.portal("/_simulator/faults", {"endpoint": "finish", "kind": "lost_answer_before_charge", "times": 1})
    system.start_worker("a1")
    [order_id] = system.submit(CAD_NUM)
    system.wait_completed(order_id)
    readings = "select count(*) from facts where kind = 'reading'"
    with fresh_database.connect() as connection:
        before = connection.execute(readings).fetchone()
        connection.execute("update orders set registered_at = registered_at - interval '25 h', look_at = now()")

        system.wait(
            lambda: connection.execute("select 1 from orders where look_at is null").fetchone(), "the last look"
        )

        assert connection.execute(readings).fetchone() != before, "by a reading of the list"
    assert not [event for event in system.events(order_id) if event.kind == orders_pb2.ORDER_EVENT_KIND_ALARM]


def test_an_order_that_is_absent_twice_waits_for_a_person(system: System) -> None:
    system.portal("/_simulator/faults", {"endpoint": "finish", "kind": "lost_answer_before_charge", "times": 2})
    system.start_worker("a1")
    [order_id] = system.submit(CAD_NUM)

    held = system.wait(lambda: system.order(order_id).hold_reason, "the order to be held")

    assert "person" in held
    assert system.order(order_id).state == orders_pb2.ORDER_STATE_UNCONFIRMED
    assert system.charges() == []

    case = system.operator.GetOrderCase(operator_pb2.GetOrderCaseRequest(order_id=order_id), timeout=10)
    basis = operator_pb2.DecisionBasis(order_id=order_id, send_id=case.send_id, case_no=case.case_no, actor="test")
    system.operator.SettleAsAbsent(operator_pb2.SettleAsAbsentRequest(basis=basis), timeout=10)
    [order] = system.wait_completed(order_id)
    assert [charge["number"] for charge in system.charges()] == [order.order_number]


def test_an_earlier_application_of_the_object_is_not_adopted(system: System) -> None:
    [earlier] = system.portal("/_simulator/orders", {"account": "a1", "orders": [{"cad_num": CAD_NUM}]})["orders"]
    system.portal("/_simulator/faults", {"endpoint": "finish", "kind": "lost_answer_before_charge", "times": 1})
    system.start_worker("a1")

    [order_id] = system.submit(CAD_NUM)
    [order] = system.wait_completed(order_id)

    assert order.order_number != earlier["number"]
    assert [charge["number"] for charge in system.charges()] == [order.order_number]
