"""A worker that stands still past its lease (SIGSTOP) changes nothing, and pays nothing, when it wakes (SIGCONT)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from tests.system import System

CAD_NUM = "77:01:0001001:1001"


def test_an_order_goes_to_another_account_and_the_sleeper_is_refused(system: System) -> None:
    sleeper = system.start_worker("a1", stop_at="after_claim")
    [order_id] = system.submit(CAD_NUM)
    system.wait(sleeper.is_stopped, "the worker to stand still", process=sleeper)

    system.start_worker("a2")
    [order] = system.wait_completed(order_id)
    sleeper.send(signal.SIGCONT)
    system.wait(lambda: "event=lease_lost" in sleeper.log, "the sleeper to learn it")

    assert order.account == "a2"
    assert system.order(order_id) == order
    assert len(system.charges()) == 1
    assert {charge["account"] for charge in system.charges()} == {"a2"}


@pytest.mark.parametrize("point", ["before_gate", "after_gate"])
def test_no_late_charge_comes_from_a_worker_that_slept_at_the_gate(system: System, point: str) -> None:
    sleeper = system.start_worker("a1", stop_at=point)
    [order_id] = system.submit(CAD_NUM)
    system.wait(sleeper.is_stopped, "the worker to stand still", process=sleeper)

    # A second process of the account takes over when the lease and the name's lock have run out.
    successor = system.start_worker("a1-successor", account="a1")
    [order] = system.wait_completed(order_id)
    assert [charge["number"] for charge in system.charges()] == [order.order_number]

    sleeper.send(signal.SIGCONT)
    # By its lease, by what Redis answers to its settling, or by the account, which another process has opened.
    learnt = ("event=lease_lost", "event=settle_refused")
    system.wait(
        lambda: any(event in sleeper.log for event in learnt) or not sleeper.is_running(), "the sleeper to learn it"
    )
    # What the sleeper had in hand is over for it before it can take anything else: it is idle, or gone.
    [another] = system.submit("77:01:0001001:1002")
    [other] = system.wait_completed(another)

    assert successor.is_running() or sleeper.is_running()
    assert sorted(charge["number"] for charge in system.charges()) == sorted([order.order_number, other.order_number])
    assert system.order(order_id).state == orders_pb2.ORDER_STATE_COMPLETED
