"""A queue's own connections: kept for the next call, never shared, dropped when in doubt; many jobs over one."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import EnqueueOutcome, NewJob, Queue, RedisSettings, ServerUnreachable
from rosq.store.new_jobs import NewJobs
from tests.integration.rosq.proxy import swallowing_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from tests.servers import EmbeddedRedis, RedisServer


def connections_of(client: redis.Redis) -> int:
    return sum(1 for each in client.client_list() if each["name"] == "rosq-queue" and each["cmd"] != "client|setname")


def many(count: int) -> list[NewJob]:
    return [NewJob(job_id=str(number), data={"number": number}) for number in range(count)]


def test_calls_one_after_another_share_a_connection(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="first")
    with own_redis.client() as client:
        before = connections_of(client)
        for number in range(20):
            own_queue.enqueue({}, job_id=str(number))

        assert connections_of(client) == before


def test_threads_that_enqueue_at_once_get_their_own_answers(queue: Queue) -> None:
    answers: dict[int, list[str]] = {}
    start = threading.Barrier(8)

    def enqueue(thread: int) -> None:
        start.wait(10)
        answers[thread] = [queue.enqueue({}, job_id=f"{thread}-{number}").job_id for number in range(30)]

    threads = [threading.Thread(target=enqueue, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert answers == {thread: [f"{thread}-{number}" for number in range(30)] for thread in range(8)}
    assert len(queue.find_jobs(f"{thread}-{number}" for thread in range(8) for number in range(30))) == 240


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_opens_a_connection_of_its_own(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="parent")
    with own_redis.client() as client:
        before = connections_of(client)
    child = os.fork()
    if child == 0:
        exit_code = 1
        try:
            own_queue.enqueue({}, job_id="child")
            with own_redis.client() as client:
                exit_code = 0 if connections_of(client) == before + 1 else 2
        finally:
            os._exit(exit_code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert own_queue.enqueue({}, job_id="child").outcome is EnqueueOutcome.DUPLICATE


def test_a_closed_queue_connects_again(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="1")
    own_queue.close()
    with own_redis.client() as client:
        assert connections_of(client) == 0

    assert own_queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.DUPLICATE


def test_the_first_call_after_a_restart_of_the_server_succeeds(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue_many(many(3))
    own_redis.stop()
    own_redis.start()

    assert own_queue.enqueue({}, job_id="new").outcome is EnqueueOutcome.CREATED
    assert own_queue.enqueue({"number": 0}, job_id="0").outcome is EnqueueOutcome.DUPLICATE


def test_hundreds_of_jobs_are_answered_in_their_order(queue: Queue) -> None:
    queue.enqueue({"number": 150}, job_id="150")
    queue.enqueue({"other": True}, job_id="350")

    answers = queue.enqueue_many(many(450))

    assert [answer.job_id for answer in answers] == [str(number) for number in range(450)]
    outcomes = {answer.job_id: answer.outcome for answer in answers}
    assert outcomes.pop("150") is EnqueueOutcome.DUPLICATE
    assert outcomes.pop("350") is EnqueueOutcome.CONFLICT
    assert set(outcomes.values()) == {EnqueueOutcome.CREATED}


@pytest.mark.parametrize("victim", ["job:50", "job:450", "job:849"])
def test_an_answer_lost_among_hundreds_of_jobs_loses_and_doubles_none(
    redis_server: RedisServer, client: redis.Redis, queue_name: str, victim: str
) -> None:
    with swallowing_proxy(redis_server.host, redis_server.port) as proxy:
        settings = RedisSettings(port=proxy.port, db=redis_server.db, password=redis_server.password)
        with Queue(settings, queue_name) as far_queue:
            far_queue.enqueue({}, job_id="before")
            proxy.swallow_next(victim)

            answers = far_queue.enqueue_many(many(850))

            assert proxy.swallowed == 1
            assert [answer.job_id for answer in answers] == [str(number) for number in range(850)]
            assert {answer.outcome for answer in answers} <= {EnqueueOutcome.CREATED, EnqueueOutcome.DUPLICATE}
            # Only the answers that were under way are in doubt: two calls of 128.
            assert sum(answer.outcome is EnqueueOutcome.DUPLICATE for answer in answers) <= 256
            assert client.xlen(far_queue.keys.lane("main")) == 851


def test_scripts_that_the_server_forgot_between_two_calls_are_told_again(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    own_queue.enqueue_many(many(250))
    with own_redis.client() as client:
        client.script_flush()

    answers = own_queue.enqueue_many(many(450))

    assert [answer.outcome for answer in answers[:250]] == [EnqueueOutcome.DUPLICATE] * 250
    assert [answer.outcome for answer in answers[250:]] == [EnqueueOutcome.CREATED] * 200


def make_call(queue: Queue, job: NewJob) -> tuple[list[str], list[str | int]]:
    ((_, keys, args),) = NewJobs([job], 1000).list_calls(queue.keys, 0)
    return keys, args


def test_a_wire_whose_many_answers_were_left_unread_starts_anew(queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    wire = queue.make_wire("test")
    calls = [make_call(queue, job) for job in many(5)]
    answers = wire.run_each(queue._load_enqueue(), calls)
    next(answers)
    next(answers)
    answers.close()

    assert wire.call("PING") == "PONG"
    wire.close()


def test_an_answer_that_came_is_told_although_the_next_call_cant_be_sent(queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    wire = queue.make_wire("test")
    wire.call("PING")
    line = wire._line
    assert line is not None

    def make_calls() -> Iterator[Any]:
        for number, job in enumerate(many(5)):
            if number == 3:
                line._socket.shutdown(socket.SHUT_WR)
            yield make_call(queue, job)

    answers = wire.run_each(queue._load_enqueue(), make_calls())

    assert [next(answers), next(answers)] == [[], [[1, -1, "waiting"]]]
    with pytest.raises(ServerUnreachable):
        next(answers)
    assert wire.call("PING") == "PONG"
    wire.close()
