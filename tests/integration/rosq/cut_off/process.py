"""A worker process that writes down, apart from Redis, from when until when it believed that a job was its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from rosq import Delivery, LeaseLost, Queue, QueueSettings, RedisSettings, RetryPolicy, Worker, WorkerSettings

#: Seconds between two looks at the lease.
_LOOK_S = 0.002


class Watcher:
    """Holds each job for its `hold_s`, or for the process's `watch_s` where it has none. Meanwhile it looks at its
    lease again and again, as the job's `look` says: with `check`, which ends at the first refusal, or with `is_held`,
    which goes on asking; or it rests with `sleep`."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._fd = os.open(config["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, what: str, **facts: Any) -> None:
        os.write(self._fd, (json.dumps({"what": what, **facts}) + "\n").encode())

    def __call__(self, delivery: Delivery) -> None:
        facts = {"job_id": delivery.job_id, "fence": delivery.fence, "crashes": delivery.crashes}
        self.note("began", **facts)
        passed_at = 0.0
        hold_s, look = delivery.data.get("hold_s", self._config["watch_s"]), delivery.data.get("look", "is_held")
        until_s = time.monotonic() + hold_s
        try:
            if look == "sleep":
                delivery.sleep(hold_s)
            while time.monotonic() < until_s:
                # Before the look: what passes has passed at this time or later.
                at = time.time()
                if look == "check":
                    delivery.check()
                    passed_at = at
                elif delivery.lease.is_held():
                    passed_at = at
                time.sleep(_LOOK_S)
        except LeaseLost:
            self.note("lost", **facts)
            raise
        finally:
            self.note("watched", passed_at=passed_at, **facts)


def main() -> None:
    config: dict[str, Any] = json.loads(sys.argv[1])
    settings = RedisSettings(port=config["port"], connect_timeout_s=1.0, answer_timeout_s=1.0)
    watcher = Watcher(config)
    worker = Worker(
        Queue(settings, config["queue"], QueueSettings(crash_pause_s=0.1)),
        watcher,
        name=config["name"],
        policy=RetryPolicy(wait=lambda _: 0.1),
        settings=WorkerSettings(lease_s=config["lease_s"], round_s=0.5, max_backoff_s=0.2),
        on_hold=lambda: watcher.note("holding"),
    )
    worker.run(stop_on=(signal.SIGTERM,))


if __name__ == "__main__":
    main()
