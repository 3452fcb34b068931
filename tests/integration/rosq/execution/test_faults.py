"""Workers killed, paused and stopped, Redis stopped, hung and emptied: with real processes and a server of their
own."""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    EnqueueOutcome,
    JobState,
    NewJob,
    Queue,
    RedisSettings,
    ReopenOutcome,
    ServerUnreachable,
    WorkerSettings,
)
from rosq.clock import boot_time_s
from tests.integration.rosq.conftest import Log, Running, WorkerProcess, events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import EmbeddedRedis

StartProcess = "Callable[..., WorkerProcess]"


@pytest.fixture
def log(own_redis: EmbeddedRedis, own_queue: Queue) -> Iterator[Log]:
    with own_redis.client() as client:
        yield Log(client, own_queue)


def wait_for_state(queue: Queue, job_id: str, state: JobState, timeout_s: float = 15.0) -> Any:
    def look() -> Any:
        try:
            job = queue.find_job(job_id)
        except ServerUnreachable:
            return None
        return job if job is not None and job.state is state else None

    return wait_until(look, f"job {job_id} to be {state}", timeout_s)


def _is_over(process: WorkerProcess, log: Log) -> bool:
    return process.process.poll() is not None or bool(log.lines("ended"))


# -- workers that die, hang or are paused ----------------------------------------------------


def test_the_job_of_a_killed_worker_goes_to_another_within_a_lease_and_a_scan(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    first = start_process(own_redis, own_queue, "w1", lease_s=1.5)
    start_process(own_redis, own_queue, "w2", lease_s=1.5, lanes=["other"])
    log.wait("held", 2)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    began = log.wait("started")[0]
    assert began["worker"] == "w1"

    first.kill()
    killed_s = boot_time_s()
    start_process(own_redis, own_queue, "w3", lease_s=1.5)
    again = log.wait("started", 2)[1]

    # A lease, a third of one until the next scan, and the pause after a crash of one second.
    assert boot_time_s() - killed_s < 1.5 + 0.5 + 1.0 + 1.5
    assert again["worker"] == "w3"
    assert again["crashes"] == 1
    assert again["attempt"] == 1
    assert again["fence"] > began["fence"]


def test_a_worker_that_was_paused_past_its_lease_cant_settle(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    # Given a worker that is paused in the middle of a job, which another one takes over and holds
    first = start_process(own_redis, own_queue, "w1", lease_s=1.0)
    own_queue.enqueue({"hang": 2.5}, job_id="1")
    log.wait("started")
    first.signal(signal.SIGSTOP)
    start_process(own_redis, own_queue, "w2", lease_s=1.0)
    taken = log.wait("started", 2)[1]
    assert taken["worker"] == "w2"

    # When it goes on, its handler ends and it would complete the job
    first.signal(signal.SIGCONT)
    wait_until(lambda: [line for line in log.lines("ended") if line["worker"] == "w1"], "the end of the paused handler")

    # Then it changes nothing: the job is completed once, by the other
    job = wait_for_state(own_queue, "1", JobState.COMPLETED)
    assert (job.worker, job.fence) == ("w2", taken["fence"])
    with own_redis.client() as client:
        assert events_of(client, own_queue, "1").count("completed") == 1
    # Its heartbeat is told so, or its settle, whichever comes first.
    told = ("its job is left alone", "it isn't ours any more")
    wait_until(lambda: any(each in first.stderr for each in told), "the paused worker to say so")


def test_a_restart_takes_up_its_own_job_at_once_where_the_lock_file_proves_the_death(
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    log: Log,
    start_process: Callable[..., WorkerProcess],
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"lease_s": 30.0, "lock_file": str(tmp_path / "w1.lock")}
    first = start_process(own_redis, own_queue, "w1", **options)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    began = log.wait("started")[0]
    first.kill()
    restarted_s = boot_time_s()

    start_process(own_redis, own_queue, "w1", **options)
    again = log.wait("started", 2)[1]

    assert boot_time_s() - restarted_s < 10
    assert (again["job_id"], again["crashes"]) == ("1", 1)
    assert again["fence"] > began["fence"]
    assert len(log.lines("held")) == 2


def test_a_restart_without_a_proof_waits_until_the_hold_has_run_out(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    first = start_process(own_redis, own_queue, "w1", lease_s=2.0)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    log.wait("started")
    first.kill()
    killed_s = boot_time_s()

    start_process(own_redis, own_queue, "w1", lease_s=2.0)
    log.wait("held", 2)

    # The last heartbeat was at most a third of a lease before the death.
    assert boot_time_s() - killed_s > 1.2
    assert log.wait("started", 2)[1]["crashes"] == 1


def test_of_two_processes_of_one_name_only_one_works(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    start_process(own_redis, own_queue, "w1")
    log.wait("held")
    second = start_process(own_redis, own_queue, "w1")
    wait_until(lambda: "another process has this worker's name" in second.stderr, "the second one to wait")
    leaving = start_process(own_redis, own_queue, "w1", is_waiting_for_name=False)

    assert leaving.wait() != 0
    assert "WorkerNameTaken" in leaving.stderr
    own_queue.enqueue_many([NewJob(job_id=str(number), data={"sleep": 0.02}) for number in range(10)])
    log.wait("ended", 10)

    assert len({line["pid"] for line in log.lines("started")}) == 1


def test_a_job_that_kills_every_worker_ends_failed_and_the_others_run(
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    log: Log,
    start_process: Callable[..., WorkerProcess],
    tmp_path: Path,
) -> None:
    own_queue.enqueue_many([NewJob(job_id="poison", data={"die": True}), NewJob(job_id="good", data={})])

    # A supervisor that starts the worker again whenever it dies.
    for _ in range(8):
        process = start_process(own_redis, own_queue, "w1", lock_file=str(tmp_path / "w1.lock"))
        wait_until(functools.partial(_is_over, process, log), "death or success")
        if log.lines("ended"):
            break

    job = wait_for_state(own_queue, "poison", JobState.FAILED)
    assert (job.crashes, job.attempts) == (5, 0)
    assert [line["crashes"] for line in log.lines("started") if line["job_id"] == "poison"] == [0, 1, 2, 3, 4]
    wait_for_state(own_queue, "good", JobState.COMPLETED)


# -- stopping --------------------------------------------------------------------------------


def test_sigterm_finishes_the_job_in_hand_and_the_process_ends_well(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1", grace_s=10)
    own_queue.enqueue_many([NewJob(job_id="1", data={"sleep": 0.5}), NewJob(job_id="2", data={})])
    log.wait("started")

    process.signal(signal.SIGTERM)

    assert process.wait() == 0
    assert wait_for_state(own_queue, "1", JobState.COMPLETED)
    assert wait_for_state(own_queue, "2", JobState.WAITING)


@pytest.mark.parametrize(("grace_s", "signals"), [(0.5, 1), (60, 2)])
def test_past_the_grace_or_with_a_second_signal_the_job_goes_back(
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    log: Log,
    start_process: Callable[..., WorkerProcess],
    grace_s: float,
    signals: int,
) -> None:
    process = start_process(own_redis, own_queue, "w1", grace_s=grace_s)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    log.wait("started")

    process.signal(signal.SIGTERM)
    if signals == 2:
        # Two of one kind may reach the process as one, so the second is of another.
        process.signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert log.lines("interrupted")[0]["by"] == "Release"
    job = wait_for_state(own_queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes) == (0, 0)


def test_a_deaf_handler_doesnt_keep_the_process_beyond_its_deadline(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1", grace_s=0.3, exit_s=1.0, lease_s=5)
    own_queue.enqueue({"hang": 60}, job_id="1")
    log.wait("started")
    asked_s = boot_time_s()

    process.signal(signal.SIGTERM)

    assert process.wait(10) == 1
    assert boot_time_s() - asked_s < 4
    job = wait_for_state(own_queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes) == (0, 0)


def test_a_stop_is_heard_while_the_main_thread_is_in_c_code_that_doesnt_return(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1", grace_s=0.3, exit_s=1.0, lease_s=5)
    own_queue.enqueue({"compute": 2**31 - 1}, job_id="1")
    log.wait("started")

    process.signal(signal.SIGTERM)

    assert process.wait(10) == 1
    job = wait_for_state(own_queue, "1", JobState.WAITING)
    assert (job.attempts, job.crashes) == (0, 0)


def test_a_child_that_a_handler_forks_can_be_terminated_and_the_worker_goes_on(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1")
    own_queue.enqueue({"fork": True}, job_id="1")

    assert log.wait("child_ended")[0]["exit_code"] == -signal.SIGTERM
    wait_for_state(own_queue, "1", JobState.COMPLETED)
    own_queue.enqueue({}, job_id="2")
    wait_for_state(own_queue, "2", JobState.COMPLETED)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_a_stop_is_heard_after_a_handler_has_run_a_loop_with_signals_of_its_own(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1")
    own_queue.enqueue({"loop": True}, job_id="1")
    wait_for_state(own_queue, "1", JobState.COMPLETED)

    process.signal(signal.SIGTERM)

    assert process.wait() == 0


@pytest.mark.parametrize(
    ("way_out", "exit_code"),
    [
        ("return", 0),
        ("exit", 0),
        ("exit 7", 7),
        ("exit with a text", 1),
        ("error", 1),
        ("snooze", 1),
        ("interrupt", 1),
    ],
)
def test_a_child_that_comes_out_of_the_handler_ends_and_never_becomes_the_worker(
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    log: Log,
    start_process: Callable[..., WorkerProcess],
    way_out: str,
    exit_code: int,
) -> None:
    process = start_process(own_redis, own_queue, "w1")
    own_queue.enqueue({"leave": way_out, "sleep": 0.3}, job_id="1")
    own_queue.enqueue_many(NewJob(job_id=f"good-{number}", data={}) for number in range(5))

    assert log.wait("child_ended")[0]["exit_code"] == exit_code
    wait_for_state(own_queue, "good-4", JobState.COMPLETED)
    job = own_queue.find_job("1")
    assert job is not None
    assert [record.outcome.value for record in job.history] == ["completed"]
    assert [line["pid"] for line in log.lines("started")] == [process.process.pid] * 6
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert "WARNING" not in process.stderr
    assert ("the child's" in process.stderr) == (way_out in ("exit with a text", "error"))


@pytest.mark.parametrize(
    "place",
    [
        "lanes",
        "on_hold",
        "wait",
        "before_handler",
        "after_handler",
        "after_settle",
        "before_sleep",
        "after_sleep",
        "name_held",
        "after_maintenance",
    ],
)
def test_wherever_else_a_child_is_forked_off_it_never_becomes_the_worker(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess], place: str
) -> None:
    own_queue.enqueue({"raise": "ValueError"}, job_id="bad")
    process = start_process(own_redis, own_queue, "w1", fork_in=place, round_s=0.2)

    log.wait("child_ended")
    own_queue.enqueue_many(NewJob(job_id=f"good-{number}", data={}) for number in range(5))
    wait_for_state(own_queue, "good-4", JobState.COMPLETED)
    wait_for_state(own_queue, "bad", JobState.FAILED)

    assert {line["pid"] for line in log.lines("started")} == {process.process.pid}
    assert len(log.lines("started")) == 8
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_a_stop_ends_by_its_deadline_with_redis_away_or_hung(
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    log: Log,
    start_process: Callable[..., WorkerProcess],
    fault: str,
) -> None:
    process = start_process(own_redis, own_queue, "w1", grace_s=0.5, exit_s=1.5)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    log.wait("started")
    getattr(own_redis, fault)()
    asked_s = boot_time_s()

    process.signal(signal.SIGTERM)
    process.wait(10)

    assert boot_time_s() - asked_s < 4


# -- Redis that goes away --------------------------------------------------------------------


def test_workers_come_back_by_themselves_and_nobody_takes_a_job_from_a_holder_that_comes_back_too(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    # Given a worker with a job in hand and another that would like it
    for name in ("w1", "w2"):
        start_process(own_redis, own_queue, name, lease_s=3.0)
    log.wait("held", 2)
    own_queue.enqueue({"sleep": 4}, job_id="1")
    began = log.wait("started")[0]

    # When Redis is away for less than a lease
    own_redis.stop()
    with pytest.raises(ServerUnreachable, match="can't be reached"):
        own_queue.ping()
    own_redis.start()

    # Then the job runs once, and what comes after runs too
    wait_for_state(own_queue, "1", JobState.COMPLETED)
    assert [line["fence"] for line in log.lines("started")] == [began["fence"]]
    own_queue.enqueue({}, job_id="2")
    wait_for_state(own_queue, "2", JobState.COMPLETED)


def test_a_job_in_hand_outlives_an_outage_longer_than_its_lease(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    for name in ("w1", "w2"):
        start_process(own_redis, own_queue, name, lease_s=1.0)
    log.wait("held", 2)
    own_queue.enqueue({"sleep": 3}, job_id="1")
    began = log.wait("started")[0]

    own_redis.stop()
    until_s = boot_time_s() + 1.5
    wait_until(lambda: boot_time_s() > until_s, "more than a lease to pass")
    own_redis.start()

    # Its holder renews before anyone may take it: its token still stands.
    job = wait_for_state(own_queue, "1", JobState.COMPLETED)
    assert (job.worker, job.fence, job.attempts, job.crashes) == (began["worker"], began["fence"], 0, 0)
    assert len(log.lines("started")) == 1


def test_a_hung_server_doesnt_stop_a_worker_for_good(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    start_process(own_redis, own_queue, "w1", lease_s=1.0, round_s=0.5)
    log.wait("held")

    own_redis.pause()
    until_s = boot_time_s() + 4
    wait_until(lambda: boot_time_s() > until_s, "the worker to give the connection up")
    own_redis.resume()
    own_queue.enqueue({}, job_id="1")

    wait_for_state(own_queue, "1", JobState.COMPLETED)


def test_after_the_loss_of_all_data_the_queue_works_again_and_fences_grow_on_from_the_floor(
    own_redis: EmbeddedRedis, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    # Given workers in the middle of their life
    fences: dict[str, list[int]] = {}
    held: list[str] = []

    def handler(delivery: Any) -> None:
        fences.setdefault(delivery.job_id, []).append(delivery.fence)

    for name in ("w1", "w2"):
        start_worker(
            own_queue,
            handler,
            name=name,
            settings=WorkerSettings(lease_s=0.6, round_s=60),
            on_hold=lambda name=name: held.append(name),
        )
    own_queue.enqueue({}, job_id="1")
    wait_for_state(own_queue, "1", JobState.COMPLETED)

    # When everything is lost
    own_redis.flushall()
    floor = max(fences["1"]) + 10**12
    assert own_queue.reopen(NewJob(job_id="1", data={}, fence_floor=floor)).outcome is ReopenOutcome.REOPENED
    assert own_queue.enqueue({}, job_id="2").outcome is EnqueueOutcome.CREATED

    # Then both run, the fence grows on, and the names were taken again and told
    wait_for_state(own_queue, "1", JobState.COMPLETED)
    wait_for_state(own_queue, "2", JobState.COMPLETED)
    assert fences["1"][-1] > floor
    wait_until(lambda: sorted(held) == ["w1", "w1", "w2", "w2"], "both names")


def test_a_job_in_hand_while_all_data_are_lost_is_told_as_lost(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    process = start_process(own_redis, own_queue, "w1", lease_s=0.9)
    own_queue.enqueue({"sleep": 60}, job_id="1")
    log.wait("started")

    own_redis.flushall()

    assert log.wait("interrupted")[0]["by"] == "LeaseLost"
    wait_until(lambda: "doesn't know the job any more" in process.stderr, "the reason")
    own_queue.enqueue({}, job_id="2")
    wait_for_state(own_queue, "2", JobState.COMPLETED)


def test_scripts_are_given_again_to_a_server_that_forgot_them(
    own_redis: EmbeddedRedis, own_queue: Queue, log: Log, start_process: Callable[..., WorkerProcess]
) -> None:
    start_process(own_redis, own_queue, "w1")
    own_queue.enqueue({}, job_id="1")
    wait_for_state(own_queue, "1", JobState.COMPLETED)

    with own_redis.client() as client:
        client.script_flush()
    own_queue.enqueue({}, job_id="2")

    wait_for_state(own_queue, "2", JobState.COMPLETED)


def test_a_server_that_is_not_there_yet_is_waited_for(
    own_redis: EmbeddedRedis, own_queue: Queue, start_process: Callable[..., WorkerProcess]
) -> None:
    own_redis.stop()
    process = start_process(own_redis, own_queue, "w1")
    wait_until(lambda: "Redis gives no answer" in process.stderr, "the worker to wait")

    own_redis.start()
    own_queue.enqueue({}, job_id="1")

    wait_for_state(own_queue, "1", JobState.COMPLETED)


def test_a_read_only_server_is_waited_for_and_a_full_one_says_so(
    own_redis: EmbeddedRedis, own_queue: Queue, start_worker: Callable[..., Running]
) -> None:
    from rosq import ServerFull

    start_worker(own_queue, lambda _: None, settings=WorkerSettings(round_s=0.3, max_backoff_s=0.2))
    with own_redis.client() as client:
        # Given a primary that becomes a replica of nobody: it answers READONLY and unblocks sleepers
        client.replicaof("127.0.0.1", 1)
        with pytest.raises(ServerUnreachable):
            own_queue.enqueue({}, job_id="1")
        client.replicaof("NO", "ONE")
        own_queue.enqueue({}, job_id="1")
        wait_for_state(own_queue, "1", JobState.COMPLETED)

        client.config_set("maxmemory", "1")
        with pytest.raises(ServerFull, match="nothing was written"):
            own_queue.enqueue({}, job_id="2")
        assert own_queue.find_job("2") is None
        client.config_set("maxmemory", "0")
    assert own_queue.enqueue({}, job_id="2").outcome is EnqueueOutcome.CREATED
    wait_for_state(own_queue, "2", JobState.COMPLETED)


def test_a_wrong_password_ends_a_worker_at_its_start_with_a_sentence(
    own_redis: EmbeddedRedis, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    from rosq import ServerRefused

    with Queue(RedisSettings(port=own_redis.port, password="wrong"), queue_name) as queue:
        running = start_worker(queue, lambda _: None)
        running.join()

    assert isinstance(running.error, ServerRefused)
    assert "REDIS_PASSWORD" in str(running.error)
