"""The story of a job where some of its steps have no event of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import JobState, NewJob, Queue, QueueSettings
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect.inspector import Inspector
from tests.integration.rosq.conftest import Hands, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import RedisServer


@pytest.fixture
def inspector(redis_server: RedisServer) -> Iterator[Inspector]:
    with Inspector(settings_of(redis_server)) as inspector:
        yield inspector


def enqueue_together(queue: Queue, client: Any, *job_ids: str, delay_s: float = 0.0) -> None:
    """Jobs that share one event, as a producer of thousands writes it."""
    queue.enqueue_many([NewJob(job_id=job_id, data={}, delay_s=delay_s) for job_id in job_ids])
    drop(queue, client, "enqueued")
    facts = {"event": "enqueued", "lane": "main", "count": len(job_ids), "first": job_ids[0], "last": job_ids[-1]}
    client.xadd(queue.keys.events, facts)


def drop(queue: Queue, client: Any, name: str) -> None:
    """Take the events of this name away, as if none had been written."""
    for entry_id, fields in client.xrange(queue.keys.events):
        if fields["event"] == name:
            client.xdel(queue.keys.events, entry_id)


def settle(hands: Hands, outcome: Outcome, **how: Any) -> None:
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome, **how), (), is_fetching=False)


def test_a_hand_out_is_told_by_its_end_alone(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    enqueue_together(queue, client, "1", "2")
    settle(make_hands("w1"), Outcome.COMPLETE)
    drop(queue, client, "started")

    told = inspector.view_job(queue.name, "1")

    [delivery] = told.deliveries
    assert (delivery.worker, delivery.outcome, delivery.fence) == ("w1", "completed", str(told.fence))
    assert delivery.started_at == told.started_at
    assert delivery.duration_s is not None
    assert delivery.duration_s >= 0
    assert [event.event for event in told.events] == ["completed"]


def test_earlier_hand_outs_of_a_job_without_history_have_their_end_and_no_beginning(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", settings=QueueSettings(keep_deliveries=0))
    settle(hands, Outcome.SNOOZE, delay_s=0)
    settle(hands, Outcome.COMPLETE)
    drop(queue, client, "started")

    told = inspector.view_job(queue.name, "1")

    assert [each.outcome for each in told.deliveries] == ["snoozed", "completed"]
    assert [each.started_at is None for each in told.deliveries] == [True, False]
    assert told.deliveries[0].duration_s is None


def test_a_running_hand_out_is_told_by_the_job_itself(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()
    drop(queue, client, "started")

    told = inspector.view_job(queue.name, "1")

    [delivery] = told.deliveries
    assert (delivery.worker, delivery.outcome, delivery.started_at) == ("w1", "running", told.started_at)


def test_a_crash_without_a_beginning_is_told(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    dead = make_hands("w1")
    dead.fetch()
    restarted = make_hands("w1", is_holding=False)
    assert restarted.take_name([dead.consumer.instance]) is None
    restarted.fetch()
    drop(queue, client, "started")

    told = inspector.view_job(queue.name, "1")

    assert [each.outcome for each in told.deliveries] == ["crashed", "running"]
    assert told.deliveries[0].worker == "w1"


def test_looking_back_ends_where_the_job_began(queue: Queue, client: Any, inspector: Inspector) -> None:
    seconds, _ = client.time()
    pipe = client.pipeline(transaction=False)
    for number in range(600):
        old_ms = (seconds - 600) * 1000 + number
        pipe.xadd(
            queue.keys.events, {"event": "completed", "job_id": "1", "fence": "7", "worker": "w0"}, id=f"{old_ms}-0"
        )
    pipe.execute()
    enqueue_together(queue, client, "1", "2")

    told = inspector.view_job(queue.name, "1")

    # What an earlier job of this id left behind isn't its own.
    assert (told.deliveries, told.events, told.is_timeline_whole) == ([], [], True)
    assert told.events_looked_at <= 3


def test_explain_knows_a_delay_that_no_event_tells_of(queue: Queue, client: Any, inspector: Inspector) -> None:
    enqueue_together(queue, client, "1", "2", delay_s=500)

    assert inspector.explain(queue.name, "1").reasons[0] == "It was put on the queue with a delay."


def test_the_pace_is_told_by_ends_where_no_event_tells_of_starts(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    enqueue_together(queue, client, *(f"j{number}" for number in range(10)))
    for _ in range(7):
        settle(hands, Outcome.COMPLETE)
    hands.fetch()
    drop(queue, client, "started")

    told = inspector.explain(queue.name, "j9")

    assert "at the pace of the last 7 starts" in told.next
    assert told.next_at is not None


def test_a_job_that_is_over_has_no_lease_whatever_its_hash_keeps(
    queue: Queue, client: Any, inspector: Inspector, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    settle(make_hands("w1"), Outcome.COMPLETE)
    client.hset(queue.keys.job("1"), mapping={"entry_id": "5-0", "lease_until_ms": 2**42, "instance": "x"})

    job = queue.find_job("1")
    told = inspector.explain(queue.name, "1")

    assert job is not None
    assert (job.state, job.is_live, job.lease_until) == (JobState.COMPLETED, False, None)
    assert (told.is_inconsistent, told.will_run) == (False, False)
    assert inspector.look(queue.name).inconsistencies == []
