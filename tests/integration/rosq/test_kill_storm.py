"""Workers killed at random moments while they work through a queue: every job runs to its end, nothing stays behind."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rosq import JobState, NewJob
from rosq.inspect import Inspector
from tests.integration.rosq.conftest import Log, WorkerProcess, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rosq import Queue
    from tests.servers import EmbeddedRedis

JOBS = 400
KILLS = 12


def test_jobs_survive_a_storm_of_kills_and_each_is_completed_once(
    own_redis: EmbeddedRedis, own_queue: Queue, start_process: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    # Given three workers under a supervisor, half of them able to prove a death, and jobs that take a moment
    dice = random.Random(20)
    options: dict[str, Any] = {"lease_s": 1.0, "queue_settings": {"max_crashes": 1000, "crash_pause_s": 0.05}}

    def start(name: str) -> WorkerProcess:
        lock_file = str(tmp_path / f"{name}.lock") if name != "w0" else None
        return start_process(own_redis, own_queue, name, lock_file=lock_file, **options)

    workers = {name: start(name) for name in ("w0", "w1", "w2")}
    own_queue.enqueue_many(
        [
            NewJob(job_id=str(number), data={"sleep": dice.random() / 25, "pad": "x" * (number % 3) * 80}, lane="main")
            for number in range(JOBS)
        ]
    )

    # When one after the other is killed, each time while jobs are being worked on
    with own_redis.client() as client:
        log = Log(client, own_queue)
        for kill in range(1, KILLS + 1):
            log.wait("started", kill * 15)
            name = dice.choice(sorted(workers))
            workers[name].kill()
            workers[name] = start(name)

        # Then all come to their end, each is settled once, and nothing is left
        def completed() -> int:
            return int(client.zcard(own_queue.keys.completed))

        wait_until(lambda: completed() == JOBS, "all jobs", 90, every_s=0.1)
        events: list[Any] = list(client.xrange(own_queue.keys.events))
        ends = [fields["job_id"] for _, fields in events if fields["event"] == "completed"]
        assert sorted(ends, key=int) == [str(number) for number in range(JOBS)]
        assert client.xlen(own_queue.keys.lane("main")) == 0
        assert client.zcard(own_queue.keys.delayed) == 0
        fences: dict[str, list[int]] = {}
        for line in log.lines("started"):
            fences.setdefault(line["job_id"], []).append(line["fence"])
        assert all(found == sorted(set(found)) for found in fences.values())
    jobs = own_queue.find_jobs(str(number) for number in range(JOBS))
    assert {job.state for job in jobs.values()} == {JobState.COMPLETED}
    with Inspector(settings_of(own_redis)) as inspector:
        overview = inspector.look(own_queue.name)
    assert (overview.active, overview.inconsistencies) == (0, [])
