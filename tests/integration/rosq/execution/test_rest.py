"""A handler that rests is told from one that works: by `rosq inspect`, `explain` and `job`."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import Delivery, InvalidData, JobState, Queue, RetryPolicy
from rosq.cli import main
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import Running
    from tests.servers import RedisServer


def look(server: RedisServer, queue: Queue, line: str) -> dict[str, Any]:
    env = {**server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "300"}
    told: dict[str, Any] = json.loads(CliRunner().invoke(main, [*line.split(), "--json"], env=env).stdout)
    return told


def show(server: RedisServer, queue: Queue, line: str) -> str:
    env = {**server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "300"}
    return CliRunner().invoke(main, line.split(), env=env).stdout


def resting(queue: Queue, job_id: str = "1") -> bool:
    job = queue.find_job(job_id)
    return job is not None and job.resting_until is not None


def test_explain_tells_a_handler_that_rests_from_one_that_works(
    redis_server: RedisServer, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    go_to_rest = threading.Event()

    def handle(delivery: Delivery) -> None:
        go_to_rest.wait(20)
        delivery.sleep(40, why="the portal asks to come back later")

    queue.enqueue({}, job_id="1")
    running = start_worker(queue, handle)
    wait_until(lambda: look(redis_server, queue, "inspect explain 1")["is_running"], "the job to run")
    works = look(redis_server, queue, "inspect explain 1")
    assert (works["resting_until"], "is running: worker w1" in works["verdict"]) == (None, True)

    go_to_rest.set()
    wait_until(lambda: resting(queue), "the rest")

    rests = look(redis_server, queue, "inspect explain 1")
    assert rests["is_running"] is True
    assert "Job 1 rests until 20" in rests["verdict"]
    assert "Its handler sleeps: the portal asks to come back later. That is no fault." in rests["reasons"]
    [worker] = look(redis_server, queue, "inspect")["workers"]
    assert (worker["state"], worker["resting_until"]) == ("busy", rests["resting_until"])
    assert "busy, rests until" in show(redis_server, queue, "inspect workers")
    assert look(redis_server, queue, "inspect job 1")["resting_why"] == "the portal asks to come back later"
    running.worker.request_stop()
    running.worker.request_stop()


@pytest.mark.parametrize("wake", ["progress", "log", "end", "another delivery"])
def test_a_rest_is_over_when_the_handler_says_anything_else_or_ends(
    queue: Queue, client: Any, start_worker: Callable[..., Running], wake: str
) -> None:
    rested, go_on = threading.Event(), threading.Event()
    runs: list[str] = []

    def handle(delivery: Delivery) -> None:
        runs.append(delivery.job_id)
        if len(runs) > 1:
            rested.set()
            go_on.wait(20)
            return
        delivery.report_rest(600, "long")
        assert resting(queue)
        if wake == "another delivery":
            raise ValueError("once more")
        if wake == "progress":
            delivery.report_progress(1)
        elif wake == "log":
            delivery.log("at work again")
        else:
            return
        rested.set()
        go_on.wait(20)

    queue.enqueue({}, job_id="1")
    start_worker(queue, handle, policy=RetryPolicy(wait=lambda _: 0.0))
    if wake == "end":
        wait_until(lambda: (job := queue.find_job("1")) and job.state is JobState.COMPLETED, "the end")
    else:
        assert rested.wait(20)

    assert not resting(queue)
    go_on.set()


def test_a_short_rest_costs_no_round_trip(queue: Queue, client: Any, start_worker: Callable[..., Running]) -> None:
    queue.enqueue({}, job_id="1")
    seen: list[Any] = []

    def handle(delivery: Delivery) -> None:
        delivery.sleep(0.05)
        seen.append(client.hget(queue.keys.job("1"), "rest"))

    start_worker(queue, handle)

    wait_until(lambda: seen, "the rest to be over")
    assert seen == [None]


def test_a_rest_is_past_when_its_time_is(queue: Queue, client: Any, start_worker: Callable[..., Running]) -> None:
    told: list[bool] = []
    queue.enqueue({}, job_id="1")

    def handle(delivery: Delivery) -> None:
        delivery.report_rest(0.05, "a\nlong " + "x" * 1000)
        wait_until(lambda: not resting(queue), "the rest's end")
        told.append(True)
        with pytest.raises(InvalidData, match="seconds is nan"):
            delivery.report_rest(float("nan"))
        why = client.hget(queue.keys.job("1"), "rest")
        assert len(why) < 250
        assert "\n" not in why
        told.append(True)

    begun = time.monotonic()
    start_worker(queue, handle)
    wait_until(lambda: len(told) == 2, "both")
    assert time.monotonic() - begun < 15
