"""A worker that is killed at any point loses no order, and pays none twice."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system import System

CAD_NUM = "77:01:0001001:1001"

POINTS = [
    "after_claim",
    "after_intent",
    "after_upload",
    "before_gate",
    "after_gate",
    "after_finish",
    "after_number",
    "during_download",
]


@pytest.mark.parametrize("point", POINTS)
def test_an_order_completes_with_one_charge_when_its_worker_is_killed(system: System, point: str) -> None:
    worker = system.start_worker("a1", kill_at=point)
    [order_id] = system.submit(CAD_NUM)
    assert worker.wait_end() == -signal.SIGKILL, worker.log

    system.start_worker("a1")

    [order] = system.wait_completed(order_id)
    charges = system.charges()
    assert [charge["number"] for charge in charges] == [order.order_number]
    assert system.download(order_id).startswith(b"PK")


@pytest.mark.parametrize("point", ["after_claim", "after_intent", "after_upload"])
def test_another_account_does_not_register_what_a_killed_worker_began(system: System, point: str) -> None:
    worker = system.start_worker("a1", kill_at=point)
    [order_id] = system.submit(CAD_NUM)
    assert worker.wait_end() == -signal.SIGKILL, worker.log

    system.start_worker("a2")
    system.start_worker("a1")

    [order] = system.wait_completed(order_id)
    assert [charge["number"] for charge in system.charges()] == [order.order_number]
