"""Steering by hand: each script with success, refusals and replay, and the commands on top of them."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import Delivery, Fail, JobState, NewJob, Queue, errors
from rosq.cli import main
from rosq.execution import fetching
from rosq.execution.settlement import Outcome, Settlement
from rosq.job import Fate
from rosq.scripts.loader import Code
from rosq.steering import Steering
from rosq.store.changes import Seen
from tests.integration.rosq.conftest import Hands, Running, events_of, settings_of
from tests.integration.rosq.pausing import let_the_look_grow_old
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from tests.servers import RedisServer

LONG = {"text": "x" * 200}


@pytest.fixture
def steering(redis_server: RedisServer, queue: Queue) -> Iterator[Steering]:
    with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
        yield steering


@pytest.fixture
def rosq_command(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "ROSQ_OPERATOR": "ann", "COLUMNS": "140"}
        return CliRunner().invoke(main, list(arguments), env=env)

    return run


def fail_job(queue: Queue, hands: Hands, job_id: str, data: Any = None, error: str = "ValueError: no") -> None:
    """Put a job on the queue and let it fail for good."""
    queue.enqueue(data or {"order_id": 1}, job_id=job_id)
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert delivery.job_id == job_id
    settlement = Settlement(delivery=delivery, outcome=Outcome.FAIL, error=error)
    hands.consumer.exchange(settlement, (), is_fetching=False)


def last_event(client: Any, queue: Queue) -> dict[str, str]:
    fields: dict[str, str] = client.xrevrange(queue.keys.events, count=1)[0][1]
    return fields


# -- pause and resume --------------------------------------------------------------------------------------------------


def test_a_paused_queue_hands_out_nothing_new_lets_running_jobs_finish_and_goes_on_at_once(
    queue: Queue, steering: Steering, start_worker: Callable[..., Running]
) -> None:
    working, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def handler(delivery: Delivery) -> None:
        if delivery.job_id == "running":
            working.set()
            go_on.wait(20)
        else:
            done.set()

    queue.enqueue({}, job_id="running")
    start_worker(queue, handler)
    assert working.wait(5)

    assert steering.pause() is None
    let_the_look_grow_old()
    queue.enqueue({}, job_id="new")
    go_on.set()
    wait_until(lambda: job_state(queue, "running") is JobState.COMPLETED, "the running job to finish")
    queue.enqueue({}, job_id="newer")

    # Long enough for a worker that is awake to take it.
    assert not done.wait(0.5)
    assert job_state(queue, "new") is JobState.WAITING
    assert steering.resume()
    # Far sooner than an idle worker looks again by itself.
    assert done.wait(3)
    wait_until(lambda: job_state(queue, "newer") is JobState.COMPLETED, "the other one", timeout_s=3)


def job_state(queue: Queue, job_id: str) -> JobState:
    job = queue.find_job(job_id)
    assert job is not None
    return job.state


def test_a_settle_on_a_paused_queue_fetches_nothing(
    queue: Queue, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    hands = make_hands()
    delivery = hands.fetch().delivery
    assert delivery is not None
    steering.pause()
    let_the_look_grow_old()

    answer = hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), ("main",))

    assert (answer.code, answer.delivery) == (1, None)


def test_who_looked_a_moment_ago_may_take_another_job_and_then_none(
    queue: Queue, steering: Steering, make_hands: Callable[..., Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enqueue_many(NewJob(job_id=str(number), data={}) for number in range(4))
    hands = make_hands()
    taken = [hands.fetch().delivery]
    monkeypatch.setattr(fetching, "SEEN_FOR_S", 60.0)
    steering.pause()

    taken.append(complete(hands, taken[-1]))
    monkeypatch.undo()
    let_the_look_grow_old()
    taken.append(complete(hands, taken[-1]))

    assert [delivery.job_id if delivery else None for delivery in taken] == ["0", "1", None]


def test_once_nothing_is_active_after_a_pause_nothing_becomes_active_however_lately_was_looked(
    queue: Queue, steering: Steering, make_hands: Callable[..., Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.enqueue_many(NewJob(job_id=str(number), data={}) for number in range(3))
    hands = make_hands()
    first = hands.fetch().delivery
    assert first is not None
    hands.consumer.exchange(Settlement(delivery=first, outcome=Outcome.COMPLETE), (), is_fetching=False)
    monkeypatch.setattr(fetching, "SEEN_FOR_S", 60.0)
    steering.pause()

    # Whose answer was lost, which was that nothing is there, asks so again.
    again = complete(hands, first)
    afterwards = hands.fetch().delivery

    assert (again, afterwards) == (None, None)


def complete(hands: Hands, delivery: Delivery | None) -> Delivery | None:
    assert delivery is not None
    settlement = Settlement(delivery=delivery, outcome=Outcome.COMPLETE)
    return hands.consumer.exchange(settlement, ("main",)).delivery


def test_who_had_a_job_when_the_queue_was_paused_still_gets_it_again(
    queue: Queue, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    first = hands.fetch().delivery
    steering.pause()

    again = hands.fetch().delivery

    assert first is not None
    assert again is not None
    assert again.fence > first.fence


def test_pausing_twice_keeps_the_first_and_resuming_twice_does_nothing(
    redis_server: RedisServer, client: redis.Redis, queue: Queue, steering: Steering
) -> None:
    assert not steering.resume()
    assert steering.pause() is None
    with Steering(settings_of(redis_server), queue.name, by="bob", reason="another") as other:
        before = other.pause()
    assert before is not None
    assert (before.by, before.reason) == ("ann", "a test")
    assert steering.resume()
    assert not steering.resume()

    assert events_of(client, queue) == ["paused", "resumed"]
    assert client.hkeys(queue.keys.meta) == ["schema_version"]


def test_inspect_and_doctor_say_that_a_queue_is_paused(queue: Queue, rosq_command: Callable[..., Result]) -> None:
    queue.enqueue({}, job_id="1")

    paused = rosq_command("pause", "--why", "the portal is down")
    overview = json.loads(rosq_command("inspect", "--json").stdout)
    told = rosq_command("inspect", "explain", "1")
    examined = rosq_command("doctor")
    resumed = rosq_command("resume", "--why", "back", "--json")

    assert paused.exit_code == 0, paused.output
    assert "1 job waits, 0 run and will finish" in paused.stdout
    assert (overview["pause"]["by"], overview["pause"]["reason"]) == ("ann", "the portal is down")
    assert overview["verdict"] == "DEGRADED"
    assert "paused by ann" in told.stdout
    assert "rosq resume" in told.stdout
    assert "paused by ann" in examined.stdout
    assert json.loads(resumed.stdout)["is_done"] is True
    assert json.loads(rosq_command("inspect", "--json").stdout)["pause"] is None


def test_a_dry_run_changes_nothing_and_needs_no_reason(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    fail_job(queue, make_hands(), "bad")
    queue.enqueue({}, job_id="later", delay_s=500)
    queue.enqueue({}, job_id="now")
    keys = sorted(key for key in client.scan_iter(f"rosq:{{{queue.name}}}:*") if ":worker:" not in key)
    before = {key: client.dump(key) for key in keys}

    results = [
        rosq_command(*line.split(), "--dry-run")
        for line in (
            "pause",
            "resume",
            "retry bad",
            "retry --all",
            "promote later",
            "promote --lane main",
            "remove now",
            "remove --state failed --error value",
            "drain --delayed",
            "cancel now later",
            "cancel --all",
        )
    ]

    assert [result.exit_code for result in results] == [0] * 11, [result.output for result in results]
    assert {key: client.dump(key) for key in keys} == before


# -- retry -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 7}, LONG])
def test_a_retried_job_starts_anew_with_its_own_data_and_a_greater_fence(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands], data: Any
) -> None:
    hands = make_hands()
    fail_job(queue, hands, "1", data)
    seen = steering.see(["1", "unknown"])
    before = queue.find_job("1")

    changed = steering.retry(list(seen.values()))
    replayed = steering.retry(list(seen.values()))

    assert [each.fate for each in changed] == [Fate.DONE]
    assert [(each.fate, each.state) for each in replayed] == [(Fate.MOVED_ON, "waiting")]
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert before is not None
    assert (delivery.data, delivery.attempt, delivery.crashes) == (data, 1, 0)
    assert delivery.fence > before.fence
    assert client.zcard(queue.keys.failed) == 0
    event = next(e for _, e in client.xrange(queue.keys.events) if e["event"] == "restarted")
    assert (event["was"], event["by"], event["reason"]) == ("failed", "ann", "a test")


def test_a_job_that_was_retried_wakes_an_idle_worker(
    queue: Queue, steering: Steering, start_worker: Callable[..., Running]
) -> None:
    handed: list[str] = []

    def handler(delivery: Delivery) -> None:
        handed.append(delivery.job_id)
        if len(handed) == 1:
            raise Fail("not yet")

    queue.enqueue({}, job_id="1")
    start_worker(queue, handler)
    wait_until(lambda: job_state(queue, "1") is JobState.FAILED, "the first failure")

    steering.retry(list(steering.see(["1"]).values()))

    wait_until(lambda: job_state(queue, "1") is JobState.COMPLETED, "the second try", timeout_s=3)


def test_a_job_that_failed_again_since_it_was_seen_is_left_alone(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    fail_job(queue, make_hands(), "1")
    seen = list(steering.see(["1"]).values())
    client.hset(queue.keys.job("1"), "finished_at_ms", "1")

    assert steering.retry(seen)[0].fate is Fate.MOVED_ON
    assert steering.remove(seen)[0].fate is Fate.MOVED_ON


def test_what_lives_or_is_done_is_not_started_again(
    queue: Queue, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    queue.enqueue({}, job_id="done")
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), (), is_fetching=False)
    queue.enqueue({}, job_id="active")
    hands.fetch()
    queue.enqueue({}, job_id="waiting")
    queue.enqueue({}, job_id="delayed", delay_s=500)

    changed = steering.retry(list(steering.see(["done", "active", "waiting", "delayed"]).values()))

    assert [(each.fate, each.state) for each in changed] == [
        (Fate.MOVED_ON, "completed"),
        (Fate.MOVED_ON, "active"),
        (Fate.MOVED_ON, "waiting"),
        (Fate.MOVED_ON, "delayed"),
    ]


def test_a_dead_job_is_started_again_and_one_without_data_is_told(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 1}, job_id="short")
    queue.enqueue(LONG, job_id="long")
    client.xtrim(queue.keys.lane("main"), maxlen=0)

    changed = steering.retry(list(steering.see(["short", "long"]).values()))

    assert [each.fate for each in changed] == [Fate.DONE, Fate.DATA_LOST]
    delivery = make_hands().fetch().delivery
    assert delivery is not None
    assert delivery.data == {"order_id": 1}


def test_the_holder_of_a_job_that_was_started_again_is_told_that_it_lost_it(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    # Given a holder whose lease ran out and whose entry was lost
    queue.enqueue({}, job_id="1")
    holder = make_hands("w1")
    delivery = holder.fetch().delivery
    assert delivery is not None
    client.hset(queue.keys.job("1"), "lease_until_ms", 1)
    client.xack(queue.keys.lane("main"), "workers", delivery.hold.handed.entry_id)
    client.xdel(queue.keys.lane("main"), delivery.hold.handed.entry_id)

    # When an operator starts the job again, and the holder wakes up
    assert steering.retry(list(steering.see(["1"]).values()))[0].fate is Fate.DONE
    settlement = Settlement(delivery=delivery, outcome=Outcome.COMPLETE)
    answer = holder.consumer.exchange(settlement, (), is_fetching=False)

    # Then it is refused, and the job waits
    assert answer.code is Code.LOST
    assert job_state(queue, "1") is JobState.WAITING


def test_a_job_that_has_changed_lanes_or_vanished_is_left_alone(queue: Queue, steering: Steering) -> None:
    queue.enqueue({}, job_id="1", delay_s=500)
    elsewhere = Seen(job_id="1", state=JobState.DELAYED, lane="urgent")
    missing = Seen(job_id="2", state=JobState.DELAYED, lane="main")

    for change in (steering.retry, steering.promote, steering.cancel, steering.remove):
        fates = [each.fate for each in change([elsewhere, missing])]
        assert fates[1] is Fate.UNKNOWN
        assert fates[0] is Fate.MOVED_ON
    assert queue.find_job("1") is not None


def test_failed_jobs_are_retried_by_filter_and_the_plan_is_told(
    queue: Queue, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    for number in range(3):
        fail_job(queue, hands, f"t{number}", error="TimeoutError: the portal")
    fail_job(queue, hands, "v", error="ValueError: no")

    result = rosq_command("retry", "--error", "timeout", "--why", "the portal is back")

    assert result.exit_code == 0, result.output
    assert "Going to retry 3 jobs (failed: 4" in result.stdout
    assert "Done: 3 of 3" in result.stdout
    assert [job_state(queue, job_id).value for job_id in ("t0", "t1", "t2", "v")] == ["waiting"] * 3 + ["failed"]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("retry --why x", "--all --yes"),
        ("retry --all --why x", "say --yes"),
        ("retry 1", "--why"),
        ("retry 1 --lane main --why x", "not both"),
        ("retry --age soon --why x", "no duration"),
        ("promote --all --why x", "say --yes"),
        ("remove --why x --all --yes", "--state"),
        ("remove --state active --all --yes --why x", "--state waiting"),
        ("remove --state failed --all --why x", "say --yes"),
        ("cancel --why x", "--all --yes"),
        ("cancel --state failed --all --yes --why x", "is not one of"),
        ("cancel --all --why x", "say --yes"),
        ("drain --why x", "say --yes"),
        ("drain --lane main --delayed --yes --why x", "doesn't go with"),
    ],
)
def test_what_is_said_by_halves_is_refused_and_changes_nothing(
    queue: Queue,
    client: Any,
    rosq_command: Callable[..., Result],
    make_hands: Callable[..., Hands],
    line: str,
    part: str,
) -> None:
    fail_job(queue, make_hands(), "1")
    before = client.xlen(queue.keys.events)

    result = rosq_command(*line.split())

    assert result.exit_code == 2, result.output
    assert part in result.stderr
    assert client.xlen(queue.keys.events) == before


def test_an_unknown_id_is_named_and_exits_with_1(queue: Queue, rosq_command: Callable[..., Result]) -> None:
    queue.enqueue({}, job_id="here", delay_s=500)

    result = rosq_command("promote", "here", "gone", "--why", "now", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (told["version"], told["verb"], told["done"], told["by"]) == (1, "promote", 1, "ann")
    assert told["skipped"] == [{"job_id": "gone", "fate": "unknown", "state": ""}]
    assert job_state(queue, "here") is JobState.WAITING


def test_who_and_why_must_be_said(redis_server: RedisServer, queue: Queue) -> None:
    with pytest.raises(errors.InvalidData):
        Steering(settings_of(redis_server), queue.name, by="ann", reason=" ")


# -- promote, remove, drain --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 7}, LONG])
def test_a_promoted_job_is_handed_out_at_once_and_once(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands], data: Any
) -> None:
    queue.enqueue(data, job_id="1", delay_s=500)
    seen = list(steering.see(["1"]).values())

    assert steering.promote(seen)[0].fate is Fate.DONE
    assert steering.promote(seen)[0].fate is Fate.MOVED_ON

    hands = make_hands()
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert delivery.data == data
    assert client.xlen(queue.keys.lane("main")) == 1
    assert client.zcard(queue.keys.delayed) == 0
    event = next(e for _, e in client.xrange(queue.keys.events) if e["event"] == "advanced")
    assert int(event["early_ms"]) > 400_000


def test_removing_leaves_nothing_but_the_id_of_a_job_and_lets_one_that_runs_be(
    queue: Queue, client: Any, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    fail_job(queue, hands, "failed")
    queue.enqueue({}, job_id="active")
    hands.fetch()
    queue.enqueue({}, job_id="waiting")
    queue.enqueue({}, job_id="delayed", delay_s=500)
    seen_ids = ["failed", "active", "waiting", "delayed"]
    seen = list(steering.see(seen_ids).values())

    fates = [each.fate for each in steering.remove(seen)]
    replayed = [each.fate for each in steering.remove(seen)]

    assert fates == [Fate.DONE, Fate.MOVED_ON, Fate.DONE, Fate.DONE]
    assert replayed == [Fate.MOVED_ON] * 4
    states = {job_id: job.state.value for job_id, job in queue.find_jobs(seen_ids).items()}
    assert states == {"failed": "forgotten", "active": "active", "waiting": "forgotten", "delayed": "forgotten"}
    assert (client.zcard(queue.keys.failed), client.zcard(queue.keys.delayed)) == (0, 0)
    assert client.xlen(queue.keys.lane("main")) == 1
    assert events_of(client, queue).count("removed") == 3


def test_draining_takes_what_waits_and_leaves_what_runs_is_delayed_or_came_later(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="active")
    make_hands().fetch()
    queue.enqueue_many([NewJob(job_id=f"w{number}", data=LONG) for number in range(450)])
    queue.enqueue({}, job_id="urgent", lane="urgent")
    queue.enqueue({}, job_id="delayed", delay_s=500)
    queue.enqueue_many([NewJob(job_id=f"d{number}", data={}, delay_s=900) for number in range(450)])
    queue.enqueue({}, job_id="later")
    client.hset(queue.keys.job("later"), "created_at_ms", 2**45)

    one_lane = rosq_command("drain", "--lane", "main", "--yes", "--forget-id", "--why", "a mistake")

    assert one_lane.exit_code == 0, one_lane.output
    assert "Removed 450 jobs of lane main" in one_lane.stdout
    left = queue.find_jobs(["active", "w0", "w449", "urgent", "delayed", "later"])
    assert sorted(left) == ["active", "delayed", "later", "urgent"]
    assert client.xlen(queue.keys.lane("main")) == 2
    assert events_of(client, queue).count("drained") == 9
    assert last_event(client, queue)["by"] == "ann"

    everything = rosq_command("drain", "--delayed", "--yes", "--why", "a mistake", "--json")

    assert json.loads(everything.stdout)["done"] == 452
    assert client.zcard(queue.keys.delayed) == 0
    states = {job_id: job.state.value for job_id, job in queue.find_jobs(sorted(left)).items()}
    assert states == {"active": "active", "delayed": "forgotten", "later": "waiting", "urgent": "forgotten"}


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_jobs_are_cancelled_by_filter_and_running_ones_are_named_as_asked(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="active", lane="urgent")
    make_hands().fetch("urgent")
    queue.enqueue({}, job_id="waiting", lane="urgent")
    queue.enqueue({}, job_id="delayed", lane="urgent", delay_s=500)
    queue.enqueue({}, job_id="other")

    planned = rosq_command("cancel", "--lane", "urgent", "--dry-run")
    result = rosq_command("cancel", "--lane", "urgent", "--why", "the client is gone", "--json")

    assert "Would cancel 3 jobs" in planned.stdout
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["done"], told["planned"], told["asked"], told["skipped"]) == (3, 3, ["active"], [])
    states = {job_id: job.state.value for job_id, job in queue.find_jobs(["active", "waiting", "delayed"]).items()}
    assert states == {"active": "active", "waiting": "cancelled", "delayed": "cancelled"}
    assert job_state(queue, "other") is JobState.WAITING
    events = [e for _, e in client.xrange(queue.keys.events) if e["event"] in ("cancelled", "cancel_asked")]
    assert {(e["by"], e["reason"]) for e in events} == {("ann", "the client is gone")}
    assert len(events) == 3


def test_named_jobs_are_cancelled_and_what_is_over_is_left_alone(
    queue: Queue, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    fail_job(queue, hands, "failed")
    queue.enqueue({}, job_id="active")
    hands.fetch()
    queue.enqueue({}, job_id="waiting")

    result = rosq_command("cancel", "waiting", "active", "failed", "--why", "enough")

    assert result.exit_code == 1
    assert "Done: 2 of 3" in result.stdout
    assert "asked to stop within a third of a lease: active" in result.stdout
    assert "Left alone: failed: it is failed" in result.stdout


def test_a_job_that_has_changed_since_it_was_seen_isnt_cancelled(queue: Queue, steering: Steering) -> None:
    queue.enqueue({}, job_id="1")
    seen = [
        Seen(job_id="1", state=JobState.DELAYED, lane="main"),
        Seen(job_id="1", state=JobState.WAITING, lane="urgent"),
        Seen(job_id="2", state=JobState.WAITING, lane="main"),
    ]

    changed = steering.cancel(seen)

    assert [(each.fate, each.state) for each in changed] == [
        (Fate.MOVED_ON, "waiting"),
        (Fate.MOVED_ON, None),
        (Fate.UNKNOWN, None),
    ]
    assert job_state(queue, "1") is JobState.WAITING


def test_a_cancelled_job_can_be_removed(queue: Queue, client: Any, rosq_command: Callable[..., Result]) -> None:
    queue.enqueue({}, job_id="1")
    rosq_command("cancel", "1", "--why", "ordered twice")

    result = rosq_command("remove", "--state", "cancelled", "--all", "--yes", "--why", "tidying up")

    assert result.exit_code == 0, result.output
    job = queue.find_job("1")
    assert job is not None
    assert job.state is JobState.FORGOTTEN
    assert client.zcard(queue.keys.cancelled) == 0
