"""A server that answers and can't: each trouble is made for real, told as what it is, and jobs go on afterwards."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import redis

from rosq import JobState, Queue, ServerUnready, Worker, WorkerSettings
from rosq.connection.translating import MEANINGS
from tests.integration.rosq.conftest import settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis


@contextlib.contextmanager
def unable_to_save(server: EmbeddedRedis) -> Iterator[None]:
    """It was told to save snapshots, and the last one failed: its file is a folder."""
    with server.client() as client:
        (server.folder / "dump.rdb").mkdir()
        client.config_set("save", "3600 1")
        with contextlib.suppress(redis.ResponseError):
            client.bgsave()

        def has_failed() -> bool:
            info: Any = client.info("persistence")
            return bool(info["rdb_last_bgsave_status"] == "err")

        wait_until(has_failed, "the snapshot to fail")
        yield
        client.config_set("save", "")


@contextlib.contextmanager
def without_replicas(server: EmbeddedRedis) -> Iterator[None]:
    with server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        yield
        client.config_set("min-replicas-to-write", 0)


@contextlib.contextmanager
def busy_with_a_script(server: EmbeddedRedis) -> Iterator[None]:
    with server.client() as client, server.client() as other:
        client.config_set("busy-reply-threshold" if "busy-reply-threshold" in _options(client) else "lua-time-limit", 1)

        def hold_up() -> None:
            # Killed at the end.
            with contextlib.suppress(redis.ResponseError):
                other.eval("while true do end", 0)

        thread = threading.Thread(target=hold_up)
        thread.start()

        def is_busy() -> bool:
            try:
                client.ping()
            except redis.ResponseError as error:
                return str(error).startswith("BUSY")
            return False

        wait_until(is_busy, "the script to hold it up")
        yield
        client.script_kill()
        thread.join(10)


@contextlib.contextmanager
def with_all_clients(server: EmbeddedRedis) -> Iterator[None]:
    with server.client() as client:
        for each in client.client_list():
            if each["id"] != str(client.client_id()):
                client.client_kill_filter(_id=each["id"])
        client.config_set("maxclients", 1)
        yield
        client.config_set("maxclients", 10_000)


def _options(client: redis.Redis) -> dict[str, str]:
    found: Any = client.config_get("*threshold*")
    return dict(found)


TROUBLES: dict[str, Callable[[EmbeddedRedis], contextlib.AbstractContextManager[None]]] = {
    "MISCONF": unable_to_save,
    "NOREPLICAS": without_replicas,
    "BUSY": busy_with_a_script,
    "maxclients": with_all_clients,
}


def assert_told(error: BaseException, code: str) -> None:
    assert isinstance(error, ServerUnready), error
    assert error.code == code
    assert MEANINGS[code].what in str(error)
    assert str(error).endswith(MEANINGS[code].todo)


@pytest.mark.parametrize("code", TROUBLES)
def test_a_producer_is_told_what_it_is_and_what_to_do(code: str, own_redis: EmbeddedRedis, queue_name: str) -> None:
    with Queue(settings_of(own_redis), queue_name) as queue:
        queue.enqueue({}, job_id="before")
        with TROUBLES[code](own_redis):
            with pytest.raises(ServerUnready) as caught:
                queue.enqueue({}, job_id="1")
            assert_told(caught.value, code)

            # And so is one whose first call it is.
            with Queue(settings_of(own_redis), queue_name) as other, pytest.raises(ServerUnready) as caught:
                other.enqueue({}, job_id="2")
            assert_told(caught.value, code)

        assert queue.enqueue({}, job_id="1").job_id == "1"
        assert set(queue.find_jobs(["before", "1", "2"])) == {"before", "1"}


@pytest.mark.parametrize("code", TROUBLES)
def test_a_worker_says_what_it_is_waits_and_settles_its_job_once(
    code: str,
    own_redis: EmbeddedRedis,
    own_queue: Queue,
    start_worker: Callable[..., Running],
    caplog: pytest.LogCaptureFixture,
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()
    runs: list[int] = []

    def handle(delivery: Any) -> None:
        runs.append(delivery.attempt)
        has_begun.set()
        assert may_end.wait(30)

    own_queue.enqueue({}, job_id="1")
    start_worker(own_queue, handle, settings=WorkerSettings(lease_s=3, max_backoff_s=0.2))
    assert has_begun.wait(10)

    with TROUBLES[code](own_redis):
        may_end.set()
        wait_until(
            lambda: any(
                getattr(record, "event", "") == "redis_away" and MEANINGS[code].what in getattr(record, "error", "")
                for record in caplog.records
            ),
            "the worker to say what it is",
        )

    def is_completed() -> bool:
        job = own_queue.find_job("1")
        return job is not None and job.state is JobState.COMPLETED

    wait_until(is_completed, "the job to be settled")
    assert runs == [1]


def test_a_worker_that_starts_while_the_server_cant_waits_for_it(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="1")
    done = threading.Event()
    worker = Worker(own_queue, lambda _: done.set(), name="w1", leave_process=lambda: None)
    thread = threading.Thread(target=worker.run)
    with without_replicas(own_redis):
        thread.start()
        wait_until(lambda: worker._outage._failures > 1, "the worker to have been refused twice")
        assert not done.is_set()

    assert done.wait(10)
    worker.request_stop()
    thread.join(15)
    assert not thread.is_alive()
