"""When a job was put on the queue: only its first entry says so, until the job loses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq.execution.settlement import Outcome, Settlement
from rosq.steering import Steering
from tests.integration.rosq.breaking import make_repair
from tests.integration.rosq.conftest import let_lease_run_out
from tests.integration.rosq.sweep import Sweep
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import redis

    from rosq import Delivery, Queue
    from rosq.connection.wire import Wire
    from tests.integration.rosq.conftest import Hands

SHORT, LONG = {"order_id": 1}, {"text": "x" * 300}


@pytest.fixture(params=[SHORT, LONG], ids=["short", "long"], autouse=True)
def job(request: Any, queue: Queue, client: redis.Redis) -> str:
    """A job that was just put on the queue, in a millisecond that is over."""
    queue.enqueue(request.param, job_id="1")
    entry_id = str(client.hget(queue.keys.job("1"), "entry_id"))
    wait_until(lambda: _now_ms(client) > int(entry_id.partition("-")[0]), "the next millisecond")
    return entry_id


def _now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def created(queue: Queue) -> datetime | None:
    job = queue.find_job("1")
    return job.created_at if job else None


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


def end(hands: Hands, outcome: Outcome, **options: Any) -> None:
    settlement = Settlement(delivery=take(hands), outcome=outcome, error="broken", **options)
    hands.consumer.exchange(settlement, (), is_fetching=False)


def test_it_is_the_time_in_the_id_of_its_entry(queue: Queue, client: redis.Redis, job: str) -> None:
    found = created(queue)

    assert found is not None
    assert round(found.timestamp() * 1000) == int(job.partition("-")[0])
    assert not client.hexists(queue.keys.job("1"), "created_at_ms")


@pytest.mark.parametrize(
    ("outcome", "options"),
    [
        (Outcome.COMPLETE, {}),
        (Outcome.FAIL, {}),
        (Outcome.RETRY, {"delay_s": 60}),
        (Outcome.RETRY, {}),
        (Outcome.SNOOZE, {"delay_s": 60}),
        (Outcome.RELEASE, {}),
        (Outcome.RELEASE, {"lane": "urgent"}),
        (Outcome.CANCEL, {"reason": "enough"}),
    ],
)
def test_it_stays_however_a_delivery_ends(
    queue: Queue, make_hands: Callable[..., Hands], outcome: Outcome, options: dict[str, Any]
) -> None:
    before = created(queue)

    end(make_hands(), outcome, **options)

    assert created(queue) == before


def test_it_stays_where_a_job_is_moved_and_started_again(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    before = created(queue)
    with Steering(queue.redis_settings, queue.name, by="a test", reason="to see it") as hand:
        assert queue.move("1", from_lane="main", to_lane="urgent")
        assert queue.move("1", from_lane="urgent", to_lane="main")
        assert created(queue) == before

        end(make_hands(), Outcome.FAIL)
        assert [each.fate for each in hand.retry(list(hand.see(["1"]).values()))] == ["done"]

    assert created(queue) == before


def test_it_stays_where_the_holder_is_gone(
    queue: Queue, client: redis.Redis, wire: Wire, make_hands: Callable[..., Hands]
) -> None:
    before = created(queue)
    take(make_hands(lease_s=0.3))
    let_lease_run_out(client, queue, "1")
    sweeper = make_hands("w2", lease_s=0.3)
    recovery = Sweep(keys=queue.keys, wire=wire, kept=queue.settings, settings=sweeper.consumer.settings)

    assert recovery.run_once().put_back == 1

    assert created(queue) == before


def test_it_stays_where_a_repair_puts_the_job_back(
    queue: Queue, client: redis.Redis, wire: Wire, make_hands: Callable[..., Hands]
) -> None:
    before = created(queue)
    delivery = take(make_hands())
    client.xdel(queue.keys.lane("main"), delivery.hold.handed.entry_id)
    client.hset(queue.keys.job("1"), "lease_until_ms", 1)
    mender = make_repair(queue, wire)

    mended = [finding.kind for page in mender.go_through() for finding in page.findings if mender.mend(finding)]

    assert "no_entry" in mended
    assert created(queue) == before


def test_it_stays_where_a_job_is_rebuilt_from_an_entry_that_was_handed_out(
    queue: Queue, client: redis.Redis, wire: Wire, make_hands: Callable[..., Hands]
) -> None:
    take(make_hands())
    queue.enqueue(LONG, job_id="2")
    entry_id = take(make_hands("w2")).hold.handed.entry_id
    client.delete(queue.keys.job("2"))
    mender = make_repair(queue, wire)

    mended = [finding.kind for page in mender.go_through() for finding in page.findings if mender.mend(finding)]

    assert mended == ["entry_without_job"]
    rebuilt = queue.find_job("2")
    assert rebuilt is not None
    assert rebuilt.created_at is not None
    assert round(rebuilt.created_at.timestamp() * 1000) == int(entry_id.partition("-")[0])
    assert client.hget(queue.keys.job("2"), "entry_id") != entry_id


def test_it_stays_where_a_dead_job_goes_on_under_an_entry_that_it_did_not_know(
    queue: Queue, client: redis.Redis, wire: Wire, job: str
) -> None:
    before = created(queue)
    lane = queue.keys.lane("main")
    fields: Any = client.xrange(lane, job, job)[0][1]  # type: ignore[index]
    client.xdel(lane, job)
    client.xadd(lane, fields)
    mender = make_repair(queue, wire)
    [stray] = [each for page in mender.go_through() for each in page.findings if each.kind == "stray_entry"]

    assert mender.mend(stray)

    assert created(queue) == before
