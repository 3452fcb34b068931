"""The repair beside living workers: it never takes for broken what is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from rosq import NewJob, Queue, Release, RetryPolicy, Snooze
from tests.integration.rosq.breaking import LONG, SHORT, find_all, make_repair
from tests.integration.rosq.conftest import events_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire
    from tests.integration.rosq.conftest import Running


def test_a_living_queue_is_never_taken_for_a_broken_one(
    queue: Queue, client: Any, wire: Wire, start_worker: Callable[..., Running]
) -> None:
    """Workers complete, retry, snooze, release and fail while jobs come, move and are steered: nothing of it is a
    half-state at any instant at which the repair looks."""
    count = 2_000
    done: set[str] = set()

    def handle(delivery: Any) -> None:
        number = int(delivery.job_id)
        is_first = client.hincrby(f"test-seen:{queue.name}", delivery.job_id, 1) == 1
        if is_first and number % 7 == 0:
            raise Snooze(0.01)
        if is_first and number % 11 == 0:
            raise Release("@a")
        if is_first and number % 13 == 0:
            raise RuntimeError("broken")
        done.add(delivery.job_id)

    policy = RetryPolicy(wait=tenacity.wait_fixed(0.01))
    for number in range(3):
        start_worker(queue, handle, name=f"w{number}", lanes=["main", "@a"], policy=policy)
    mender = make_repair(queue, wire)
    rounds = 0
    for start in range(0, count, 200):
        data = SHORT if start % 400 else LONG
        queue.enqueue_many([NewJob(job_id=str(number), data=data) for number in range(start, start + 200)])
        queue.move(str(start + 199), from_lane="main", to_lane="@a")
        assert find_all(mender) == []
        rounds += 1
    while len(done) < count and rounds < 2_000:
        assert find_all(mender) == []
        rounds += 1

    assert len(done) == count
    assert "repaired" not in events_of(client, queue)
