"""Cancelling jobs: what waits, what is delayed, what runs; and every way in which a running one may end after that."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Cancel,
    Delivery,
    Fail,
    Fate,
    InvalidData,
    JobState,
    NewJob,
    Queue,
    QueueSettings,
    Release,
    ReopenOutcome,
    RetryPolicy,
    Snooze,
    WorkerSettings,
)
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts.loader import Code, load
from rosq.steering import Steering
from rosq.store import changes
from tests.integration.rosq.conftest import Hands, Running, events_of, settings_of
from tests.integration.rosq.pausing import let_the_look_grow_old
from tests.integration.rosq.proxy import swallowing_proxy
from tests.integration.rosq.sweep import Sweep
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import RedisServer

LONG = {"text": "x" * 200}
QUICK = WorkerSettings(lease_s=0.9)


def cancel(queue: Queue, job_id: str = "1", reason: str = "ordered twice") -> Fate:
    return queue.cancel(job_id, by="ann", reason=reason).fate


def job_of(queue: Queue, job_id: str = "1") -> Any:
    job = queue.find_job(job_id)
    assert job is not None
    return job


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


def settle(hands: Hands, delivery: Delivery, outcome: Outcome, **options: Any) -> Any:
    return hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome, **options), ("main",))


def is_cancelled(queue: Queue, job_id: str = "1") -> Callable[[], bool]:
    return lambda: job_of(queue, job_id).state is JobState.CANCELLED


def expire_lease(client: Any, queue: Queue, job_id: str = "1") -> None:
    client.hset(queue.keys.job(job_id), "lease_until_ms", 1)


def event_of(client: Any, queue: Queue, name: str) -> dict[str, str]:
    found = [fields for _, fields in client.xrange(queue.keys.events) if fields["event"] == name]
    assert len(found) == 1, found
    event: dict[str, str] = found[0]
    return event


# -- what nobody has in hand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
@pytest.mark.parametrize("delay_s", [0.0, 500.0])
def test_what_waits_or_is_delayed_is_cancelled_at_once_and_nobody_gets_it(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], data: Any, delay_s: float
) -> None:
    queue.enqueue(data, job_id="1", delay_s=delay_s)

    answer = queue.cancel("1", by="ann", reason="ordered twice")

    assert (answer.fate, answer.state) == (Fate.DONE, JobState.CANCELLED)
    assert client.xlen(queue.keys.lane("main")) == client.zcard(queue.keys.delayed) == 0
    assert client.zrange(queue.keys.cancelled, 0, -1) == ["1"]
    job = job_of(queue)
    assert (job.state, job.is_live, job.data) == (JobState.CANCELLED, False, data)
    assert (job.cancel_by, job.cancel_reason) == ("ann", "ordered twice")
    assert job.finished_at == job.cancel_asked_at
    assert make_hands().fetch().fetched is Fetched.NONE
    event = event_of(client, queue, "cancelled")
    assert (event["was"], event["by"], event["reason"]) == ("delayed" if delay_s else "waiting", "ann", "ordered twice")
    assert client.hget(queue.keys.meta, "cancelled_total") == "1"


def test_cancelling_twice_keeps_the_first_and_says_that_it_is_over(queue: Queue, client: Any) -> None:
    queue.enqueue({}, job_id="1")
    cancel(queue)

    again = queue.cancel("1", by="bob", reason="another")

    assert (again.fate, again.state) == (Fate.MOVED_ON, JobState.CANCELLED)
    assert job_of(queue).cancel_by == "ann"
    assert events_of(client, queue, "1") == ["enqueued", "cancelled"]


def test_what_is_over_stays_as_it_is_and_what_isnt_there_is_unknown(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    hands = make_hands()
    settle(hands, settle(hands, take(hands), Outcome.COMPLETE).delivery, Outcome.FAIL, error="no")
    before = client.xlen(queue.keys.events)

    answers = [queue.cancel(job_id, by="ann", reason="late") for job_id in ("1", "2", "3")]

    assert [(each.fate.value, each.state) for each in answers] == [
        ("moved_on", JobState.COMPLETED),
        ("moved_on", JobState.FAILED),
        ("unknown", None),
    ]
    assert client.xlen(queue.keys.events) == before
    assert client.zcard(queue.keys.cancelled) == 0


def test_a_cancel_whose_answer_is_lost_counts_once(
    queue: Queue, client: Any, redis_server: RedisServer, queue_name: str
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    cancel(queue, "2")
    with swallowing_proxy(redis_server.host, redis_server.port) as proxy:
        far = settings_of(redis_server)
        with Queue(type(far)(port=proxy.port, db=far.db, password=far.password), queue_name) as far_queue:
            proxy.swallow_next(changes.load_step("cancel", queue.settings).sha)
            answer = far_queue.cancel("1", by="ann", reason="ordered twice")

        assert proxy.swallowed == 1
    # The call repeats itself, and can't know any more that it was the one.
    assert (answer.fate, answer.state) == (Fate.MOVED_ON, JobState.CANCELLED)
    assert events_of(client, queue, "1") == ["enqueued", "cancelled"]
    assert client.hget(queue.keys.meta, "cancelled_total") == "2"


def test_who_and_why_must_be_said(queue: Queue) -> None:
    queue.enqueue({}, job_id="1")

    for by, reason in (("", "why"), ("ann", "  ")):
        with pytest.raises(InvalidData):
            queue.cancel("1", by=by, reason=reason)

    assert job_of(queue).state is JobState.WAITING


def test_a_job_that_was_snoozed_into_another_lane_is_cancelled_there(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue(LONG, job_id="1")
    hands = make_hands()
    settle(hands, take(hands), Outcome.SNOOZE, lane="@a")

    assert cancel(queue) is Fate.DONE
    assert client.xlen(queue.keys.lane("@a")) == 0


def test_a_dead_job_can_be_cancelled(queue: Queue, client: Any) -> None:
    queue.enqueue({}, job_id="1")
    client.delete(queue.keys.lane("main"))

    assert cancel(queue) is Fate.DONE


def test_cancelling_works_on_a_paused_queue(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("1", "2", "3")])
    hands = make_hands()
    delivery = take(hands)
    with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
        steering.pause()
        assert cancel(queue, "2") is Fate.DONE
        assert cancel(queue, "1") is Fate.ASKED
        let_the_look_grow_old()
        answer = settle(hands, delivery, Outcome.CANCEL)
        assert (answer.code, answer.delivery) == (Code.HELD, None)
        steering.resume()

    assert take(hands).job_id == "3"
    assert job_of(queue).state is JobState.CANCELLED


# -- what is done with a cancelled job ---------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_a_cancelled_job_starts_again_by_retry_and_by_reopen(
    queue: Queue, client: Any, redis_server: RedisServer, make_hands: Callable[..., Hands], data: Any
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data=data), NewJob(job_id="2", data=data)])
    cancel(queue, "1")
    cancel(queue, "2")

    with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
        assert steering.retry(list(steering.see(["1"]).values()))[0].fate == "done"
    assert queue.reopen(NewJob(job_id="2", data=data)).outcome is ReopenOutcome.REOPENED

    assert client.zcard(queue.keys.cancelled) == 0
    hands = make_hands()
    first = take(hands)
    second = settle(hands, first, Outcome.COMPLETE).delivery
    assert (first.data, second.data) == (data, data)
    # What was asked for in its former life concerns the new one no more.
    assert [job_of(queue, job_id).cancel_by for job_id in ("1", "2")] == [None, None]
    assert settle(hands, second, Outcome.RETRY, delay_s=60).code is Code.HELD
    assert job_of(queue, "2").state is JobState.DELAYED


def test_cancelled_jobs_are_forgotten_by_count(queue: Queue, client: Any, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(4)])
    for number in range(3):
        cancel(queue, str(number))
    hands = make_hands(settings=QueueSettings(keep_cancelled=1))
    delivery = take(hands)

    settle(hands, delivery, Outcome.CANCEL)

    assert client.zrange(queue.keys.cancelled, 0, -1) == ["3"]
    assert list(queue.find_jobs(["0", "1", "2", "3"])) == ["3"]


def test_a_sweep_forgets_cancelled_jobs_whose_time_is_over(queue: Queue, client: Any) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    cancel(queue, "1")
    cancel(queue, "2")
    client.zadd(queue.keys.cancelled, {"1": 1})
    wire = queue.make_wire("test")
    recovery = Sweep(keys=queue.keys, wire=wire, kept=queue.settings, settings=WorkerSettings())

    swept = recovery.run_once()

    wire.close()
    assert swept.forgotten_jobs == 1
    assert list(queue.find_jobs(["1", "2"])) == ["2"]


# -- a running job, script by script -----------------------------------------------------------------------------------


def test_a_running_job_is_asked_and_goes_on_until_its_holder_settles_it(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    hands = make_hands()
    delivery = take(hands)

    asked = queue.cancel("1", by="ann", reason="ordered twice")
    again = queue.cancel("1", by="bob", reason="another")

    assert (asked.fate, asked.state) == (again.fate, again.state) == (Fate.ASKED, JobState.ACTIVE)
    answer = settle(hands, delivery, Outcome.CANCEL)
    assert (answer.code, answer.delivery.job_id) == (Code.HELD, "2")
    job = job_of(queue)
    assert (job.state, job.cancel_by, job.cancel_reason) == (JobState.CANCELLED, "ann", "ordered twice")
    assert events_of(client, queue, "1") == ["enqueued", "started", "cancel_asked", "cancelled"]
    assert client.zrange(queue.keys.cancelled, 0, -1) == ["1"]


def test_a_handler_may_cancel_its_job_unasked(queue: Queue, client: Any, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()

    settle(hands, take(hands), Outcome.CANCEL, reason="its object is gone")

    job = job_of(queue)
    assert (job.state, job.cancel_by, job.cancel_reason) == (JobState.CANCELLED, "w1", "its object is gone")
    assert event_of(client, queue, "cancelled")["reason"] == "its object is gone"


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE])
def test_what_would_put_a_job_back_cancels_it_if_that_was_asked_for(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    hands = make_hands()
    delivery = take(hands)
    cancel(queue)

    answer = settle(hands, delivery, outcome, lane="@a", delay_s=30, error="broken")
    replayed = settle(hands, delivery, outcome, lane="@a", delay_s=30, error="broken")

    assert (answer.code, answer.delivery.job_id) == (Code.CANCELLED, "2")
    assert (replayed.code, replayed.delivery.job_id) == (Code.CANCELLED, "2")
    job = job_of(queue)
    assert (job.state, job.is_live, job.lane) == (JobState.CANCELLED, False, "main")
    is_retry = outcome is Outcome.RETRY
    assert (job.attempts, job.last_error) == ((1, "broken") if is_retry else (0, None))
    assert client.exists(queue.keys.lane("@a")) == client.zcard(queue.keys.delayed) == 0
    assert events_of(client, queue, "1") == ["enqueued", "started", "cancel_asked", "cancelled"]


@pytest.mark.parametrize(("outcome", "state"), [(Outcome.COMPLETE, "completed"), (Outcome.FAIL, "failed")])
def test_what_was_finished_after_the_request_is_what_it_is(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], outcome: Outcome, state: str
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    cancel(queue)

    assert settle(hands, delivery, outcome, error="no").code is Code.HELD

    job = job_of(queue)
    # The request stays there to be seen.
    assert (job.state.value, job.cancel_by) == (state, "ann")
    assert client.zcard(queue.keys.cancelled) == 0


def test_a_job_whose_lease_ran_out_is_cancelled_at_once_and_its_holder_is_told_that_it_lost_it(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    expire_lease(client, queue)

    assert cancel(queue) is Fate.DONE

    assert settle(hands, delivery, Outcome.COMPLETE).code is Code.LOST
    assert job_of(queue).state is JobState.CANCELLED
    assert client.xpending(queue.keys.lane("main"), "workers")["pending"] == 0


def test_a_recovered_job_is_cancelled_instead_of_put_back_if_that_was_asked_for(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    # Given a holder that was asked, and whose lease has run out
    queue.enqueue({}, job_id="1")
    hands = make_hands(lease_s=0.3)
    delivery = take(hands)
    cancel(queue)
    expire_lease(client, queue)
    wire = queue.make_wire("test")
    recovery = Sweep(keys=queue.keys, wire=wire, kept=queue.settings, settings=WorkerSettings(lease_s=0.3))

    # When another one sweeps
    swept = wait_until(lambda: found if (found := recovery.run_once()).cancelled else None, "the sweep")

    # Then the job is over, and the holder is told that it lost it
    wire.close()
    assert (swept.cancelled, swept.put_back) == (1, 0)
    assert job_of(queue).state is JobState.CANCELLED
    assert client.zcard(queue.keys.cancelled) == 1
    wait_until(lambda: hands.consumer.hold_name() is None, "the name")
    hands.consumer.find_own_pending()
    assert settle(hands, delivery, Outcome.COMPLETE).code is Code.LOST
    assert events_of(client, queue, "1") == ["enqueued", "started", "cancel_asked", "cancelled"]


def test_the_restart_of_a_dead_holder_that_was_asked_gets_the_next_job_instead(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    old = make_hands("w1")
    stale = take(old)
    cancel(queue)
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None

    assert take(new).job_id == "2"

    job = job_of(queue)
    assert (job.state, job.cancel_by, job.crashes) == (JobState.CANCELLED, "ann", 0)
    assert client.zrange(queue.keys.cancelled, 0, -1) == ["1"]
    assert settle(old, stale, Outcome.COMPLETE).code is Code.LOST


@pytest.mark.parametrize("how", ["sweep", "restart", "cancel"])
def test_the_crashes_of_a_job_that_was_called_off_stay_for_people_to_see(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], how: str
) -> None:
    # Given a job that crashed once, and whose next holder is lost too, after it was asked
    queue.enqueue({}, job_id="1")
    first = make_hands("w1", lease_s=0.3)
    take(first)
    second = make_hands("w1", lease_s=0.3, is_holding=False)
    assert second.take_name([first.consumer.instance]) is None
    assert take(second).crashes == 1
    cancel(queue)
    expire_lease(client, queue)

    # When somebody finds it
    if how == "sweep":
        with contextlib.closing(queue.make_wire("test")) as wire:
            settings = WorkerSettings(lease_s=0.3)
            recovery = Sweep(keys=queue.keys, wire=wire, kept=queue.settings, settings=settings)
            wait_until(lambda: recovery.run_once().cancelled, "the sweep")
    elif how == "restart":
        third = make_hands("w1", is_holding=False)
        wait_until(lambda: third.take_name() is None, "the name")
        assert third.fetch().delivery is None
    else:
        assert cancel(queue) is Fate.DONE

    # Then it says how often it had crashed before
    job = job_of(queue)
    assert (job.state, job.crashes) == (JobState.CANCELLED, 1)


def test_a_delivery_that_was_lost_on_the_way_isnt_made_again_after_the_request(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    hands = make_hands()
    take(hands)
    cancel(queue)

    assert take(hands).job_id == "2"
    assert job_of(queue).state is JobState.CANCELLED


def test_the_heartbeat_says_who_asked_and_why_and_renews_the_lease_all_the_same(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    consumer, keys = hands.consumer, queue.keys
    script_keys = [keys.worker("w1"), keys.workers, keys.job("1"), keys.lane("main")]
    args: list[str | int] = [
        "w1",
        consumer.instance,
        60_000,
        str(delivery.fence),
        delivery.token,
        delivery.hold.handed.entry_id,
    ]

    assert consumer.wire.run(load("heartbeat"), script_keys, args) == [1, 1]
    cancel(queue)
    before = float(client.hget(keys.job("1"), "lease_until_ms"))
    client.hset(keys.job("1"), "lease_until_ms", before - 20_000)

    assert consumer.wire.run(load("heartbeat"), script_keys, args) == [1, 1, "ann", "ordered twice"]
    assert float(client.hget(keys.job("1"), "lease_until_ms")) >= before


# -- with workers ------------------------------------------------------------------------------------------------------


def test_a_sleeping_handler_is_woken_by_the_request_and_its_job_is_cancelled(
    queue: Queue, client: Any, start_worker: Callable[..., Running]
) -> None:
    sleeping, woken = threading.Event(), list[Any]()

    def handler(delivery: Delivery) -> None:
        if delivery.job_id == "2":
            return
        sleeping.set()
        try:
            delivery.sleep(60)
        except Cancel as signal:
            woken.append((signal.reason, delivery.is_cancel_requested))
            raise

    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    start_worker(queue, handler, settings=QUICK)
    assert sleeping.wait(5)

    assert cancel(queue) is Fate.ASKED

    wait_until(is_cancelled(queue), "the job to be cancelled", timeout_s=3)
    assert woken == [("ordered twice", True)]
    wait_until(lambda: job_of(queue, "2").state is JobState.COMPLETED, "the next job")
    assert job_of(queue).last_error is None


@pytest.mark.parametrize(
    ("end", "last_error"),
    [
        (ValueError("broken off"), "ValueError: broken off"),
        (Snooze(0), None),
        (Release("@nobody"), None),
    ],
)
@pytest.mark.parametrize("max_attempts", [1, 3])
def test_however_a_handler_ends_that_was_asked_its_job_doesnt_run_again(
    queue: Queue,
    client: Any,
    start_worker: Callable[..., Running],
    end: Exception,
    last_error: str | None,
    max_attempts: int,
) -> None:
    runs: list[int] = []
    running = threading.Event()

    def handler(delivery: Delivery) -> None:
        runs.append(delivery.fence)
        running.set()
        wait_until(lambda: delivery.is_cancel_requested, "the request")
        raise end

    queue.enqueue({}, job_id="1")
    policy = RetryPolicy(max_attempts=max_attempts, wait=lambda _: 0.0)
    start_worker(queue, handler, settings=QUICK, policy=policy)
    assert running.wait(5)
    cancel(queue)

    wait_until(is_cancelled(queue), "the job to be cancelled", timeout_s=5)
    assert len(runs) == 1
    assert job_of(queue).last_error == last_error


@pytest.mark.parametrize(("end", "state"), [(None, JobState.COMPLETED), (Fail("no such object"), JobState.FAILED)])
def test_a_handler_that_comes_to_its_end_all_the_same_has_completed_or_failed_its_job(
    queue: Queue, start_worker: Callable[..., Running], end: Exception | None, state: JobState
) -> None:
    running = threading.Event()

    def handler(delivery: Delivery) -> None:
        running.set()
        wait_until(lambda: delivery.is_cancel_requested, "the request")
        if end is not None:
            raise end

    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, settings=QUICK)
    assert running.wait(5)
    cancel(queue)

    wait_until(lambda: job_of(queue).state is state, f"the job to be {state}", timeout_s=5)


def test_a_job_that_ran_too_long_after_the_request_is_cancelled(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    running = threading.Event()

    def handler(delivery: Delivery) -> None:
        running.set()
        wait_until(lambda: delivery.is_cancel_requested, "the request")
        wait_until(lambda: not delivery.lease.is_held(), "the end of its time")

    queue.enqueue({}, job_id="1", run_timeout_s=1.0)
    start_worker(queue, handler, settings=QUICK, policy=RetryPolicy(max_attempts=1))
    assert running.wait(5)
    cancel(queue)

    wait_until(is_cancelled(queue), "the job to be cancelled", timeout_s=5)
    assert "ran longer" in job_of(queue).last_error


def test_the_request_is_logged_once_and_a_stop_that_comes_later_doesnt_put_the_job_back(
    queue: Queue, start_worker: Callable[..., Running], caplog: pytest.LogCaptureFixture
) -> None:
    running = threading.Event()

    def handler(delivery: Delivery) -> None:
        running.set()
        wait_until(lambda: delivery.is_cancel_requested, "the request")
        # Some heartbeats long it goes on in peace.
        wait_until(lambda: delivery.is_stop_requested, "the stop")
        delivery.check()

    caplog.set_level("INFO", "rosq")
    queue.enqueue({}, job_id="1")
    worker = start_worker(queue, handler, settings=WorkerSettings(lease_s=0.3))
    assert running.wait(5)
    cancel(queue)
    told = [
        record
        for record in wait_until(
            lambda: [each for each in caplog.records if getattr(each, "event", "") == "cancel_asked"], "the log line"
        )
    ]
    worker.stop()

    assert [(record.by, record.reason) for record in told] == [("ann", "ordered twice")]  # type: ignore[attr-defined]
    assert job_of(queue).state is JobState.CANCELLED
    assert sum(getattr(each, "event", "") == "job_cancelled" for each in caplog.records) == 1


def test_cancelling_races_with_completion_and_every_job_ends_once(
    queue: Queue, client: Any, start_worker: Callable[..., Running]
) -> None:
    # Given workers whose jobs are over in no time, and somebody who cancels them from the other end
    rounds, size = 20, 30
    count = rounds * size
    runs: list[str] = []
    start_worker(queue, lambda delivery: runs.append(delivery.job_id), name="w1")
    start_worker(queue, lambda delivery: runs.append(delivery.job_id), name="w2")
    outcomes: dict[str, Fate] = {}
    for number in range(rounds):
        job_ids = [f"{number}-{each}" for each in range(size)]
        queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in job_ids])
        for job_id in reversed(job_ids):
            outcomes[job_id] = cancel(queue, job_id)

    def is_done() -> bool:
        return int(client.zcard(queue.keys.completed)) + int(client.zcard(queue.keys.cancelled)) == count

    wait_until(is_done, "all jobs to end")
    # Then what was told is what came of it: cancelled at once and never run, or run once and completed
    jobs = queue.find_jobs(outcomes)
    for job_id, outcome in outcomes.items():
        if outcome is Fate.DONE:
            assert (jobs[job_id].state, runs.count(job_id)) == (JobState.CANCELLED, 0)
        else:
            assert (jobs[job_id].state, runs.count(job_id)) == (JobState.COMPLETED, 1)
    assert {Fate.DONE, Fate.MOVED_ON} <= set(outcomes.values())
    assert client.xlen(queue.keys.lane("main")) == 0
    assert client.hget(queue.keys.meta, "cancelled_total") == str(client.zcard(queue.keys.cancelled))
