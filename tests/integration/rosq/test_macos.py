"""A queue and a worker on a real server where there is only what macOS has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers import RedisServer

ROOT = Path(__file__).parents[3]
#: Every way in which a worker waits, settles and ends: at once, after a retry, when it is due, by a signal.
_ROUND = """
import os, signal, sys, time
from rosq import Queue, RedisSettings, RetryPolicy, Worker, WorkerSettings

for module, name in ((os, "pipe2"), (os, "sched_getaffinity"), (time, "CLOCK_BOOTTIME")):
    assert not hasattr(module, name), name
ran = []

def handle(delivery):
    ran.append((delivery.job_id, delivery.attempt))
    if delivery.job_id == "twice" and delivery.attempt == 1:
        raise ValueError("once")
    delivery.sleep(0.01)
    delivery.log("it goes on")
    if delivery.job_id == "last":
        os.kill(os.getpid(), signal.SIGTERM)

with Queue(RedisSettings.from_env(os.environ), %r) as queue:
    queue.enqueue({}, job_id="once")
    queue.enqueue({}, job_id="twice")
    queue.enqueue({}, job_id="later", delay_s=0.3)
    queue.enqueue({}, job_id="last", delay_s=1.5)
    policy = RetryPolicy(wait=lambda state: 0.2)
    Worker(queue, handle, name="w1", policy=policy, lock_file=__import__("pathlib").Path(%r)).run(
        stop_on=[signal.SIGTERM]
    )
    assert {job.state for job in queue.find_jobs(["once", "twice", "later", "last"]).values()} == {"completed"}
print(*sorted(ran))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it takes away what Linux has")
def test_jobs_run_without_what_macos_lacks(redis_server: RedisServer, queue_name: str, tmp_path: Path) -> None:
    code = _ROUND % (queue_name, str(tmp_path / "lock"))

    done = subprocess.run(
        [sys.executable, "-m", "tests.macos", code],
        cwd=ROOT,
        env={**os.environ, **redis_server.env()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    expected = "('last', 1) ('later', 1) ('once', 1) ('twice', 1) ('twice', 2)"
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
