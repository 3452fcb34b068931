"""The hold on a worker's name, the heartbeat, and recovery: hold_name, heartbeat, leave, recover, ring_on, forget_…"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Delivery,
    Fate,
    JobState,
    NewJob,
    Queue,
    QueueSettings,
    RedisSettings,
    ServerUnfit,
    WorkerSettings,
)
from rosq.connection.connecting import Connector
from rosq.connection.wire import ScriptCall, Wire
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts import loader
from rosq.scripts.loader import Code, Script
from rosq.store.keys import QUEUES
from tests.integration.rosq.conftest import Hands, events_of, let_lease_run_out, settings_of
from tests.integration.rosq.sweep import Sweep
from tests.servers import embedded_redis
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

LONG = {"text": "x" * 300}


def beat(hands: Hands, delivery: Delivery | None = None, lease_ms: int = 30_000) -> tuple[int, int]:
    consumer = hands.consumer
    keys = [consumer.keys.worker(consumer.name), consumer.keys.workers]
    args: list[str | int] = [consumer.name, consumer.instance, lease_ms]
    if delivery is not None:
        keys += [consumer.keys.job(delivery.job_id), consumer.keys.lane(delivery.lane)]
        args += [str(delivery.fence), delivery.token, delivery.hold.handed.entry_id]
    is_held, code = consumer.wire.run(loader.load("heartbeat"), keys, args)
    return is_held, code


def take(hands: Hands, *lanes: str) -> Delivery:
    delivery = hands.fetch(*lanes).delivery
    assert delivery is not None
    return delivery


def settle(hands: Hands, delivery: Delivery) -> Any:
    return hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), ("main",))


def pending_of(client: Any, queue: Queue, lane: str = "main") -> list[dict[str, Any]]:
    return list(client.xpending_range(queue.keys.lane(lane), "workers", "-", "+", 100))


def consumers_of(client: Any, queue: Queue) -> set[str]:
    return {consumer["name"] for consumer in client.xinfo_consumers(queue.keys.lane("main"), "workers")}


# -- the name --------------------------------------------------------------------------------


def test_a_name_has_one_holder_and_the_other_learns_who_and_for_how_long(make_hands: Callable[..., Hands]) -> None:
    make_hands("w1")
    other = make_hands("w1", is_holding=False)

    holder = other.consumer.hold_name()

    assert holder is not None
    assert holder.host
    assert int(holder.pid) > 0
    assert 25 < holder.rest_s <= 30


def test_a_holder_that_asks_again_after_a_lost_answer_holds_still(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")

    assert hands.consumer.hold_name() is None
    assert events_of(client, queue) == ["worker_joined"]


def test_a_name_comes_free_when_its_hold_runs_out(make_hands: Callable[..., Hands]) -> None:
    make_hands("w1", lease_s=0.3)
    other = make_hands("w1", is_holding=False)
    assert other.consumer.hold_name() is not None

    wait_until(lambda: other.consumer.hold_name() is None, "the name")
    other.consumer.find_own_pending()


def test_a_proof_counts_only_for_the_process_that_holds_the_name(make_hands: Callable[..., Hands]) -> None:
    dead = make_hands("w1")
    other = make_hands("w1", is_holding=False)

    assert other.take_name(["of-some-other-process"]) is not None
    assert other.take_name(["of-some-other-process", dead.consumer.instance]) is None


def test_leaving_frees_the_name_wakes_a_standby_and_hands_tokens_on(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    queue.enqueue({}, job_id="1")
    queue.enqueue({}, job_id="2", delay_s=60)
    client.delete(queue.keys.lane_bell("main"), queue.keys.timer_bell)

    hands.consumer.leave(["main", "never-used"])
    hands.consumer.leave(["main"])

    assert client.exists(queue.keys.worker("w1")) == 0
    assert client.zscore(queue.keys.workers, "w1") is None
    assert client.llen(queue.keys.name_bell("w1")) == 1
    assert 0 < client.pttl(queue.keys.name_bell("w1")) <= 60_000
    assert client.llen(queue.keys.lane_bell("main")) == client.llen(queue.keys.timer_bell) == 1
    assert client.llen(queue.keys.lane_bell("never-used")) == 0
    assert events_of(client, queue).count("worker_left") == 1


def test_leaving_doesnt_touch_a_name_that_is_anothers_by_now(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    old = make_hands("w1")
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None

    old.consumer.leave(["main"])

    assert client.hget(queue.keys.worker("w1"), "token") == new.consumer.instance


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_no_worker_starts_on_a_server_that_evicts_keys_even_without_a_limit(queue_name: str, policy: str) -> None:
    with embedded_redis(maxmemory_policy=policy) as server, Queue(settings_of(server), queue_name) as queue:
        hands = Hands(queue, "w1", 30.0, None)
        with pytest.raises(ServerUnfit, match=f"{policy}.*noeviction"):
            hands.consumer.hold_name()
        hands.close()


def test_no_worker_starts_on_a_queue_of_a_newer_rosq(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    client.hset(queue.keys.meta, "schema_version", "99")

    with pytest.raises(ServerUnfit, match="newer rosq"):
        make_hands("w1")


# -- the heartbeat ---------------------------------------------------------------------------


def test_a_heartbeat_keeps_the_name_and_the_lease_and_hides_the_entry_from_recovery(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", lease_s=5)
    delivery = take(hands)
    wait_until(lambda: pending_of(client, queue)[0]["time_since_delivered"] > 50, "some idle time")
    before = pending_of(client, queue)[0]

    assert beat(hands, delivery, lease_ms=60_000) == (1, Code.HELD)

    after = pending_of(client, queue)[0]
    assert after["time_since_delivered"] < before["time_since_delivered"]
    assert after["times_delivered"] == before["times_delivered"]
    assert client.pttl(queue.keys.worker("w1")) > 50_000
    seconds, micros = client.time()
    now_ms = seconds * 1000 + micros // 1000
    assert int(client.hget(queue.keys.job("1"), "lease_until_ms")) > now_ms + 50_000


def test_a_heartbeat_without_a_job_keeps_the_name(make_hands: Callable[..., Hands]) -> None:
    assert beat(make_hands("w1")) == (1, 1)


def test_a_heartbeat_never_takes_a_lost_name_again(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1")
    delivery = take(hands)
    client.delete(queue.keys.worker("w1"))

    # The job is still this delivery's: fence and token decide about it, never the name.
    assert beat(hands, delivery) == (0, Code.HELD)
    assert client.exists(queue.keys.worker("w1")) == 0
    assert hands.fetch().fetched is Fetched.UNHELD


def test_a_heartbeat_learns_that_its_job_is_anothers_settled_or_gone(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    old = make_hands("w1")
    stale = take(old)
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None
    fresh = take(new)
    assert beat(old, stale) == (0, Code.LOST)

    settle(new, fresh)
    assert beat(new, fresh) == (1, Code.ALREADY_SETTLED)

    client.delete(queue.keys.job("1"))
    assert beat(new, fresh) == (1, Code.GONE)


def test_a_heartbeat_that_comes_after_the_lease_ran_out_renews_it_as_long_as_nobody_took_the_job(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", lease_s=0.3)
    delivery = abandon(hands, client, queue)

    assert beat(hands, delivery)[1] == Code.HELD

    assert make_recovery().run_once().put_back == 0
    assert settle(hands, delivery).code is Code.HELD


@pytest.mark.parametrize("taker", ["recovery", "its own name", "cancel"])
def test_a_heartbeat_that_comes_after_somebody_took_the_job_is_told_so(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep], taker: str
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", lease_s=0.3)
    delivery = abandon(hands, client, queue)

    if taker == "recovery":
        assert make_recovery().run_once().put_back == 1
    elif taker == "cancel":
        assert queue.cancel("1", by="ann", reason="a test").fate is Fate.DONE
    else:
        wait_until(lambda: client.exists(queue.keys.worker("w1")) == 0, "the name")
        take(make_hands("w1"))

    assert beat(hands, delivery)[1] == Code.LOST
    settlement = Settlement(delivery=delivery, outcome=Outcome.COMPLETE)
    assert hands.consumer.settle_over(hands.consumer.wire, settlement) is Code.LOST


# -- recovery --------------------------------------------------------------------------------


@pytest.fixture
def make_recovery(queue: Queue) -> Iterator[Callable[..., Sweep]]:
    wires = []

    def make(lease_s: float = 0.3, **settings: Any) -> Sweep:
        wire = queue.make_wire("test-recovery")
        wires.append(wire)
        return Sweep(
            keys=queue.keys,
            wire=wire,
            kept=QueueSettings(**settings),
            settings=WorkerSettings(lease_s=lease_s),
        )

    yield make
    for wire in wires:
        wire.close()


def abandon(hands: Hands, client: Any, queue: Queue, *lanes: str) -> Delivery:
    """Take a job and let its lease run out."""
    delivery = take(hands, *lanes)
    let_lease_run_out(client, queue, delivery.job_id)
    wait_until(
        lambda: all(entry["time_since_delivered"] > 310 for entry in pending_of(client, queue, delivery.lane)), "idle"
    )
    return delivery


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_an_abandoned_job_goes_back_to_its_lane_with_a_crash_and_a_pause(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep], data: Any
) -> None:
    queue.enqueue(data, job_id="1", lane="@a")
    hands = make_hands("w1", lease_s=0.3)
    delivery = abandon(hands, client, queue, "@a")

    swept = make_recovery(crash_pause_s=5).run_once()

    assert swept.put_back == 1
    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.lane, job.crashes, job.attempts, job.data) == (JobState.DELAYED, "@a", 1, 0, data)
    assert job.due_at is not None
    assert pending_of(client, queue, "@a") == []
    assert client.xlen(queue.keys.lane("@a")) == 0
    # The old holder's settle is refused, also its replay.
    assert settle(hands, delivery).code is Code.LOST


def test_the_pause_after_a_crash_doubles_up_to_a_minute_and_nothing_is_no_pause(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    client.hset(queue.keys.job("1"), "crashes", "3")
    abandon(make_hands("w1", lease_s=0.3), client, queue)

    make_recovery(crash_pause_s=20, max_crashes=9).run_once()
    job = queue.find_job("1")
    assert job is not None
    assert job.due_at is not None
    seconds, _ = client.time()
    assert 58 <= job.due_at.timestamp() - seconds <= 61

    queue.enqueue(LONG, job_id="2")
    abandon(make_hands("w2", lease_s=0.3), client, queue)
    make_recovery(crash_pause_s=0).run_once()
    assert client.llen(queue.keys.lane_bell("main")) == 1
    again = take(make_hands("w3"))
    assert (again.job_id, again.crashes, again.data) == ("2", 1, LONG)


def test_a_job_that_crashes_too_often_fails_saying_so(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue(LONG, job_id="1")
    client.hset(queue.keys.job("1"), "crashes", "4")
    abandon(make_hands("w1", lease_s=0.3), client, queue)

    assert make_recovery().run_once().failed == 1

    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.crashes, job.data) == (JobState.FAILED, 5, LONG)
    assert "5 times in a row" in (job.last_error or "")
    assert client.zscore(queue.keys.failed, "1") is not None


class InterruptedWire(Wire):
    """A connection on which something happens just before a job is recovered."""

    def __init__(self, settings: RedisSettings, interrupt: Callable[[], Any]) -> None:
        super().__init__(Connector(settings, QUEUES))
        self._interrupt = interrupt

    def run_many(self, script: Script, calls: Sequence[ScriptCall]) -> list[Any]:
        if script.name == "recover" and calls:
            self._interrupt()
        return super().run_many(script, calls)


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.FAIL])
def test_a_job_that_its_holder_finishes_while_it_is_being_recovered_stays_finished(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    # Given a holder with a longer lease than the recoverer's, whose entry has been claimed by a recovery
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands("w1", lease_s=30)
    delivery = take(hands)
    settlement = Settlement(delivery=delivery, outcome=outcome, error="broken")
    codes: list[Code] = []
    wire = InterruptedWire(
        queue.redis_settings, lambda: codes.append(hands.consumer.settle_over(hands.consumer.wire, settlement))
    )
    recovery = Sweep(keys=queue.keys, wire=wire, kept=QueueSettings(), settings=WorkerSettings(lease_s=0.3))

    # When it finishes its job before the recovery looks at it
    wait_until(lambda: recovery.run_once() and codes, "the recovery to find the entry")
    wire.close()

    # Then the job is over, once and for good
    assert codes == [Code.HELD]
    job = queue.find_job("1")
    assert job is not None
    assert job.state is (JobState.COMPLETED if outcome is Outcome.COMPLETE else JobState.FAILED)
    assert client.xlen(queue.keys.lane("main")) == 0
    assert hands.fetch().delivery is None


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_last_holder_of_a_job_that_failed_of_its_crashes_is_told_that_it_lost_it(
    queue: Queue, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    # Given a holder that was paused past its lease, whose job failed meanwhile: it crashed once too often
    queue.enqueue({"order_id": 1}, job_id="1")
    settings = QueueSettings(max_crashes=1)
    hands = make_hands("w1", lease_s=0.3, settings=settings)
    delivery = take(hands)
    sweeper = Sweep(keys=queue.keys, wire=hands.consumer.wire, kept=settings, settings=WorkerSettings(lease_s=0.3))
    wait_until(lambda: sweeper.run_once().failed == 1, "the job to fail")

    # When it goes on and settles
    settlement = Settlement(delivery=delivery, outcome=outcome, error="broken", delay_s=30)
    code = hands.consumer.settle_over(hands.consumer.wire, settlement)

    # Then it learns that the job isn't its own any more: it settled nothing, whatever it believes
    assert code is Code.LOST
    assert beat(hands, delivery)[1] == Code.LOST
    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.crashes, job.attempts) == (JobState.FAILED, 1, 0)


def test_dead_holders_are_found_behind_many_living_ones(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(30)])
    living = [make_hands(f"living{number}", lease_s=30) for number in range(25)]
    deliveries = [take(hands) for hands in living]
    dead = [make_hands(f"dead{number}", lease_s=0.3) for number in range(5)]
    lost = [take(hands) for hands in dead]
    wait_until(lambda: not any(delivery.lease.is_held() for delivery in lost), "the leases to run out")
    wait_until(lambda: min(entry["time_since_delivered"] for entry in pending_of(client, queue)) > 310, "idle")
    for hands, delivery in zip(living, deliveries, strict=True):
        beat(hands, delivery)

    assert make_recovery().run_once().put_back == 5
    assert {entry["consumer"] for entry in pending_of(client, queue)} == {f"living{number}" for number in range(25)}


def test_a_holder_with_a_longer_lease_than_the_recoverers_keeps_its_job(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", lease_s=30)
    delivery = take(hands)
    wait_until(lambda: pending_of(client, queue)[0]["time_since_delivered"] > 310, "idle")

    swept = make_recovery(lease_s=0.3).run_once()

    assert swept.put_back == swept.failed == swept.dropped == 0
    assert pending_of(client, queue)[0]["consumer"] == "w1"
    assert settle(hands, delivery).code is Code.HELD


def test_a_pending_entry_without_a_job_is_dropped(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    abandon(make_hands("w1", lease_s=0.3), client, queue)
    client.delete(queue.keys.job("1"))

    assert make_recovery().run_once().dropped == 1
    assert client.xlen(queue.keys.lane("main")) == 0


def test_a_token_that_died_with_its_taker_is_rung_again(
    queue: Queue, client: Any, make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    queue.enqueue({}, job_id="2", delay_s=60)
    client.delete(queue.keys.lane_bell("main"), queue.keys.timer_bell)

    make_recovery().run_once()
    make_recovery().run_once()

    assert client.llen(queue.keys.lane_bell("main")) == client.llen(queue.keys.timer_bell) == 1


def test_a_lane_without_waiting_jobs_isnt_rung(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    take(make_hands("w1"))
    client.delete(queue.keys.lane_bell("main"))

    make_recovery().run_once()

    assert client.llen(queue.keys.lane_bell("main")) == 0


def test_a_dead_worker_is_forgotten_only_after_its_pending_job_moved_on(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", lease_s=30)
    delivery = take(hands)
    recovery = make_recovery(forget_worker_s=0)

    # It lives
    recovery.run_once()
    assert client.zscore(queue.keys.workers, "w1") is not None

    # It is dead, but holds a job
    client.delete(queue.keys.worker("w1"))
    recovery.run_once()
    assert client.zscore(queue.keys.workers, "w1") is not None
    assert "w1" in consumers_of(client, queue)

    # It is dead and holds nothing
    assert settle(hands, delivery).code is Code.HELD
    assert recovery.run_once().forgotten_workers == 1
    assert client.zscore(queue.keys.workers, "w1") is None
    assert "w1" not in consumers_of(client, queue)


def test_the_consumer_of_a_worker_that_left_is_removed_too(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    hands = make_hands("w1")
    assert hands.fetch().delivery is None
    queue.enqueue({}, job_id="1")
    settle(hands, take(hands))
    assert make_recovery(forget_worker_s=0).run_once().forgotten_workers == 0
    assert "w1" in consumers_of(client, queue)

    hands.consumer.leave(["main"])

    assert make_recovery(forget_worker_s=3600).run_once().forgotten_workers == 0
    assert make_recovery(forget_worker_s=0).run_once().forgotten_workers == 1
    assert "w1" not in consumers_of(client, queue)


def test_a_job_whose_key_is_broken_doesnt_keep_the_others_from_being_recovered(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    first, second = make_hands("w1", lease_s=0.3), make_hands("w2", lease_s=0.3)
    take(first)
    abandon(second, client, queue)
    client.delete(queue.keys.job("1"))
    client.set(queue.keys.job("1"), "not a hash")

    assert make_recovery().run_once().put_back == 1
    assert queue.find_jobs(["2"])["2"].crashes == 1


def test_finished_jobs_whose_time_is_over_are_forgotten_on_an_idle_queue_too(
    queue: Queue, make_hands: Callable[..., Hands], make_recovery: Callable[..., Sweep]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1")
    settle(hands, take(hands))

    assert make_recovery(keep_completed_s=100).run_once().forgotten_jobs == 0
    assert queue.find_job("1") is not None
    assert wait_until(lambda: make_recovery(keep_completed_s=0).run_once().forgotten_jobs, "its time to pass") == 1
    assert queue.find_job("1") is None
