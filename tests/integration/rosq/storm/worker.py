"""A worker process of a storm: quick jobs, and a line in a file for each beginning and end of a run.

The file is the handler's own word, kept apart from Redis: each line is one write, so that a kill leaves whole lines.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from rosq import Delivery, Queue, QueueSettings, RedisSettings, RetryPolicy, Snooze, Worker, WorkerSettings


class Handler:
    """Works for `work_s`; then, in its first attempt, fails or snoozes if the data say so."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, what: str, delivery: Delivery) -> None:
        line = {"what": what, "worker": self._name, "job_id": delivery.job_id, "fence": delivery.fence}
        os.write(self._fd, (json.dumps(line) + "\n").encode())

    def __call__(self, delivery: Delivery) -> None:
        self.note("began", delivery)
        data: dict[str, Any] = dict(delivery.data)
        delivery.sleep(data["work_s"])
        if data.get("is_failing_once") and delivery.attempt == 1:
            self.note("failed", delivery)
            raise ValueError("once")
        if data.get("is_snoozing") and delivery.fence % 2:
            self.note("snoozed", delivery)
            raise Snooze(0.02)
        self.note("ended", delivery)


def main() -> None:
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    config: dict[str, Any] = json.loads(sys.argv[1])
    queue = Queue(RedisSettings.from_env(os.environ), config["queue"], QueueSettings(**config["queue_settings"]))
    worker = Worker(
        queue,
        Handler(config["name"], Path(config["log"])),
        name=config["name"],
        lanes=("urgent", "main"),
        policy=RetryPolicy(wait=lambda _: 0.02),
        settings=WorkerSettings(lease_s=config["lease_s"], grace_s=5, exit_s=5, round_s=1, max_backoff_s=0.2),
        lock_file=Path(config["lock_file"]) if config["lock_file"] else None,
    )
    worker.run(stop_on=[signal.SIGTERM])


if __name__ == "__main__":
    main()
