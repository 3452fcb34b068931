"""A queue that hands every job to two workers at once costs time, never money: PostgreSQL alone keeps the promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.system import System

CAD_NUMS = [f"77:01:0001001:{number}" for number in range(3001, 3007)]


def test_every_order_is_charged_once_when_each_job_goes_to_two_workers(system: System) -> None:
    for name in ("a1", "a2", "a3"):
        system.start_worker(name, deliver_twice=True)

    order_ids = system.submit(*CAD_NUMS)

    orders = system.wait_completed(*order_ids, timeout_s=120)
    assert sorted(charge["number"] for charge in system.charges()) == sorted(order.order_number for order in orders)
    with system.redis.client() as redis:
        # What rosq.testing keeps of the second deliveries that it made: without them the test would show nothing.
        doubled = redis.hkeys(f"rosq:{{{system.queue}}}:twice:fences")
    assert set(doubled) == {str(order_id) for order_id in order_ids}
