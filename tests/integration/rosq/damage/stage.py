"""A queue in which every kind of key and every kind of job is there, and workers that run on it while it is damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any

from rosq import (
    Cancel,
    Delivery,
    Fail,
    NewJob,
    Queue,
    QueueSettings,
    Release,
    RetryPolicy,
    Snooze,
    Worker,
    WorkerSettings,
    errors,
)
from rosq.execution.settlement import Outcome, Settlement
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq.job import Job
    from tests.servers import RedisServer

#: Little is kept, and only for a moment, so that whatever forgets and trims is at work in the time of a test.
SETTINGS = QueueSettings(remember_s=180.0, crash_pause_s=0.0, forget_worker_s=0.3, keep_completed=40)
TIMES = WorkerSettings(lease_s=0.3, round_s=0.3, max_backoff_s=0.2, grace_s=1.0, exit_s=1.0)
_LONG = "x" * 300
#: Ends of a handler; each job comes to its end by one of them.
ENDS = ("complete", "retry", "snooze", "release", "fail", "cancel", "note")
OVER = ("completed", "failed", "cancelled", "forgotten")


class Handler:
    """Ends as the job's data say."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, delivery: Delivery) -> None:
        end = delivery.data.get("end")
        is_first = delivery.job_id not in self._seen
        self._seen.add(delivery.job_id)
        if end == "cancel":
            raise Cancel("as asked")
        if end == "fail":
            raise Fail("as asked")
        if end == "retry" and is_first:
            raise ValueError("as asked")
        if end == "snooze" and is_first:
            raise Snooze(0.02)
        if end == "release" and is_first:
            raise Release("urgent")
        if end == "note":
            delivery.report_progress(50)
            delivery.log("half of it")


@dataclasses.dataclass
class Stage:
    """A queue, and who works on it."""

    server: RedisServer
    queue: Queue
    client: Any
    workers: list[Running]
    hands: Hands
    #: Jobs that producers were told of as accepted, and that nothing was done to.
    good: list[str] = dataclasses.field(default_factory=list)

    @property
    def prefix(self) -> str:
        return self.queue.keys.pattern.removesuffix("*")

    def list_keys(self) -> list[str]:
        """What is there, without the queue's prefix."""
        found = self.client.scan_iter(match=self.queue.keys.pattern, count=1000)
        return sorted(key.removeprefix(self.prefix) for key in found)

    def start_worker(self, name: str) -> Running:
        worker = Worker(
            self.queue,
            Handler(),
            name=name,
            lanes=("urgent", "main"),
            settings=TIMES,
            policy=RetryPolicy(wait=lambda _: 0.02),
            leave_process=lambda: None,
        )
        running = Running(worker)
        running.thread.start()
        self.workers.append(running)
        return running

    def enqueue_good(self, tag: str) -> None:
        """Jobs of every end; what a producer isn't told of as accepted doesn't count."""
        jobs = [NewJob(job_id=f"good-{tag}-{end}", data={"end": end, "pad": _LONG}) for end in ENDS]
        jobs += [NewJob(job_id=f"good-{tag}-later", data={}, delay_s=0.02)]
        jobs += [NewJob(job_id=f"good-{tag}-urgent", data={"end": "complete"}, lane="urgent")]
        for job in jobs:
            with contextlib.suppress(errors.RosqError):
                self.queue.enqueue_many([job])
                self.good.append(job.job_id)

    def find_unfinished(self) -> dict[str, Job | None]:
        found = self.queue.find_jobs(self.good)
        return {job_id: found.get(job_id) for job_id in self.good if self._is_unfinished(found.get(job_id))}

    @staticmethod
    def _is_unfinished(job: Job | None) -> bool:
        return job is None or job.state.value not in OVER

    def wait_for_good(self, timeout_s: float = 60.0) -> None:
        """Wait until all good jobs have come to an end."""

        def look() -> bool:
            return not self.find_unfinished()

        try:
            wait_until(look, "the good jobs to be done", timeout_s, every_s=0.05)
        except AssertionError as error:
            raise AssertionError(f"unfinished: {self.find_unfinished()}; {self.tell_workers()}") from error

    def tell_workers(self) -> list[str]:
        return [
            f"{running.worker.name}: {running.error!r} alive={running.thread.is_alive()}" for running in self.workers
        ]

    def check_workers(self) -> None:
        """No worker has ended, nor its threads that keep its lease and order the queue."""
        assert all(running.thread.is_alive() for running in self.workers), self.tell_workers()
        assert all(running.error is None for running in self.workers), self.tell_workers()


@contextlib.contextmanager
def staged(server: RedisServer, name: str) -> Iterator[Stage]:
    """A queue with every kind of key in it."""
    with (
        Queue(settings_of(server), name, SETTINGS) as queue,
        server.client() as client,
    ):
        hands = Hands(queue, "hands", 30.0, SETTINGS)
        stage = Stage(server=server, queue=queue, client=client, workers=[], hands=hands)
        try:
            fill(stage)
            yield stage
        finally:
            for running in stage.workers:
                running.worker.request_stop()
                running.worker.request_stop()
            for running in stage.workers:
                running.thread.join(10)
            hands.close()
            client.srem("rosq:queues", name)
            assert not any(running.thread.is_alive() for running in stage.workers), stage.tell_workers()


def fill(stage: Stage) -> None:
    """Bring jobs into every state, each known by its id."""
    queue, hands, client = stage.queue, stage.hands, stage.client
    assert hands.consumer.hold_name() is None

    def finish(job_id: str, outcome: Outcome) -> None:
        queue.enqueue({"end": "complete"}, job_id=job_id)
        delivery = hands.fetch().delivery
        assert delivery is not None and delivery.job_id == job_id
        delay_s = 500.0 if outcome is Outcome.RETRY else 0.0
        settlement = Settlement(delivery=delivery, outcome=outcome, error="broken", delay_s=delay_s)
        hands.consumer.exchange(settlement, (), is_fetching=False)

    finish("completed", Outcome.COMPLETE)
    finish("failed", Outcome.FAIL)
    finish("cancelled", Outcome.CANCEL)
    finish("retried", Outcome.RETRY)
    queue.enqueue({}, job_id="called-off")
    queue.cancel("called-off", by="ann", reason="a test")
    queue.enqueue({"end": "complete"}, job_id="active")
    assert hands.fetch().delivery is not None
    queue.enqueue({"end": "complete"}, job_id="waits", lane="quiet")
    queue.enqueue({"end": "complete", "pad": _LONG}, job_id="waits-long", lane="quiet")
    queue.enqueue({"end": "complete"}, job_id="next")
    queue.enqueue({"end": "complete", "pad": _LONG}, job_id="next-long")
    queue.enqueue({"end": "complete"}, job_id="later", lane="quiet", delay_s=3_000)
    queue.enqueue({"end": "complete"}, job_id="soon", delay_s=0.001)
    queue.enqueue({"end": "complete"}, job_id="forgotten", lane="gone")
    # A worker that came and went, one that left its hold behind, and a name that a standby waits for.
    other = Hands(queue, "gone", 30.0, SETTINGS)
    assert other.consumer.hold_name() is None
    other.consumer.leave(["main"])
    other.close()
    dead = Hands(queue, "dead", 30.0, SETTINGS)
    assert dead.consumer.hold_name() is None
    dead.close()
    client.set(queue.keys.turn("recovery"), "1", px=300)
    from rosq.steering import Steering

    with Steering(queue.redis_settings, queue.name, by="ann", reason="a test") as steering:
        steering.remove(list(steering.see(["forgotten"]).values()), remember_s=600.0)


class Lines(logging.Handler):
    """What was logged, as sentences, each with its error."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        with self._guard:
            self.records.append(record)

    def tell(self) -> list[str]:
        with self._guard:
            return [f"{record.getMessage()} | {getattr(record, 'error', '')}" for record in self.records]
