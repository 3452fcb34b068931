"""What becomes of orders that the portal answers otherwise, and of a stop in mid-work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.v1 import orders_pb2
from tests.integration.worker.test_accounts import start_worker

if TYPE_CHECKING:
    from tests.system import System

CAD_NUM = "77:01:0001001:1001"


def test_an_unknown_object_fails_after_a_second_look_and_costs_nothing(stack: System) -> None:
    stack.portal("/_simulator/objects", {"cad_num": CAD_NUM, "exists": False})
    start_worker(stack, "a1")

    [order_id] = stack.submit(CAD_NUM)

    order = stack.wait_state(order_id, orders_pb2.ORDER_STATE_FAILED)
    assert order.status == "Ошибка: Кадастровый номер не найден на портале"
    searches = stack.portal("/_simulator/requests?endpoint=search")["requests"]
    assert len(searches) == 2
    assert stack.charges() == []


def test_an_annulled_object_fails_with_the_reason_and_costs_nothing(stack: System) -> None:
    stack.portal("/_simulator/objects", {"cad_num": CAD_NUM, "annulled": True})
    start_worker(stack, "a1")

    [order_id] = stack.submit(CAD_NUM)

    assert "снят с учёта" in stack.wait_state(order_id, orders_pb2.ORDER_STATE_FAILED).error
    assert stack.charges() == []


def test_a_rate_limit_costs_time_and_no_attempt(stack: System) -> None:
    stack.portal("/_simulator/faults", {"endpoint": "search", "kind": "rate_limit", "times": 2, "retry_after_s": 1})
    start_worker(stack, "a1")

    [order_id] = stack.submit(CAD_NUM)

    stack.wait_completed(order_id)
    assert len(stack.charges()) == 1


def test_a_notice_instead_of_an_extract_fails_the_order_and_is_kept(stack: System) -> None:
    stack.portal("/_simulator/objects", {"cad_num": CAD_NUM, "notice": True})
    start_worker(stack, "a1")

    [order_id] = stack.submit(CAD_NUM)

    order = stack.wait_state(order_id, orders_pb2.ORDER_STATE_FAILED)
    assert [paper.kind for paper in order.papers] == [orders_pb2.PAPER_KIND_NOTICE]
    assert len(stack.charges()) == 1


def test_another_spelling_of_the_portal_is_followed_all_the_way(stack: System) -> None:
    stack.portal("/_simulator/objects", {"cad_num": CAD_NUM, "spelling": "77:01:001001:1001"})
    start_worker(stack, "a1")

    [order_id] = stack.submit(CAD_NUM)

    stack.wait_completed(order_id)
    assert len(stack.charges()) == 1


def test_a_stop_lets_the_order_in_hand_come_to_a_good_place_and_loses_nothing(stack: System) -> None:
    first = start_worker(stack, "a1")
    [order_id] = stack.submit(CAD_NUM)
    stack.wait(lambda: "order_in_hand" in first.log, "the order to be in hand", process=first)

    assert first.stop() == 0

    start_worker(stack, "a1")
    stack.wait_completed(order_id)
    assert len(stack.charges()) == 1


def test_a_stop_ends_a_pause_at_once(stack: System) -> None:
    stack.portal("/_simulator/faults", {"endpoint": "search", "kind": "rate_limit", "times": 1, "retry_after_s": 20})
    first = start_worker(stack, "a1")
    [order_id] = stack.submit(CAD_NUM)
    stack.wait(lambda: "order_in_hand" in first.log, "the order to be in hand", process=first)
    stack.wait(lambda: stack.order(order_id).state == orders_pb2.ORDER_STATE_QUEUED, "the order to be put down")

    assert first.stop(timeout_s=5) == 0

    assert stack.order(order_id).state == orders_pb2.ORDER_STATE_QUEUED


def test_the_alive_file_lives_as_long_as_the_worker(stack: System) -> None:
    path = stack.folder / "alive"
    worker = start_worker(stack, "a1", ROSQ_ALIVE_FILE=str(path))

    stack.wait(path.exists, "the file", process=worker)
    assert worker.stop() == 0

    assert not path.exists()
