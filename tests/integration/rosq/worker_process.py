"""A worker process for tests of faults. What a job's data say is what it does; what it does it writes into a Redis
list."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import importlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import redis

from rosq import Delivery, Queue, QueueSettings, RedisSettings, RetryPolicy, Snooze, Worker, WorkerSettings
from rosq.testing import TwiceDeliveringQueue

#: Ways for a handler to end its process.
ENDS: dict[str, Any] = {
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
}


class Handler:
    """Does what the data say, then ends: `sleep` (interruptible), `hang` (deaf to everything), `compute` (in C code,
    where no handler of a signal can run), `fork` (a child that is terminated at once), `leave` (a child that ends by an
    exception), `loop` (asyncio with a signal of its own), `raise` (the exception of that name), `end` (the process, one
    way or another), `die`, `snooze`."""

    def __init__(self, config: dict[str, Any], settings: RedisSettings) -> None:
        self._log_key = config["log"]
        self._name = config["name"]
        self._settings = settings

    def note(self, what: str, **facts: Any) -> None:
        at = self._settings
        with redis.Redis(host=at.host, port=at.port, db=at.db, username=at.username, password=at.password) as client:
            client.rpush(self._log_key, json.dumps({"what": what, "worker": self._name, "pid": os.getpid(), **facts}))

    def __call__(self, delivery: Delivery) -> None:
        facts: dict[str, Any] = {"job_id": delivery.job_id, "fence": delivery.fence, "token": delivery.token}
        facts |= {"crashes": delivery.crashes, "is_real": delivery.is_real, "attempt": delivery.attempt}
        self.note("started", **facts)
        data: dict[str, Any] = dict(delivery.data)
        if data.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.get("end"):
            ENDS[data["end"]]()
        if data.get("raise"):
            module, _, name = data["raise"].rpartition(".")
            raise getattr(importlib.import_module(module or "builtins"), name)
        if data.get("hang"):
            # Deaf: no look at the lease, no look at the stop.
            time.sleep(float(data["hang"]))
        if data.get("compute"):
            hashlib.pbkdf2_hmac("sha256", b"", b"", int(data["compute"]))
        if data.get("loop"):
            asyncio.run(use_a_signal())
        if data.get("leave"):
            # A child that ends by an exception, through all that its parent has open.
            if os.fork() == 0:
                sys.exit(0)
            self.note("child_ended", exit_code=os.waitstatus_to_exitcode(os.wait()[1]))
        if data.get("fork"):
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            child.start()
            child.terminate()
            child.join()
            self.note("child_ended", exit_code=child.exitcode)
        if data.get("sleep"):
            try:
                delivery.sleep(float(data["sleep"]))
            except Exception as error:
                self.note("interrupted", by=type(error).__name__, **facts)
                raise
        if data.get("snooze"):
            raise Snooze(float(data["snooze"]))
        self.note("ended", **facts)


async def use_a_signal() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)


class Formatter(logging.Formatter):
    """The phrase, and the fact that says why."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname} {super().format(record)} {getattr(record, 'error', '')}"


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger().handlers[0].setFormatter(Formatter())
    config = json.loads(sys.argv[1])
    settings = RedisSettings.from_env(os.environ)
    queue_class = TwiceDeliveringQueue if config.get("is_twice") else Queue
    queue = queue_class(settings, config["queue"], QueueSettings(**config.get("queue_settings", {})))
    handler = Handler(config, settings)
    worker = Worker(
        queue,
        handler,
        name=config["name"],
        lanes=tuple(config.get("lanes", ["main"])),
        policy=RetryPolicy(wait=lambda _: 0.1),
        settings=WorkerSettings(
            lease_s=config.get("lease_s", 1.0),
            run_timeout_s=config.get("run_timeout_s", 3600.0),
            grace_s=config.get("grace_s", 10.0),
            exit_s=config.get("exit_s", 5.0),
            round_s=config.get("round_s", 1.0),
            max_backoff_s=0.3,
        ),
        lock_file=Path(config["lock_file"]) if config.get("lock_file") else None,
        on_hold=lambda: handler.note("held"),
        is_waiting_for_name=config.get("is_waiting_for_name", True),
    )
    worker.run(stop_on=(signal.SIGTERM, signal.SIGINT))


if __name__ == "__main__":
    main()
