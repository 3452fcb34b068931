"""Redis stops, or loses everything: orders are accepted, and all of them run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from tests.servers import EmbeddedRedis
    from tests.system import System

CAD_NUMS = [f"77:01:0001001:{number}" for number in range(2001, 2007)]


def test_orders_are_accepted_while_redis_is_down_and_run_when_it_is_back(
    system: System, own_redis: EmbeddedRedis
) -> None:
    system.start_worker("a1")
    own_redis.stop()

    order_ids = system.submit(*CAD_NUMS[:3])
    assert {system.order(order_id).state for order_id in order_ids} == {orders_pb2.ORDER_STATE_QUEUED}

    own_redis.start()
    system.wait_completed(*order_ids)
    assert len(system.charges()) == len(order_ids)


def test_open_orders_come_back_after_redis_lost_everything(system: System, own_redis: EmbeddedRedis) -> None:
    system.start_worker("a1")
    system.start_worker("a2")
    order_ids = system.submit(*CAD_NUMS)
    system.wait(lambda: len(system.charges()) >= 2, "some orders to be under way")

    own_redis.flushall()

    orders = system.wait_completed(*order_ids)
    assert sorted(charge["number"] for charge in system.charges()) == sorted(order.order_number for order in orders)


def test_waiting_orders_come_back_after_redis_lost_everything_before_any_worker_ran(
    system: System, own_redis: EmbeddedRedis
) -> None:
    order_ids = system.submit(*CAD_NUMS)
    with own_redis.client() as redis:
        system.wait(lambda: redis.keys(f"rosq:{{{system.queue}}}:job:*"), "the orders to be on the queue")

    own_redis.flushall()
    system.start_worker("a1")

    system.wait_completed(*order_ids)
    assert len(system.charges()) == len(order_ids)
