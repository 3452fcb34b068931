"""What a process holds open: nothing for workers that never run, few connections after a burst."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Queue, Worker
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis


def open_descriptors() -> int:
    gc.collect()
    return len(list(Path("/dev/fd").iterdir()))


def connections_of(client: redis.Redis, name: str = "rosq-queue") -> int:
    return sum(1 for each in client.client_list() if each["name"] == name)


def test_a_hundred_workers_that_are_made_and_not_run_leave_no_descriptor(queue: Queue, tmp_path: Path) -> None:
    before = open_descriptors()
    workers = [
        Worker(queue, lambda _: None, name=f"w{number}", lock_file=tmp_path / f"{number}") for number in range(100)
    ]
    for worker in workers:
        # Asked to stop, and woken, before they run.
        worker.wake()
        worker.request_stop()

    assert open_descriptors() == before
    assert len(workers) == 100


def test_a_worker_that_ran_leaves_no_descriptor(queue: Queue, start_worker: Callable[..., Running]) -> None:
    done = threading.Event()
    queue.enqueue({}, job_id="warm")
    before = open_descriptors()

    running = start_worker(queue, lambda _: done.set())
    assert done.wait(10)
    running.stop()

    wait_until(lambda: open_descriptors() == before, "its descriptors to be closed")


def test_a_worker_that_was_refused_at_its_start_leaves_no_descriptor(queue: Queue) -> None:
    before = open_descriptors()

    def refuse() -> None:
        raise ZeroDivisionError

    for number in range(20):
        worker = Worker(queue, lambda _: None, name=f"w{number}", on_hold=refuse, leave_process=lambda: None)
        with pytest.raises(ZeroDivisionError):
            worker.run()
    queue.close()

    wait_until(lambda: open_descriptors() <= before, "their descriptors to be closed")


def test_a_burst_of_three_hundred_threads_leaves_a_few_idle_connections(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    all_in_use = threading.Barrier(301)
    answers: list[Any] = []

    def call() -> None:
        with own_queue._wires.borrow() as wire:
            answers.append(wire.call("PING"))
            all_in_use.wait(60)

    threads = [threading.Thread(target=call) for _ in range(300)]
    with own_redis.client() as client:
        for thread in threads:
            thread.start()
        all_in_use.wait(60)
        for thread in threads:
            thread.join(60)

        assert answers == ["PONG"] * 300
        wait_until(lambda: connections_of(client) <= 8, "the connections beyond a few to be closed", 10)
        assert own_queue.enqueue({}, job_id="1").job_id == "1"


def test_connections_that_nobody_has_used_for_long_are_closed_by_the_next_call(
    own_redis: EmbeddedRedis, own_queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_queue._wires.borrow() as one, own_queue._wires.borrow() as two, own_queue._wires.borrow() as three:
        assert [wire.call("PING") for wire in (one, two, three)] == ["PONG"] * 3
    with own_redis.client() as client:
        assert connections_of(client) == 3
        monkeypatch.setattr("rosq.connection.pool._KEPT_S", 0.0)

        with own_queue._wires.borrow() as wire:
            wire.call("PING")

        wait_until(lambda: connections_of(client) == 1, "the other two to be closed")
