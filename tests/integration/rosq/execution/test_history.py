"""What became of every delivery of a job: recorded by retry, snooze, release, fail, recover, fetch, reopen, restart."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import Delivery, DeliveryOutcome, Fail, JobState, NewJob, Queue, QueueSettings, RetryPolicy, WorkerSettings
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts.loader import Code
from rosq.steering import Steering
from tests.deliveries import forge
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.sweep import Sweep
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq import Job
    from tests.servers import RedisServer

ENDED = {
    Outcome.FAIL: DeliveryOutcome.FAILED,
    Outcome.RETRY: DeliveryOutcome.RETRIED,
    Outcome.SNOOZE: DeliveryOutcome.SNOOZED,
    Outcome.RELEASE: DeliveryOutcome.RELEASED,
}
BROKEN = {"error": "KeyError: 'a'", "error_class": "KeyError", "trace": "x.py:1 f: d['a']"}


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


def end(hands: Hands, delivery: Delivery, outcome: Outcome, **options: Any) -> Any:
    """Settle a delivery and fetch nothing: the next one is the test's to ask for."""
    settlement = Settlement(delivery=delivery, outcome=outcome, **options)
    return hands.consumer.exchange(settlement, ("main",), is_fetching=False).code


def job_of(queue: Queue, job_id: str = "1") -> Job:
    job = queue.find_job(job_id)
    assert job is not None
    return job


def outcomes(job: Job) -> list[tuple[str, int]]:
    return [(record.outcome.value, record.count) for record in job.history]


# -- what is recorded --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", list(ENDED))
def test_a_settled_delivery_is_in_the_history_with_who_when_and_fence(
    queue: Queue, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands("worker-1")
    delivery = take(hands)
    started_at = job_of(queue).started_at

    assert end(hands, delivery, outcome, **(BROKEN if outcome in (Outcome.FAIL, Outcome.RETRY) else {})) == 1

    job = job_of(queue)
    [record] = job.history
    assert (record.outcome, record.worker, record.fence) == (ENDED[outcome], "worker-1", delivery.fence)
    assert record.started_at == record.first_started_at == started_at
    assert record.ended_at is not None
    assert 0 <= (record.ended_at - record.started_at).total_seconds() < 10
    is_error = outcome in (Outcome.FAIL, Outcome.RETRY)
    told = ("KeyError", "KeyError: 'a'", BROKEN["trace"]) if is_error else (None, None, None)
    assert (record.error_class, record.error, record.trace) == told
    assert job.error_class == ("KeyError" if is_error else None)


def test_a_completed_first_attempt_costs_no_record_and_is_told_all_the_same(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands("w1")
    delivery = take(hands)
    [running] = job_of(queue).history

    end(hands, delivery, Outcome.COMPLETE)

    [completed] = job_of(queue).history
    assert (running.outcome, running.ended_at, running.fence) == (DeliveryOutcome.RUNNING, None, delivery.fence)
    assert (completed.outcome, completed.worker, completed.fence) == (DeliveryOutcome.COMPLETED, "w1", delivery.fence)
    assert completed.ended_at == job_of(queue).finished_at
    assert not client.hexists(queue.keys.job("1"), "history")


def test_a_repeated_settle_records_nothing_twice_and_a_refused_one_nothing(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    for number, outcome in enumerate(ENDED):
        queue.enqueue({}, job_id=str(number))
        delivery = take(hands)
        stale = forge(delivery, token="another")
        assert end(hands, stale, outcome) is Code.LOST
        assert not client.hexists(queue.keys.job(str(number)), "history")

        assert end(hands, delivery, outcome, lane="@a", delay_s=60) is Code.HELD
        before = client.hgetall(queue.keys.job(str(number)))
        assert end(hands, delivery, outcome, lane="@a", delay_s=60) is Code.ALREADY_SETTLED

        assert client.hgetall(queue.keys.job(str(number))) == before
        assert outcomes(job_of(queue, str(number))) == [(ENDED[outcome].value, 1)]


def test_a_crash_is_recorded_with_the_holder_that_is_gone_by_recovery_and_by_its_restart(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    # Given a job whose holder's lease ran out
    queue.enqueue({}, job_id="1")
    lost = take(make_hands("gone", lease_s=0.3))

    # When another worker's sweep takes it, and then that one dies too and starts again
    kept, settings = QueueSettings(crash_pause_s=0), WorkerSettings(lease_s=0.3)
    wire = queue.make_wire("test")
    recovery = Sweep(keys=queue.keys, wire=wire, kept=kept, settings=settings)
    assert wait_until(lambda: recovery.run_once().put_back, "the lease to run out") == 1
    wire.close()
    first = make_hands("w2")
    second = take(first)
    restarted = make_hands("w2", is_holding=False)
    assert restarted.take_name([first.consumer.instance]) is None
    third = take(restarted)

    # Then both are in the history
    crash, again, running = job_of(queue).history
    assert (crash.outcome, crash.worker, crash.fence) == (DeliveryOutcome.CRASHED, "gone", lost.fence)
    assert (again.outcome, again.worker, again.fence) == (DeliveryOutcome.CRASHED, "w2", second.fence)
    assert (running.outcome, running.fence) == (DeliveryOutcome.RUNNING, third.fence)


def test_a_job_that_crashed_too_often_ends_with_its_last_crash(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    dead: list[str] = []
    for _ in range(3):
        hands = make_hands("w1", settings=QueueSettings(max_crashes=2), is_holding=False)
        assert hands.take_name(dead) is None
        hands.fetch()
        dead.append(hands.consumer.instance)

    job = job_of(queue)
    assert job.state is JobState.FAILED
    assert outcomes(job) == [("crashed", 1), ("crashed", 1)]
    assert job.error_class is None


def test_what_a_repair_puts_back_has_the_crash_in_its_history(
    queue: Queue, client: redis.Redis, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    delivery = take(make_hands("w1"))
    client.xack(queue.keys.lane("main"), "workers", delivery.hold.handed.entry_id)
    client.hset(queue.keys.job("1"), "lease_until_ms", 1)

    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name}
    result = CliRunner().invoke(main, ["repair", "--why", "a test", "--by", "ann"], env=env)

    assert result.exit_code == 0, result.output
    [crash] = job_of(queue).history
    assert (crash.outcome, crash.fence, job_of(queue).state) == (
        DeliveryOutcome.CRASHED,
        delivery.fence,
        JobState.WAITING,
    )


def test_a_hand_out_whose_answer_was_lost_is_told_as_repeated(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    take(hands)
    take(hands)
    last = take(hands)

    assert outcomes(job_of(queue)) == [("repeated", 2), ("running", 1)]
    assert job_of(queue).history[-1].fence == last.fence


def test_the_history_outlives_reopen_and_restart(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    queue.enqueue({}, job_id="1")
    end(hands, take(hands), Outcome.COMPLETE)
    queue.reopen(NewJob(job_id="1", data={}))
    end(hands, take(hands), Outcome.FAIL, **BROKEN)
    with Steering(settings_of(redis_server), queue.name, by="ann", reason="again") as steering:
        steering.retry(list(steering.see(["1"]).values()))
    queue_outcomes = outcomes(job_of(queue))
    end(hands, take(hands), Outcome.FAIL, **BROKEN)
    queue.reopen(NewJob(job_id="1", data={}))

    assert queue_outcomes == [("completed", 1), ("failed", 1)]
    assert outcomes(job_of(queue)) == [("completed", 1), ("failed", 1), ("failed", 1)]


# -- how it stays small ------------------------------------------------------------------------------------------------


def test_a_long_poll_is_one_record_and_stays_in_the_compact_encoding(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 123456}, job_id="1")
    hands = make_hands("worker-1")
    first_started_at = None
    for _ in range(50):
        delivery = take(hands)
        first_started_at = first_started_at or job_of(queue).started_at
        end(hands, delivery, Outcome.SNOOZE)

    [record] = job_of(queue).history
    assert (record.count, record.first_started_at) == (50, first_started_at)
    assert record.started_at > record.first_started_at
    assert client.object("encoding", queue.keys.job("1")) in ("listpack", "ziplist")  # as 6.2 calls it


def test_a_hundred_attempts_keep_the_newest_twenty_and_say_how_many_are_gone(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    fences = []
    for number in range(100):
        delivery = take(hands)
        fences.append(delivery.fence)
        end(hands, delivery, Outcome.RETRY, error=f"number {number}", error_class="ValueError")

    job = job_of(queue)
    assert [record.fence for record in job.history] == fences[-20:]
    assert (job.history_dropped, job.attempts) == (80, 100)


def test_snoozes_and_releases_push_no_failure_out(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands(settings=QueueSettings(keep_deliveries=4))
    end(hands, take(hands), Outcome.RETRY, **BROKEN)
    for _ in range(30):
        end(hands, take(hands), Outcome.SNOOZE)
        end(hands, take(hands), Outcome.RELEASE)
    end(hands, take(hands), Outcome.RETRY, **BROKEN)

    job = job_of(queue)
    assert outcomes(job) == [("retried", 1), ("snoozed", 1), ("released", 1), ("retried", 1)]
    assert job.history_dropped == 58


def test_huge_traces_cost_bounded_bytes_and_the_newest_keeps_its_own(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    for number in range(30):
        trace = f"{number}: " + "ж" * 1000
        end(hands, take(hands), Outcome.RETRY, error="ошибка «ж» " * 500, error_class="ОшибкаПортала", trace=trace)

    job = job_of(queue)
    size = client.hstrlen(queue.keys.job("1"), "history")
    assert size <= 16_384
    assert len(job.history) == 20
    assert job.history_dropped == 10
    with_trace = [record for record in job.history if record.trace]
    assert 1 < len(with_trace) < 20
    assert with_trace == list(job.history[-len(with_trace) :])
    assert with_trace[-1].trace == "29: " + "ж" * 1000
    assert (with_trace[-1].error_class, (with_trace[-1].error or "")[:8]) == ("ОшибкаПортала", "ошибка «")


def test_nothing_is_kept_where_nothing_is_asked_for(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands(settings=QueueSettings(keep_deliveries=0))
    end(hands, take(hands), Outcome.RETRY, **BROKEN)
    end(hands, take(hands), Outcome.FAIL, **BROKEN)

    assert not client.hexists(queue.keys.job("1"), "history")
    # What the hash's other fields say of the last one is there without.
    [failed] = job_of(queue).history
    assert (failed.outcome, failed.error_class) == (DeliveryOutcome.FAILED, "KeyError")


def test_a_name_full_of_quotes_and_commas_is_read_back_as_it_was(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    name = '",1,2]\\"ж'
    queue.enqueue({}, job_id="1")
    hands = make_hands(name)
    for _ in range(3):
        end(hands, take(hands), Outcome.SNOOZE)

    [record] = job_of(queue).history
    assert (record.worker, record.count) == (name, 3)


def test_a_job_that_waits_for_its_first_run_has_no_field_for_its_history(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue({"order_id": 123456}, job_id="123456")
    key = queue.keys.job("123456")

    assert set(client.hgetall(key)) == {"state", "entry_id", "data"}
    assert client.object("encoding", key) in ("listpack", "ziplist")  # as 6.2 calls it


# -- what handlers raise -----------------------------------------------------------------------------------------------


def test_class_and_trace_come_from_what_the_handler_raised(queue: Queue, start_worker: Callable[..., Any]) -> None:
    def handler(delivery: Delivery) -> None:
        secret = "never kept"
        try:
            int("x")
        except ValueError as error:
            if delivery.attempt == 1:
                raise RuntimeError(f"broken {len(secret)}") from error
            raise Fail("the object isn't there") from error

    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, policy=RetryPolicy(wait=lambda _: 0.0))
    wait_until(lambda: job_of(queue).state is JobState.FAILED, "the second attempt")

    retried, failed = job_of(queue).history
    assert (retried.error_class, retried.error) == ("RuntimeError", "RuntimeError: broken 10")
    assert (failed.error_class, failed.error) == ("ValueError", "the object isn't there")
    trace = retried.trace or ""
    assert "execution/test_history.py:" in trace
    assert "caused by ValueError: invalid literal" in trace
    assert "never kept" not in trace.replace('secret = "never kept"', "")
    assert "runner.py" not in trace
    assert "int(" in (failed.trace or "")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("make_error", "said"),
    [
        (Unspeakable, "Unspeakable: its text can't be made (RuntimeError)"),
        (lambda: ValueError(b"\xff".decode("utf-8", "surrogateescape")), r"ValueError: \udcff"),
    ],
    ids=["no text", "undecoded bytes"],
)
def test_an_error_that_cant_be_said_fails_its_job_and_not_the_worker(
    queue: Queue,
    start_worker: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    make_error: Callable[[], Exception],
    said: str,
) -> None:
    # The traceback in the log has the text as it is, which pytest's own processes can't send to each other.
    monkeypatch.setattr(logging.getLogger("rosq.execution.runner"), "disabled", True)

    def handler(delivery: Delivery) -> None:
        if delivery.job_id == "1":
            raise make_error()

    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    running = start_worker(queue, handler, policy=RetryPolicy(max_attempts=1))
    wait_until(lambda: job_of(queue, "2").state is JobState.COMPLETED or running.error, "the job behind it")

    assert running.error is None
    assert (job_of(queue).state, job_of(queue).last_error) == (JobState.FAILED, said)


# -- rosq inspect ------------------------------------------------------------------------------------------------------


def inspect(server: RedisServer, queue: Queue, *args: str) -> Any:
    result = CliRunner().invoke(
        main, ["inspect", *args], env={**server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "300"}
    )
    assert result.exit_code == 0, result.output
    return result


def test_inspect_job_shows_every_delivery_when_its_events_are_gone(
    queue: Queue, client: redis.Redis, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1")
    end(hands, take(hands), Outcome.RETRY, **BROKEN)
    for _ in range(3):
        end(hands, take(hands), Outcome.SNOOZE)
    end(hands, take(hands), Outcome.COMPLETE)
    client.xtrim(queue.keys.events, maxlen=0, approximate=False)

    plain = inspect(redis_server, queue, "job", "1")
    told = json.loads(inspect(redis_server, queue, "job", "1", "--json").stdout)
    traced = json.loads(inspect(redis_server, queue, "job", "1", "--json", "--show-trace").stdout)

    assert "Hand-outs (5)" in plain.stdout
    assert "KeyError" in plain.stdout
    assert "snoozed × 3 since" in plain.stdout
    assert "x.py:1" not in plain.stdout
    assert "x.py:1 f: d['a']" in inspect(redis_server, queue, "job", "1", "--show-trace").stdout
    seen = [(each["outcome"], each["count"], each["error_class"]) for each in told["deliveries"]]
    assert seen == [("retried", 1, "KeyError"), ("snoozed", 3, None), ("completed", 1, None)]
    assert told["deliveries"][0]["trace"] is None
    assert traced["deliveries"][0]["trace"] == BROKEN["trace"]


def test_inspect_job_takes_from_events_what_the_history_doesnt_have_and_nothing_twice(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands("w1", settings=QueueSettings(keep_deliveries=2))
    fences = []
    for outcome in [Outcome.RETRY] * 3 + [Outcome.SNOOZE] * 3:
        delivery = take(hands)
        fences.append(str(delivery.fence))
        end(hands, delivery, outcome, error="ValueError: no", error_class="ValueError")

    told = json.loads(inspect(redis_server, queue, "job", "1", "--json").stdout)

    assert [each["fence"] for each in told["deliveries"]] == [fences[0], fences[1], fences[2], fences[5]]
    assert [each["count"] for each in told["deliveries"]] == [1, 1, 1, 3]
    assert told["deliveries_dropped"] == 2


def test_errors_are_grouped_by_the_class_that_was_raised_whatever_the_text_says(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    for number, (error_class, error) in enumerate(
        [("PortalError", "portal: down"), ("PortalError", "login: refused"), ("", "Timeout: from an older one")]
    ):
        queue.enqueue({}, job_id=str(number))
        end(hands, take(hands), Outcome.FAIL, error=error, error_class=error_class)

    told = json.loads(inspect(redis_server, queue, "errors", "--json").stdout)

    assert {group["kind"]: group["failed"] for group in told["groups"]} == {"PortalError": 2, "Timeout": 1}
