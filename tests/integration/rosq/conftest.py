"""What the queue's tests share: a queue of their own, bare consumers, workers in threads and in processes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, Queue, QueueSettings, RedisSettings, RetryPolicy, Worker, WorkerSettings
from rosq.connection.alarm import Alarm
from rosq.execution.consumer import Consumer
from rosq.execution.delivery import Hold
from rosq.execution.fetching import Answer
from rosq.execution.lease import Lease
from rosq.execution.notes import Notes
from rosq.execution.stop import StopClock
from rosq.inspect.job.timeline import read_entry
from rosq.store import codec
from rosq.store.keys import QUEUES
from tests.integration.rosq.breaking import LONG, SHORT, Bench, make_repair
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

    from rosq.connection.wire import Wire
    from rosq.execution.consumer import NameHolder
    from rosq.execution.settlement import Settlement
    from rosq.mend.repair import Repair
    from tests.servers import EmbeddedRedis, RedisServer

ROOT = Path(__file__).parents[3]


def settings_of(server: RedisServer) -> RedisSettings:
    return RedisSettings(
        host=server.host, port=server.port, db=server.db, username=server.username, password=server.password
    )


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis_server.client() as client:
        yield client


@pytest.fixture
def queue(redis_server: RedisServer, queue_name: str) -> Iterator[Queue]:
    with Queue(settings_of(redis_server), queue_name) as queue:
        yield queue
    # The server is shared by many tests, and some look at all of its queues: those of tests that are over, damaged ones
    # among them, are no longer listed.
    with redis_server.client() as client:
        client.srem(QUEUES, queue_name)


@pytest.fixture
def own_queue(own_redis: EmbeddedRedis, queue_name: str) -> Iterator[Queue]:
    """A queue on a server that the test may stop."""
    with Queue(settings_of(own_redis), queue_name) as queue:
        yield queue


def let_lease_run_out(client: Any, queue: Queue, job_id: str) -> None:
    """Wait until a lease is over by the server's clock: a little later than its holder counts, from before it asked."""
    job = queue.keys.job(job_id)

    def is_over() -> bool:
        seconds, micros = client.time()
        return bool(seconds * 1000 + micros / 1000 > float(client.hget(job, "lease_until_ms") or 0))

    wait_until(is_over, "the lease to run out")


@dataclasses.dataclass(slots=True)
class Brought(Answer):
    """An answer, and the delivery that a worker would make of its job."""

    delivery: Delivery | None = None


class HandsConsumer(Consumer):
    """A worker's side of the queue whose answers bring deliveries."""

    def __init__(self, queue: Queue, name: str, settings: WorkerSettings, wire: Wire | None = None) -> None:
        super().__init__(
            keys=queue.keys,
            wire=wire or queue.make_wire(f"rosq-worker:{name}"),
            name=name,
            standing=queue.standing,
            settings=settings,
        )
        self.alarm = Alarm()
        self.stop = StopClock(10, 5)
        self.notes = Notes(self.keys, self.wire, queue.standing)

    def exchange(self, settlement: Settlement | None, lanes: Sequence[str], *, is_fetching: bool = True) -> Brought:
        return self._bring(super().exchange(settlement, lanes, is_fetching=is_fetching))

    def sleep(
        self, lanes: Sequence[str], timeout_s: float, next_due_s: float | None, alarm: Alarm | None = None
    ) -> Brought | None:
        answer = super().sleep(lanes, timeout_s, next_due_s, alarm or self.alarm)
        return None if answer is None else self._bring(answer)

    def close(self) -> None:
        super().close()
        self.notes.close()
        self.alarm.close()

    def _bring(self, answer: Answer) -> Brought:
        fields = {field.name: getattr(answer, field.name) for field in dataclasses.fields(Answer)}
        handed = answer.hand_out
        if handed is None:
            return Brought(**fields)
        lease = Lease(handed.job_id, handed.asked_s + self.settings.lease_s)
        hold = Hold(handed, lease, self.stop, self.alarm, self.notes)
        is_last = RetryPolicy().is_last(handed.attempt)
        return Brought(**fields, delivery=Delivery(hold, codec.unpack(handed.text), is_last))


class Hands:
    """A worker's hands without its loop: every call to Redis is the test's own."""

    def __init__(self, queue: Queue, name: str, lease_s: float, settings: QueueSettings | None) -> None:
        if settings is not None:
            queue = Queue(queue.redis_settings, queue.name, settings)
        self.consumer = HandsConsumer(queue, name, WorkerSettings(lease_s=lease_s))
        self.alarm = self.consumer.alarm

    def take_name(self, proofs: Sequence[str] = ()) -> NameHolder | None:
        """As a worker does it: the name, and then a look for what its last holder left."""
        holder = self.consumer.hold_name(proofs)
        if holder is None:
            self.consumer.find_own_pending()
        return holder

    def fetch(self, *lanes: str) -> Brought:
        return self.consumer.exchange(None, lanes or ("main",))

    def close(self) -> None:
        self.consumer.close()


@pytest.fixture
def make_hands(queue: Queue) -> Iterator[Callable[..., Hands]]:
    made: list[Hands] = []

    def make(
        name: str = "w1", *, lease_s: float = 30.0, settings: QueueSettings | None = None, is_holding: bool = True
    ) -> Hands:
        hands = Hands(queue, name, lease_s, settings)
        made.append(hands)
        if is_holding:
            assert hands.take_name() is None
        return hands

    yield make
    for hands in made:
        hands.close()


@pytest.fixture(params=[SHORT, LONG], ids=["short", "long"])
def bench(request: Any, queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]) -> Iterator[Bench]:
    """A queue to break; with short data, which lie in the hash, and with long ones, which lie in the entry."""
    yield Bench(queue=queue, client=client, hands=make_hands(), data=request.param)
    client.delete(queue.keys.meta)


@pytest.fixture
def wire(queue: Queue) -> Iterator[Wire]:
    wire = queue.make_wire("test")
    yield wire
    wire.close()


@pytest.fixture
def mender(queue: Queue, wire: Wire) -> Repair:
    """One whose second look comes at once."""
    return make_repair(queue, wire)


class Running:
    """A worker in a thread, and what its run came to."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:
            self.error = error

    def stop(self, timeout_s: float = 15.0) -> None:
        self.worker.request_stop()
        self.join(timeout_s)

    def join(self, timeout_s: float = 15.0) -> None:
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "the worker didn't come to an end"


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Running]]:
    """Start a worker in a thread: `start_worker(queue, handler, name=…, …)`; all end with the test."""
    started: list[Running] = []

    def start(queue: Queue, handler: Any, **options: Any) -> Running:
        options.setdefault("name", "w1")
        options.setdefault("leave_process", lambda: None)
        running = Running(Worker(queue, handler, **options))
        started.append(running)
        running.thread.start()
        return running

    yield start
    for running in started:
        running.worker.request_stop()
        running.worker.request_stop()
    for running in started:
        running.join()


class WorkerProcess:
    """A worker in a process of its own, to be killed and paused. `tests/integration/rosq/worker_process.py` is what
    runs."""

    def __init__(self, server: RedisServer, queue: Queue, name: str, options: dict[str, Any]) -> None:
        self._log_key = f"test-log:{queue.name}"
        self._server = server
        config = {"queue": queue.name, "name": name, "log": self._log_key, **options}
        command = [sys.executable, "-m", "tests.integration.rosq.worker_process", json.dumps(config)]
        env = {**os.environ, **server.env(), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
        self._stderr: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._stderr.append(line)

    @property
    def stderr(self) -> str:
        return "".join(self._stderr)

    def signal(self, sig: signal.Signals) -> None:
        self.process.send_signal(sig)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def wait(self, timeout_s: float = 15.0) -> int:
        return self.process.wait(timeout_s)

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            self.kill()
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def start_process() -> Iterator[Callable[..., WorkerProcess]]:
    """Start a worker process: `start_process(server, queue, name, lease_s=…, …)`; all are killed with the test's
    end."""
    started: list[WorkerProcess] = []

    def start(server: RedisServer, queue: Queue, name: str = "w1", **options: Any) -> WorkerProcess:
        process = WorkerProcess(server, queue, name, options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()


class Log:
    """What the worker processes of a queue wrote down, in order."""

    def __init__(self, client: redis.Redis, queue: Queue) -> None:
        self._client = client
        self._key = f"test-log:{queue.name}"

    def lines(self, what: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(text) for text in self._client.lrange(self._key, 0, -1)]
        return [line for line in found if what is None or line["what"] == what]

    def wait(self, what: str, count: int = 1, timeout_s: float = 15.0) -> list[dict[str, Any]]:
        return wait_until(
            lambda: found if len(found := self.lines(what)) >= count else None, f"{count} × {what}", timeout_s
        )


def events_of(client: redis.Redis, queue: Queue, job_id: str | None = None) -> list[str]:
    """The names of a queue's events, or of one of its jobs."""
    entries: Any = client.xrange(queue.keys.events)
    told = [event for entry in entries for event in read_entry(*entry)]
    return [event.event for event in told if job_id is None or event.job_id == job_id]
