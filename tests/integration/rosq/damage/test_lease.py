"""A holder keeps the lease of its job whatever something else wrote in the place of a key beside it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from rosq import Delivery, JobState, WorkerSettings
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq import Queue
    from tests.integration.rosq.conftest import Running

LEASE_S = 1.5


@pytest.mark.parametrize("place", ["workers", "lane", "hold"])
def test_a_key_that_something_else_overwrote_costs_no_holder_its_lease(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], place: str
) -> None:
    is_in_hand, may_end = threading.Event(), threading.Event()
    doubts: list[str] = []

    def handler(delivery: Delivery) -> None:
        is_in_hand.set()
        for _ in range(30):
            delivery.sleep(LEASE_S / 10)
            if not delivery.lease.is_held():
                doubts.append(str(delivery.lease.lost_reason))
        may_end.wait(30)

    # Given a job in hand
    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, name="w1", settings=WorkerSettings(lease_s=LEASE_S, max_backoff_s=0.2))
    assert is_in_hand.wait(10)

    # When the key is overwritten, for three leases
    key = {"workers": queue.keys.workers, "lane": queue.keys.lane("main"), "hold": queue.keys.worker("w1")}[place]
    client.set(key, "something else")
    began_ms = float(client.hget(queue.keys.job("1"), "lease_until_ms") or 0)
    wait_until(
        lambda: float(client.hget(queue.keys.job("1"), "lease_until_ms") or 0) > began_ms + 2000 * LEASE_S,
        "the lease to be renewed",
    )

    # Then the lease was held all the time
    client.delete(key)
    may_end.set()
    if place != "lane":  # its entry is gone with the lane: `rosq repair` mends that
        wait_until(lambda: (job := queue.find_job("1")) is not None and job.state is JobState.COMPLETED, "the job")
    assert doubts == []
