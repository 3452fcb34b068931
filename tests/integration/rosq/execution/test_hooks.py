"""Hooks beside real workers: what is told when, from which thread, and at what cost where nobody asked."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import rosq
from rosq import Fail, Hook, NewJob, Queue, Release, RetryPolicy, Snooze, Worker, WorkerSettings
from rosq import hooks as hook_words
from rosq.execution import hook_calls
from rosq.execution.hook_calls import METHODS
from rosq.execution.settlement import Outcome
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.integration.rosq.execution.test_worker import Script
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from rosq.execution.settlement import Settlement
    from rosq.hooks import EnqueueCall, EnqueueEnd, HandlerEnd
    from tests.servers import EmbeddedRedis, RedisServer

FAST = RetryPolicy(wait=lambda _: 0.02)


class Recorder(Hook):
    """Keeps every call: the method, the thread, the facts."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, tuple[Any, ...]]] = []

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]

    def facts(self, name: str) -> list[tuple[Any, ...]]:
        return [facts for called, _, facts in self.calls if called == name]

    def threads(self, name: str) -> set[str]:
        return {thread for called, thread, _ in self.calls if called == name}

    def wait(self, name: str, count: int = 1, timeout_s: float = 15.0) -> list[tuple[Any, ...]]:
        return wait_until(
            lambda: found if len(found := self.facts(name)) >= count else None, f"{count} × {name}", timeout_s
        )


def _recording(name: str) -> Callable[..., None]:
    def record(self: Recorder, *facts: Any) -> None:
        self.calls.append((name, threading.current_thread().name, facts))

    return record


for _name in METHODS:
    setattr(Recorder, _name, _recording(_name))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def watched(redis_server: RedisServer, queue_name: str, recorder: Recorder) -> Iterator[Queue]:
    """A queue whose hooks are recorded."""
    with Queue(settings_of(redis_server), queue_name, hooks=[recorder]) as queue:
        yield queue


def _events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if vars(record).get("event") == event]


# -- what is told ------------------------------------------------------------------------------------------------------


def test_a_producers_hook_sees_the_jobs_and_the_answers(watched: Queue, recorder: Recorder) -> None:
    watched.enqueue({"n": 1}, job_id="a")
    watched.enqueue_many([NewJob(job_id="a", data={"n": 1}), NewJob(job_id="b", data={})])
    watched.reopen(NewJob(job_id="c", data={}))

    assert recorder.names() == ["before_enqueue", "after_enqueue"] * 3
    calls: list[EnqueueCall] = [facts[0] for facts in recorder.facts("before_enqueue")]
    ends: list[EnqueueEnd] = [facts[1] for facts in recorder.facts("after_enqueue")]
    assert [(call.queue, call.operation.value, [job.job_id for job in call.jobs]) for call in calls] == [
        (watched.name, "enqueue", ["a"]),
        (watched.name, "enqueue", ["a", "b"]),
        (watched.name, "reopen", ["c"]),
    ]
    assert [[answer.outcome.value for answer in end.answers] for end in ends] == [
        ["created"],
        ["duplicate", "created"],
        ["reopened"],
    ]
    # The same object before and after: a hook may find its span by it.
    assert calls == [facts[0] for facts in recorder.facts("after_enqueue")]
    assert recorder.threads("before_enqueue") == {threading.current_thread().name}
    assert all(end.duration_s > 0 and end.error is None for end in ends)


def test_a_producers_hook_sees_an_enqueue_that_raises(watched: Queue, recorder: Recorder) -> None:
    with pytest.raises(rosq.InvalidName):
        watched.enqueue({}, job_id="with space")

    (_, end) = recorder.facts("after_enqueue")[0]
    assert isinstance(end.error, rosq.InvalidName)
    assert end.answers == ()


def test_a_workers_hook_sees_every_outcome(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running]
) -> None:
    bad = ValueError("no")
    handler = Script(bad, Snooze(0.01), Release("other"), None, Fail("never"))
    watched.enqueue({}, job_id="a")

    running = start_worker(watched, handler, policy=FAST, lanes=["main", "other"])
    recorder.wait("after_settle", 4)
    watched.enqueue({}, job_id="b")
    recorder.wait("after_settle", 5)
    running.stop()

    outcomes = [Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE, Outcome.COMPLETE, Outcome.FAIL]
    ends: list[HandlerEnd] = [facts[2] for facts in recorder.facts("after_handler")]
    settled: list[Settlement] = [facts[1] for facts in recorder.facts("after_settle")]
    assert [end.outcome for end in ends] == outcomes
    assert [settlement.outcome for settlement in settled] == outcomes
    assert [is_refused for _, _, is_refused in recorder.facts("after_settle")] == [False] * 5
    assert ends[0].error is bad
    assert ends[0].delay_s == pytest.approx(0.02)
    assert isinstance(ends[1].error, Snooze)
    assert ends[3].error is None
    assert [facts[1].job_id for facts in recorder.facts("before_handler")] == ["a"] * 4 + ["b"]
    worker = recorder.facts("before_handler")[0][0]
    assert (worker.queue, worker.name) == (watched.name, "w1")


def test_a_worker_is_seen_taking_its_name_sleeping_and_waking(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running]
) -> None:
    running = start_worker(watched, Script())
    recorder.wait("before_sleep")
    watched.enqueue({}, job_id="a")
    recorder.wait("after_settle")
    recorder.wait("before_sleep", 2)
    running.stop()

    order = [name for name in recorder.names() if name not in ("before_enqueue", "after_enqueue", "after_maintenance")]
    assert order[0] == "name_held"
    assert order[1:7] == [
        "before_sleep",
        "after_sleep",
        "before_handler",
        "after_handler",
        "after_settle",
        "before_sleep",
    ]
    assert recorder.facts("after_sleep")[0][1] > 0
    loop = recorder.threads("before_handler")
    for name in ("name_held", "before_sleep", "after_sleep", "after_handler", "after_settle"):
        assert recorder.threads(name) == loop, name


def test_a_settle_that_comes_too_late_is_seen_as_refused(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running], client: redis.Redis
) -> None:
    def lose_the_job(delivery: rosq.Delivery) -> None:
        # Somebody else's hands end the job while this worker believes that it holds it.
        client.delete(watched.keys.job("a"))

    watched.enqueue({}, job_id="a")
    running = start_worker(watched, Script(lose_the_job))
    ((_, settlement, is_refused),) = recorder.wait("after_settle")
    running.stop()

    assert settlement.outcome is Outcome.COMPLETE
    assert is_refused is True


def test_a_lost_lease_is_told_by_the_heartbeat_while_the_handler_works(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running], client: redis.Redis
) -> None:
    def lose_the_job(delivery: rosq.Delivery) -> None:
        client.delete(watched.keys.job("a"))
        wait_until(lambda: delivery.lease.lost_reason, "the heartbeat to notice")

    watched.enqueue({}, job_id="a")
    running = start_worker(watched, Script(lose_the_job), settings=WorkerSettings(lease_s=0.6))
    ((_, _, end),) = recorder.wait("after_handler")
    ((_, delivery, reason),) = recorder.wait("lease_lost")
    running.stop()

    assert end.outcome is None
    assert delivery.job_id == "a"
    assert reason == "the queue doesn't know the job any more"
    assert recorder.threads("lease_lost") == {"rosq-heartbeat"}
    assert recorder.facts("after_settle") == []


def test_a_name_that_is_lost_and_taken_again_is_seen(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running], client: redis.Redis
) -> None:
    running = start_worker(watched, Script(), settings=WorkerSettings(lease_s=0.6))
    recorder.wait("before_sleep")
    client.delete(watched.keys.worker("w1"))
    recorder.wait("name_lost")
    recorder.wait("name_held", 2)
    running.stop()

    assert recorder.threads("name_lost") == {"rosq-heartbeat"}


def test_what_dead_holders_left_is_seen_when_it_is_put_back(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running], make_hands: Callable[..., Hands]
) -> None:
    watched.enqueue({}, job_id="a")
    assert make_hands("dead", lease_s=0.3).fetch().delivery is not None

    running = start_worker(watched, Script(), settings=WorkerSettings(lease_s=0.3))
    recorder.wait("after_settle")
    running.stop()

    swept = [facts[1] for facts in recorder.facts("after_maintenance")]
    assert sum(one.put_back for one in swept) == 1
    assert recorder.threads("after_maintenance") == {"rosq-maintenance"}


def test_an_outage_is_told_once_and_its_end_once(
    own_redis: EmbeddedRedis,
    queue_name: str,
    recorder: Recorder,
    start_worker: Callable[..., Running],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="rosq")
    settings = WorkerSettings(max_backoff_s=0.05)
    with Queue(settings_of(own_redis), queue_name, hooks=[recorder]) as queue:
        running = start_worker(queue, Script(), settings=settings)
        recorder.wait("before_sleep")
        own_redis.stop()
        recorder.wait("redis_away")
        wait_until(lambda: len(_events(caplog, "redis_away")) >= 3, "three attempts in vain")
        own_redis.start()
        ((_, away_s),) = recorder.wait("redis_back")
        recorder.wait("before_sleep", len(recorder.facts("after_sleep")) + 1)
        running.stop()

    assert len(recorder.facts("redis_away")) == len(_events(caplog, "redis_back")) == 1
    assert isinstance(recorder.facts("redis_away")[0][1], rosq.ServerUnreachable)
    assert away_s > 0
    assert len(recorder.facts("before_sleep")) - len(recorder.facts("after_sleep")) == 0


def test_a_release_for_a_deaf_handler_is_told_by_the_heartbeat(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running]
) -> None:
    may_end = threading.Event()
    watched.enqueue({}, job_id="a")
    running = start_worker(
        watched, Script(lambda _: may_end.wait(15)), settings=WorkerSettings(grace_s=0.0, exit_s=0.3)
    )
    recorder.wait("before_handler")
    running.worker.request_stop()
    ((_, settlement, is_refused),) = recorder.wait("after_settle")
    may_end.set()
    running.join()

    assert (settlement.outcome, is_refused) == (Outcome.RELEASE, False)
    assert recorder.threads("after_settle") == {"rosq-heartbeat"}


def test_ctrl_c_in_a_handler_is_seen_as_a_failure_and_ends_the_worker_that_left_sigint_to_python(
    watched: Queue, recorder: Recorder
) -> None:
    watched.enqueue({}, job_id="a")

    with pytest.raises(KeyboardInterrupt):
        Worker(watched, Script(KeyboardInterrupt()), name="w1", leave_process=lambda: None).run(stop_on=())

    ((_, _, end),) = recorder.facts("after_handler")
    assert end.outcome is Outcome.RETRY
    assert isinstance(end.error, KeyboardInterrupt)
    ((_, settlement, is_refused),) = recorder.facts("after_settle")
    assert (settlement.outcome, is_refused) == (Outcome.RETRY, False)
    found = watched.find_job("a")
    assert found is not None
    assert (found.state, found.attempts, found.crashes) == (rosq.JobState.DELAYED, 1, 0)


# -- whose hooks -------------------------------------------------------------------------------------------------------


def test_a_workers_own_hooks_stand_in_place_of_its_queues(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running]
) -> None:
    own = Recorder()
    watched.enqueue({}, job_id="a")

    running = start_worker(watched, Script(), hooks=[own])
    own.wait("after_settle")
    running.stop()

    assert set(recorder.names()) == {"before_enqueue", "after_enqueue"}
    assert "before_enqueue" not in own.names()


def test_a_worker_may_do_without_its_queues_hooks(
    watched: Queue, recorder: Recorder, start_worker: Callable[..., Running]
) -> None:
    handler = Script()
    watched.enqueue({}, job_id="a")

    running = start_worker(watched, handler, hooks=[])
    wait_until(lambda: handler.deliveries, "the job to run")
    running.stop()

    assert set(recorder.names()) == {"before_enqueue", "after_enqueue"}


# -- doing no harm -----------------------------------------------------------------------------------------------------


class Broken(Hook):
    """Raises from everywhere, what a handler may raise and worse."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _breaking(name: str) -> Callable[..., None]:
    def fail(self: Broken, *_: Any) -> None:
        raise self.error

    return fail


for _name in METHODS:
    setattr(Broken, _name, _breaking(_name))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("broken"), Fail("broken"), SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()],
    ids=lambda e: type(e).__name__,
)
def test_a_hook_that_raises_harms_no_job(
    redis_server: RedisServer,
    queue_name: str,
    recorder: Recorder,
    start_worker: Callable[..., Running],
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    settings = WorkerSettings(lease_s=0.3)
    with Queue(settings_of(redis_server), queue_name) as plain:
        plain.enqueue({}, job_id="a")
        with caplog.at_level(logging.ERROR, logger="rosq"):
            running = start_worker(plain, Script(), hooks=[Broken(error), recorder], settings=settings)
            recorder.wait("after_maintenance")
            recorder.wait("before_sleep")
            plain.enqueue({}, job_id="b")
            recorder.wait("after_settle", 2)
            running.stop()

    assert running.error is None
    assert [facts[2].outcome for facts in recorder.facts("after_handler")] == [Outcome.COMPLETE] * 2
    told = _events(caplog, "hook_failed")
    named = {facts["hook"].rpartition(".")[2] for facts in told}
    assert {
        "name_held",
        "before_handler",
        "after_handler",
        "after_settle",
        "after_maintenance",
        "before_sleep",
    } <= named
    assert all(facts["hook"].startswith(f"{__name__}.Broken.") for facts in told)
    assert all(facts["exc_info"] and facts["error_type"] == type(error).__name__ for facts in told)


def test_a_producers_hook_that_raises_harms_no_job(
    redis_server: RedisServer, queue_name: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with Queue(settings_of(redis_server), queue_name, hooks=[Broken(RuntimeError("no")), recorder]) as queue:
        enqueued = queue.enqueue({}, job_id="a")

    assert enqueued.outcome is rosq.EnqueueOutcome.CREATED
    assert recorder.names() == ["before_enqueue", "after_enqueue"]
    assert len(_events(caplog, "hook_failed")) == 2


def test_only_a_hook_can_be_given(redis_server: RedisServer, queue_name: str) -> None:
    with pytest.raises(rosq.InvalidSettings, match=r"derive its class from rosq\.Hook"):
        Queue(settings_of(redis_server), queue_name, hooks=[Recorder])  # type: ignore[list-item]


# -- costing nothing ---------------------------------------------------------------------------------------------------


def _count_calls(queue: Queue, hooks: list[Hook]) -> Counter[str]:
    """Let a worker run ten jobs and count the Python calls into the modules of hooks, in all threads."""
    calls: Counter[str] = Counter()
    done = 0

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename in (hook_words.__file__, hook_calls.__file__):
            calls[frame.f_code.co_qualname] += 1

    def handler(delivery: rosq.Delivery) -> None:
        nonlocal done
        done += 1
        if done == 10:
            worker.request_stop()

    worker = Worker(queue, handler, name="counted", hooks=hooks, leave_process=lambda: None)
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        queue.enqueue({}, job_id="0")
        queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(1, 10)])
        worker.run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert done == 10
    return calls


def test_hooks_cost_nothing_where_none_are_given(queue: Queue) -> None:
    # Everything that is made for a hook is made in these modules: no call into them, nothing made.
    assert _count_calls(queue, []) == Counter()


def test_a_hook_costs_only_the_methods_that_it_writes(queue: Queue) -> None:
    class Settles(Hook):
        seen = 0

        def after_settle(self, *_: Any) -> None:
            self.seen += 1

    hook = Settles()

    calls = _count_calls(queue, [hook])

    assert hook.seen == 10
    assert calls["HookCalls.run_handler"] == 10
    assert not [name for name in calls if name.startswith("Hook.")]
