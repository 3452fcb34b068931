"""One order, all the way: the worker between the real queue, the real service and the portal's simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.system import System

CAD_NUM = "77:01:0001001:1001"


def test_an_order_is_registered_once_and_its_checked_extract_arrives(stack: System) -> None:
    stack.start("worker", "worker.cli", "--account", "a1", "--lock-dir", str(stack.folder))

    [order_id] = stack.submit(CAD_NUM)

    [order] = stack.wait_completed(order_id)
    assert order.account == "a1"
    assert [charge["number"] for charge in stack.charges()] == [order.order_number]
    assert stack.download(order_id).startswith(b"PK")
