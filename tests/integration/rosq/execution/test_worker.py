"""The worker's loop, in a thread: outcomes, order of lanes, wake-up, names, stopping."""

from __future__ import annotations

import functools
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Delivery,
    Fail,
    JobSignal,
    JobState,
    LeaseLost,
    NewJob,
    Queue,
    Release,
    RetryPolicy,
    Snooze,
    WorkerNameTaken,
    WorkerSettings,
)
from rosq.clock import boot_time_s
from rosq.worker import make_consumer
from tests.integration.rosq.conftest import Hands, Running, events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

Start = "Callable[..., Running]"
FAST = RetryPolicy(wait=lambda _: 0.02)


class Script:
    """A handler that does, delivery by delivery, what a test wrote down; then returns."""

    def __init__(self, *steps: Any) -> None:
        self._steps = list(steps)
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        step = self._steps.pop(0) if self._steps else None
        if isinstance(step, BaseException):
            raise step
        if step is not None:
            step(delivery)


def wait_for_state(queue: Queue, job_id: str, state: JobState) -> Any:
    def look() -> Any:
        job = queue.find_job(job_id)
        return job if job is not None and job.state is state else None

    return wait_until(look, f"job {job_id} to be {state}")


# -- what handlers say -----------------------------------------------------------------------


def test_a_handler_that_returns_completes_the_job(queue: Queue, start_worker: Callable[..., Running]) -> None:
    handler = Script()
    start_worker(queue, handler)
    queue.enqueue({"order_id": 7}, job_id="1")

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert job.worker == "w1"
    assert handler.deliveries[0].data == {"order_id": 7}


def test_a_failing_handler_is_retried_until_its_attempts_are_spent(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    handler = Script(ValueError("one"), ValueError("two"), ValueError("three"))
    start_worker(queue, handler, policy=FAST)
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.FAILED)

    assert [delivery.attempt for delivery in handler.deliveries] == [1, 2, 3]
    assert [delivery.is_last_attempt for delivery in handler.deliveries] == [False, False, True]
    assert (job.attempts, job.last_error) == (3, "ValueError: three")
    assert events_of(client, queue, "1").count("retried") == 2


def test_snooze_and_release_spend_no_attempt_and_change_the_lane_if_told(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    handler = Script(Snooze(0.02), Snooze(0, lane="@w1"), Release(), Release("main"))
    start_worker(queue, handler, lanes=("@w1", "main"))
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert [delivery.lane for delivery in handler.deliveries] == ["main", "main", "@w1", "@w1", "main"]
    assert {delivery.attempt for delivery in handler.deliveries} == {1}
    assert job.attempts == 0
    fences = [delivery.fence for delivery in handler.deliveries]
    assert fences == sorted(set(fences))


def test_fail_fails_the_job_at_once_for_the_reason_given(queue: Queue, start_worker: Callable[..., Running]) -> None:
    start_worker(queue, Script(Fail("no such object")))
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.FAILED)

    assert (job.attempts, job.last_error) == (1, "no such object")


def test_a_lane_that_breaks_the_rule_or_an_unknown_signal_is_a_failed_attempt(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    class Strange(JobSignal):
        """Not one of ours."""

    def wrong(_: Delivery) -> None:
        raise Release("no lane")

    start_worker(queue, Script(wrong, Strange("what?")), policy=FAST)
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert (job.attempts, job.last_error) == (2, "Strange: what?")


def test_anothers_lease_being_lost_is_a_failed_attempt_of_this_job(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    start_worker(queue, Script(LeaseLost("another")), policy=FAST)
    queue.enqueue({}, job_id="1")

    assert wait_for_state(queue, "1", JobState.COMPLETED).attempts == 1


def test_a_released_job_goes_to_whoever_else_is_there(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    names: list[str] = []

    def not_me(_: Delivery) -> None:
        names.append("w1")
        raise Release

    start_worker(queue, not_me, name="w1")
    queue.enqueue({}, job_id="1")
    wait_until(lambda: names, "the first delivery")
    start_worker(queue, lambda _: names.append("w2"), name="w2")

    wait_for_state(queue, "1", JobState.COMPLETED)

    assert names[-1] == "w2"


# -- lanes -----------------------------------------------------------------------------------


def test_jobs_of_the_own_lane_dont_starve_the_others(queue: Queue, start_worker: Callable[..., Running]) -> None:
    queue.enqueue_many([NewJob(job_id=f"own{number}", data={}, lane="@w1") for number in range(3)])
    queue.enqueue_many([NewJob(job_id=f"new{number}", data={}) for number in range(3)])
    handler = Script()

    start_worker(queue, handler, lanes=("@w1", "urgent", "main"))
    wait_until(lambda: len(handler.deliveries) == 6, "all")

    lanes = [delivery.lane for delivery in handler.deliveries]
    assert lanes == ["@w1", "main", "@w1", "main", "@w1", "main"]


def test_the_lanes_may_change_and_wake_makes_an_idle_worker_look_again(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    lanes: list[str] = []
    handler = Script()
    running = start_worker(queue, handler, lanes=lambda: list(lanes), settings=WorkerSettings(round_s=60))
    queue.enqueue({}, job_id="1")
    wait_until(lambda: queue.find_job("1") and running.worker._is_holding, "the worker")
    assert handler.deliveries == []

    lanes.append("main")
    running.worker.wake()

    wait_for_state(queue, "1", JobState.COMPLETED)


# -- wake-up ---------------------------------------------------------------------------------


def _has_length(found: list[float], length: int) -> bool:
    return len(found) == length


def wait_until_blocked(client: Any, count: int = 1) -> None:
    wait_until(lambda: int(client.info("clients")["blocked_clients"]) >= count, f"{count} sleeping workers")


def test_an_idle_worker_starts_a_new_job_at_once(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    started: list[float] = []
    start_worker(own_queue, lambda _: started.append(boot_time_s()))
    with own_redis.client() as client:
        for number in range(5):
            wait_until_blocked(client)
            enqueued_s = boot_time_s()
            own_queue.enqueue({}, job_id=str(number))
            wait_until(functools.partial(_has_length, started, number + 1), "the start")
            assert started[-1] - enqueued_s < 0.5


def test_an_idle_worker_starts_a_delayed_job_when_it_is_due(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    started: list[float] = []
    start_worker(own_queue, lambda _: started.append(boot_time_s()))
    with own_redis.client() as client:
        wait_until_blocked(client)
        began_s = boot_time_s()
        for number, delay_s in enumerate((0.6, 0.3, 0.9)):
            own_queue.enqueue({}, job_id=str(number), delay_s=delay_s)
        wait_until(lambda: len(started) == 3, "all three")

    assert [round(at_s - began_s - due_s, 3) for at_s, due_s in zip(started, (0.3, 0.6, 0.9), strict=True)] == [
        pytest.approx(0.1, abs=0.1)
    ] * 3


def test_a_delayed_job_is_watched_for_by_another_when_its_watcher_starts_working(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    # Given two idle workers, and a job due in half a second that one of them watches for
    started: dict[str, float] = {}
    done = threading.Event()

    def handler(delivery: Delivery) -> None:
        started[delivery.job_id] = boot_time_s()
        if delivery.job_id == "long":
            done.wait(10)

    settings = WorkerSettings(round_s=60)
    for name in ("w1", "w2"):
        start_worker(own_queue, handler, name=name, settings=settings)
    with own_redis.client() as client:
        wait_until_blocked(client, 2)
        due_s = boot_time_s() + 0.5
        own_queue.enqueue({}, job_id="delayed", delay_s=0.5)

        # When each of them might be the one that takes a long job
        own_queue.enqueue({}, job_id="long")

        # Then the delayed one starts in time all the same
        wait_until(lambda: "delayed" in started, "the delayed job", 5)
    assert started["delayed"] - due_s < 0.3
    done.set()


def test_many_jobs_wake_many_workers(own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]) -> None:
    together = threading.Barrier(4, timeout=10)
    for number in range(4):
        start_worker(own_queue, lambda _: together.wait() and None, name=f"w{number}")
    with own_redis.client() as client:
        wait_until_blocked(client, 4)

    # Each waits for all the others: it only ends if one ring wakes all four.
    own_queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(4)])

    for number in range(4):
        wait_for_state(own_queue, str(number), JobState.COMPLETED)


def test_an_idle_worker_sends_no_commands(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    start_worker(own_queue, Script(), settings=WorkerSettings(lease_s=30, round_s=30))
    own_queue.enqueue({}, job_id="1")
    wait_for_state(own_queue, "1", JobState.COMPLETED)
    with own_redis.client() as client:
        wait_until_blocked(client)
        before = int(client.info("stats")["total_commands_processed"])
        quiet_until_s = boot_time_s() + 1.0
        wait_until(lambda: boot_time_s() > quiet_until_s, "a quiet second", every_s=0.2)
        after = int(client.info("stats")["total_commands_processed"])

    # The two INFOs are ours.
    assert after - before <= 1


def test_one_job_costs_one_round_trip_in_the_steady_state(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    own_queue.enqueue_many([NewJob(job_id=str(number), data={"order_id": number}) for number in range(300)])
    with own_redis.client() as client:
        client.config_resetstat()
        handler = Script()
        running = start_worker(own_queue, handler)
        wait_until(lambda: len(handler.deliveries) == 300, "all", every_s=0.05)
        running.stop()
        # What scripts call inside isn't a round trip: what counts are the calls of the scripts.
        stats = client.info("commandstats")
        calls = sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval"))

    assert calls <= 320


# -- names -----------------------------------------------------------------------------------


def test_a_second_worker_of_a_name_leaves_if_it_isnt_to_wait(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    held = threading.Event()
    start_worker(queue, Script(), name="w1", on_hold=held.set)
    assert held.wait(5)

    second = start_worker(queue, Script(), name="w1", is_waiting_for_name=False)
    second.join()

    assert isinstance(second.error, WorkerNameTaken)
    assert "w1 runs already" in str(second.error)


def test_a_standby_takes_over_at_once_when_the_holder_leaves(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    held: list[str] = []
    first = start_worker(queue, Script(), name="w1", on_hold=lambda: held.append("first"))
    wait_until(lambda: held, "the first one's hold")
    start_worker(queue, Script(), name="w1", on_hold=lambda: held.append("second"))

    first.stop()

    wait_until(lambda: held == ["first", "second"], "the second one's hold", 5)
    assert first.error is None


def test_the_outside_is_told_before_the_first_fetch_and_each_time_the_name_is_taken_again(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    story: list[str] = []
    queue.enqueue({}, job_id="1")
    start_worker(queue, lambda delivery: story.append(delivery.job_id), on_hold=lambda: story.append("held"))
    wait_for_state(queue, "1", JobState.COMPLETED)

    client.delete(queue.keys.worker("w1"))
    queue.enqueue({}, job_id="2")

    wait_for_state(queue, "2", JobState.COMPLETED)
    assert story == ["held", "1", "held", "2"]


def test_an_idle_worker_notices_a_lost_name_with_its_next_heartbeat(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    held: list[int] = []
    settings = WorkerSettings(lease_s=0.6, round_s=60)
    start_worker(queue, Script(), settings=settings, on_hold=lambda: held.append(1))
    wait_until(lambda: held, "the hold")

    client.delete(queue.keys.worker("w1"))

    wait_until(lambda: len(held) == 2, "the second hold", 5)


def test_what_on_hold_raises_ends_the_worker_and_frees_the_name(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    def refuse() -> None:
        raise LookupError("no such account")

    running = start_worker(queue, Script(), on_hold=refuse)
    running.join()

    assert isinstance(running.error, LookupError)
    assert client.exists(queue.keys.worker("w1")) == 0


# -- leases ----------------------------------------------------------------------------------


def test_the_heartbeat_keeps_a_job_far_longer_than_its_lease(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    handler = Script(lambda delivery: delivery.sleep(3.2))
    start_worker(queue, handler, settings=WorkerSettings(lease_s=1.0))
    start_worker(queue, handler, name="w2", settings=WorkerSettings(lease_s=1.0))
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert len(handler.deliveries) == 1
    assert (job.attempts, job.crashes) == (0, 0)


def test_a_handler_learns_that_its_job_was_taken_and_its_result_counts_for_nothing(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running]
) -> None:
    learned: list[str] = []
    taken = threading.Event()

    def handler(delivery: Delivery) -> None:
        if taken.is_set():
            return
        client.hset(queue.keys.job("1"), "token", "another-delivery")
        taken.set()
        try:
            delivery.sleep(30)
        except LeaseLost as error:
            learned.append(error.reason)
            raise

    start_worker(queue, handler, settings=WorkerSettings(lease_s=0.6))
    queue.enqueue({}, job_id="1")

    wait_until(lambda: learned, "the handler to learn it", 5)
    assert "another delivery has the job" in learned[0]
    # Nobody settled it, so it comes back to its name.
    assert wait_for_state(queue, "1", JobState.COMPLETED).attempts == 0


def test_a_job_that_runs_too_long_is_taken_away_as_a_failed_attempt(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    handler = Script(lambda delivery: delivery.sleep(30))
    start_worker(queue, handler, policy=FAST, settings=WorkerSettings(lease_s=3, run_timeout_s=0.2))
    queue.enqueue({}, job_id="1")

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert (job.attempts, job.crashes) == (1, 0)
    assert "ran longer than 0.2 s" in job.last_error


def test_a_deaf_handler_that_runs_too_long_loses_its_job_to_another_worker(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    done, hung = threading.Event(), threading.Event()

    def deaf(_: Delivery) -> None:
        hung.set()
        done.wait(10)

    settings = WorkerSettings(lease_s=0.45, run_timeout_s=0.3, grace_s=0)
    first = start_worker(queue, deaf, name="w1", settings=settings)
    queue.enqueue({}, job_id="1")
    assert hung.wait(5)
    start_worker(queue, Script(), name="w2", settings=WorkerSettings(lease_s=0.45))

    job = wait_for_state(queue, "1", JobState.COMPLETED)

    assert job.worker == "w2"
    done.set()
    first.stop()


# -- stopping --------------------------------------------------------------------------------


def test_a_stop_before_the_start_ends_the_run_at_once(queue: Queue, start_worker: Callable[..., Running]) -> None:
    from rosq import Worker

    worker = Worker(queue, Script(), name="w1")
    worker.request_stop()
    worker.run()

    with pytest.raises(RuntimeError, match="make a new one"):
        worker.run()


def test_signals_asked_for_off_the_main_thread_are_refused_and_the_worker_can_still_run(queue: Queue) -> None:
    from rosq import Worker

    worker, raised = Worker(queue, Script(), name="w1"), []

    def run() -> None:
        try:
            worker.run(stop_on=[signal.SIGTERM])
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(5)
    worker.request_stop()
    worker.run()

    assert ["main thread" in text for text in raised] == [True]


def test_an_idle_worker_stops_at_once_and_again_is_harmless(
    own_redis: Any, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    running = start_worker(own_queue, Script(), settings=WorkerSettings(round_s=60))
    with own_redis.client() as client:
        wait_until_blocked(client)
        running.stop(timeout_s=3)
        running.worker.request_stop()
        running.worker.wake()

        assert running.error is None
        assert client.exists(own_queue.keys.worker("w1")) == 0


def test_a_stop_finishes_the_job_in_hand_and_takes_no_other(queue: Queue, start_worker: Callable[..., Running]) -> None:
    working, go_on = threading.Event(), threading.Event()

    def handler(delivery: Delivery) -> None:
        working.set()
        go_on.wait(10)
        assert delivery.is_stop_requested

    running = start_worker(queue, handler)
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    assert working.wait(5)
    running.worker.request_stop()
    go_on.set()
    running.join()

    assert wait_for_state(queue, "1", JobState.COMPLETED).attempts == 0
    assert wait_for_state(queue, "2", JobState.WAITING)


def test_a_job_that_was_on_its_way_when_the_stop_was_asked_for_isnt_begun(
    redis_server: Any, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    # Given a worker that is asked to stop while the answer with its next job travels
    running: list[Running] = []
    ready = threading.Event()

    class SlowQueue(Queue):
        pass

    @make_consumer.register(SlowQueue)
    def _(queue: Queue, **parts: Any) -> Any:
        consumer = make_consumer.dispatch(Queue)(queue, **parts)
        fetch = consumer.exchange

        def exchange(*args: Any, **options: Any) -> Any:
            answer = fetch(*args, **options)
            if answer.hand_out is not None:
                assert ready.wait(5)
                running[0].worker.request_stop()
            return answer

        consumer.exchange = exchange  # type: ignore[method-assign]
        return consumer

    handler = Script()
    queue.enqueue({}, job_id="1")
    with SlowQueue(queue.redis_settings, queue.name) as slow:
        running.append(start_worker(slow, handler))
        ready.set()
        running[0].join()

    job = wait_for_state(queue, "1", JobState.WAITING)
    assert handler.deliveries == []
    assert (job.attempts, job.crashes, job.is_live) == (0, 0, True)


@pytest.mark.parametrize("requests", [1, 2])
def test_past_the_grace_or_asked_twice_the_job_is_released_without_an_attempt(
    queue: Queue, client: redis.Redis, start_worker: Callable[..., Running], requests: int
) -> None:
    working = threading.Event()

    def handler(delivery: Delivery) -> None:
        working.set()
        delivery.sleep(60)

    running = start_worker(queue, handler, settings=WorkerSettings(grace_s=0.3 if requests == 1 else 60))
    queue.enqueue({}, job_id="1")
    assert working.wait(5)
    for _ in range(requests):
        running.worker.request_stop()
    running.join(5)

    job = wait_for_state(queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes, job.is_live) == (0, 0, True)
    assert events_of(client, queue, "1") == ["enqueued", "started", "released"]


def test_a_deaf_handlers_job_is_released_for_it_and_its_late_end_counts_for_nothing(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    working, go_on = threading.Event(), threading.Event()

    def deaf(_: Delivery) -> None:
        working.set()
        go_on.wait(20)

    running = start_worker(queue, deaf, settings=WorkerSettings(grace_s=0.1, exit_s=10))
    queue.enqueue({}, job_id="1")
    assert working.wait(5)
    running.worker.request_stop()

    job = wait_for_state(queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes) == (0, 0)
    go_on.set()
    running.join()
    assert wait_for_state(queue, "1", JobState.WAITING)


@pytest.mark.parametrize("way_out", [SystemExit(0), KeyboardInterrupt()], ids=repr)
def test_a_stop_that_reaches_the_handler_as_an_exception_gives_the_job_back(
    queue: Queue, start_worker: Callable[..., Running], way_out: BaseException
) -> None:
    def stop(_: Delivery) -> None:
        running.worker.request_stop()
        raise way_out

    running = start_worker(queue, stop)
    queue.enqueue({}, job_id="1")
    running.join()

    assert running.error is None
    job = wait_for_state(queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes) == (0, 0)


def test_the_age_of_the_last_round_tells_an_idle_worker_from_a_stuck_one(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    running = start_worker(queue, Script(), settings=WorkerSettings(round_s=0.1))
    wait_until(lambda: running.worker._is_holding, "the hold")
    ages = []

    for _ in range(10):
        wait_until(lambda: running.worker.last_round_age_s() < 0.05, "a finished round")
        ages.append(running.worker.last_round_age_s())

    assert max(ages) < 0.05


def test_hands_without_a_loop_and_a_worker_dont_share_a_name(
    queue: Queue, make_hands: Callable[..., Hands], start_worker: Callable[..., Running]
) -> None:
    make_hands("w1")
    held: list[int] = []
    running = start_worker(queue, Script(), name="w1", on_hold=lambda: held.append(1))

    running.stop()

    assert held == []
