"""Progress and log lines that a handler keeps with its job."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Cancel,
    Delivery,
    InvalidData,
    InvalidSettings,
    JobState,
    LeaseLost,
    Queue,
    QueueSettings,
    RetryPolicy,
    WorkerSettings,
)
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts.loader import load
from tests.integration.rosq.conftest import Hands, Running, events_of, settings_of
from tests.integration.rosq.proxy import swallowing_proxy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import RedisServer


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


@pytest.fixture
def delivery(queue: Queue, make_hands: Callable[..., Hands]) -> Delivery:
    """A job in hand."""
    queue.enqueue({"order_id": 1}, job_id="1")
    return take(make_hands())


def job_of(queue: Queue) -> Any:
    job = queue.find_job("1")
    assert job is not None
    return job


def texts_of(queue: Queue) -> list[str]:
    return [line.text for line in job_of(queue).log]


@pytest.mark.parametrize("value", [0, 0.4, "half", {"page": 3, "of": 7}, [1, "ü"], None, True])
def test_the_last_progress_stays_with_the_job(queue: Queue, delivery: Delivery, value: Any) -> None:
    assert delivery.report_progress("first")
    assert delivery.report_progress(value)

    job = job_of(queue)
    assert job.progress == value
    assert job.started_at <= job.progress_at
    assert (job.state, job.log) == (JobState.ACTIVE, ())


def test_logged_lines_stay_with_the_job_in_order_each_with_its_time(queue: Queue, delivery: Delivery) -> None:
    delivery.log("opened the page")
    delivery.log("first\n\nsecond\n")

    job = job_of(queue)
    assert [line.text for line in job.log] == ["opened the page", "first", "second"]
    assert job.started_at <= job.log[0].at <= job.log[1].at == job.log[2].at


def test_nothing_in_a_line_is_obeyed_by_a_terminal(queue: Queue, delivery: Delivery) -> None:
    delivery.log("a\tb\r\n\x1b[31mred\x00 \u202eback \ud800")

    assert texts_of(queue) == ["a b", "\\x1b[31mred\\x00 \\u202eback \\ud800"]


def test_an_empty_text_leaves_nothing(queue: Queue, client: Any, delivery: Delivery) -> None:
    before = client.hgetall(queue.keys.job("1"))

    assert delivery.log("\n\n")

    assert client.hgetall(queue.keys.job("1")) == before


def test_of_too_many_lines_the_newest_are_kept(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    delivery = take(make_hands(settings=QueueSettings(max_log_lines=3)))

    for number in range(5):
        delivery.log(f"line {number}")
    assert texts_of(queue) == ["line 2", "line 3", "line 4"]

    delivery.log("\n".join(f"many {number}" for number in range(9)))
    assert texts_of(queue) == ["many 6", "many 7", "many 8"]


def test_of_too_long_a_log_the_newest_lines_are_kept_whole(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    delivery = take(make_hands(settings=QueueSettings(max_log_bytes=100)))

    # With its time and its end such a line takes 25 bytes: four of them, less the last one's end, are 99.
    for number in range(9):
        delivery.log(f"line {number:05d}")
    assert texts_of(queue) == [f"line {number:05d}" for number in range(5, 9)]
    assert len(client.hget(queue.keys.job("1"), "log")) == 99

    delivery.log("ü" * 500)
    (line,) = texts_of(queue)
    assert line.endswith("ü…")
    assert len(client.hget(queue.keys.job("1"), "log").encode()) <= 100


def test_a_line_as_long_as_may_be_is_kept_to_the_last_letter(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    delivery = take(make_hands(settings=QueueSettings(max_log_bytes=64)))

    delivery.log("x" * 50)

    assert texts_of(queue) == ["x" * 50]


@pytest.mark.parametrize("value", ["x" * 2_000, float("nan"), {"a": object()}])
def test_a_progress_that_cant_be_kept_is_refused(queue: Queue, delivery: Delivery, value: Any) -> None:
    with pytest.raises(InvalidData):
        delivery.report_progress(value)

    assert job_of(queue).progress_at is None


@pytest.mark.parametrize("setting", [{"max_log_lines": 0}, {"max_log_bytes": 20}, {"max_progress_bytes": 0}])
def test_settings_without_room_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(InvalidSettings):
        QueueSettings(**setting)


# -- who may write -----------------------------------------------------------------------------------------------------


def test_a_stale_holder_cant_write_and_learns_that_it_lost_the_job(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    # Given a job that came back to another process of the name
    queue.enqueue({}, job_id="1")
    old = make_hands("w1")
    stale = take(old)
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None
    fresh = take(new)
    fresh.log("mine")
    before = client.hgetall(queue.keys.job("1"))

    # When the old one writes
    for write in (lambda: stale.report_progress(1), lambda: stale.log("late")):
        with pytest.raises(LeaseLost):
            write()

    # Then nothing is written, and it knows
    assert client.hgetall(queue.keys.job("1")) == before
    assert not stale.lease.is_held()


def test_nothing_is_kept_once_the_job_is_settled_or_gone(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    first = take(hands)
    hands.consumer.exchange(Settlement(delivery=first, outcome=Outcome.SNOOZE), (), is_fetching=False)
    with pytest.raises(LeaseLost, match="settled"):
        first.log("late")
    second = take(hands)
    client.delete(queue.keys.job("1"))
    with pytest.raises(LeaseLost, match="doesn't know"):
        second.log("late")

    assert client.exists(queue.keys.job("1")) == 0


def test_a_lease_that_ran_out_writes_as_long_as_nobody_took_the_job(
    queue: Queue, client: Any, delivery: Delivery
) -> None:
    client.hset(queue.keys.job("1"), "lease_until_ms", 1)
    delivery.lease._until_s = 0.0

    assert delivery.report_progress(1)
    assert job_of(queue).progress == 1

    # A lease that has run out is anybody's to end.
    queue.cancel("1", by="ann", reason="a test")
    with pytest.raises(LeaseLost):
        delivery.report_progress(2)
    assert job_of(queue).progress == 1


def test_a_report_is_no_sign_of_life(queue: Queue, client: Any, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    hands.consumer.abandon(take(hands), is_crash=True)
    delivery = take(hands)
    lease = client.hget(queue.keys.job("1"), "lease_until_ms")

    delivery.report_progress(1)
    delivery.log("working")

    assert client.hget(queue.keys.job("1"), "lease_until_ms") == lease
    assert job_of(queue).crashes == 1


# -- with workers, faults and steering ---------------------------------------------------------------------------------


def test_progress_and_log_outlast_a_retry_and_the_end_and_begin_anew_with_a_reopening(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    def handler(delivery: Delivery) -> None:
        delivery.log(f"attempt {delivery.attempt}")
        if delivery.attempt == 1:
            delivery.report_progress(0.5)
            raise ValueError("once")

    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, policy=RetryPolicy(wait=lambda _: 0.0))

    wait_until(lambda: job_of(queue).state is JobState.COMPLETED, "the job's end")
    assert (job_of(queue).progress, texts_of(queue)) == (0.5, ["attempt 1", "attempt 2"])


def test_threads_of_a_handler_may_write_at_once_while_the_heartbeat_goes_on(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    def handler(delivery: Delivery) -> None:
        def write(name: int) -> None:
            for number in range(20):
                delivery.log(f"{name}:{number}")
                delivery.report_progress(number)

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # What one that was left behind says later must not get between the loop and its answers.
        left.append(delivery)

    left: list[Delivery] = []
    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, settings=WorkerSettings(lease_s=0.3))
    wait_until(lambda: job_of(queue).state is JobState.COMPLETED, "the job's end")

    assert sorted(texts_of(queue)) == sorted(f"{name}:{number}" for name in range(4) for number in range(20))
    with pytest.raises(LeaseLost):
        left[0].log("late")


def test_a_handler_that_reports_learns_of_a_request_to_cancel_at_once(
    queue: Queue, start_worker: Callable[..., Running]
) -> None:
    running, asked = threading.Event(), threading.Event()

    def handler(delivery: Delivery) -> None:
        running.set()
        assert asked.wait(5)
        delivery.report_progress(1)
        with pytest.raises(Cancel):
            delivery.check()
        delivery.check()

    queue.enqueue({}, job_id="1")
    # No heartbeat comes in the time of this test.
    start_worker(queue, handler, settings=WorkerSettings(lease_s=120))
    assert running.wait(5)
    queue.cancel("1", by="ann", reason="ordered twice")
    asked.set()

    wait_until(lambda: job_of(queue).state is JobState.CANCELLED, "the job to be cancelled", timeout_s=5)


def test_what_was_answered_outlasts_the_death_of_the_worker(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    first = make_hands("w1")
    take(first).log("before")
    second = make_hands("w1", is_holding=False)
    assert second.take_name([first.consumer.instance]) is None

    take(second).log("after")

    assert texts_of(queue) == ["before", "after"]


def test_a_note_whose_answer_is_lost_fails_no_job_and_is_kept_nevertheless(
    queue: Queue, client: Any, redis_server: RedisServer, start_worker: Callable[..., Running]
) -> None:
    answers: list[bool] = []
    with swallowing_proxy(redis_server.host, redis_server.port) as proxy:

        def handler(delivery: Delivery) -> None:
            answers.append(delivery.log("first"))
            proxy.swallow_next(load("note").sha)
            answers.append(delivery.log("second"))
            answers.append(delivery.log("third"))

        near = settings_of(redis_server)
        far_settings = type(near)(port=proxy.port, db=near.db, password=near.password)
        with Queue(far_settings, queue.name) as far_queue:
            queue.enqueue({}, job_id="1")
            start_worker(far_queue, handler)
            wait_until(lambda: job_of(queue).state is JobState.COMPLETED, "the job's end")

    assert answers == [True, False, True]
    assert texts_of(queue) == ["first", "second", "third"]
    assert events_of(client, queue, "1") == ["enqueued", "started", "completed"]
