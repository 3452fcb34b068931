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

from rosq import Delivery, Hook, Queue, QueueSettings, RedisSettings, RetryPolicy, Snooze, Worker, WorkerSettings
from rosq.testing import TwiceDeliveringQueue

#: Ways for a handler to end its process.
ENDS: dict[str, Any] = {
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
}


def give_up(error: BaseException) -> None:
    raise error


#: Ways for a child that the handler forked to come out of it.
LEAVES: dict[str, Any] = {
    "return": lambda: None,
    "exit": lambda: sys.exit(0),
    "exit 7": lambda: sys.exit(7),
    "exit with a text": lambda: sys.exit("the child's text"),
    "error": lambda: give_up(ValueError("the child's error")),
    "snooze": lambda: give_up(Snooze(0)),
    "interrupt": lambda: give_up(KeyboardInterrupt()),
}


class Forking(Hook):
    """Forks once, in the place that is named; the child comes back from there like its parent."""

    def __init__(self, place: str, note: Any) -> None:
        self._place = place
        self._note = note

    def fork_in(self, place: str) -> None:
        if place != self._place:
            return
        self._place = ""
        if os.fork():
            self._note("child_ended", exit_code=os.waitstatus_to_exitcode(os.wait()[1]))

    def list_lanes(self) -> list[str]:
        self.fork_in("lanes")
        return ["main"]

    def wait(self, _: Any) -> float:
        self.fork_in("wait")
        return 0.1

    def before_handler(self, *_: Any) -> None:
        self.fork_in("before_handler")

    def after_handler(self, *_: Any) -> None:
        self.fork_in("after_handler")

    def after_settle(self, *_: Any) -> None:
        self.fork_in("after_settle")

    def before_sleep(self, *_: Any) -> None:
        self.fork_in("before_sleep")

    def after_sleep(self, *_: Any) -> None:
        self.fork_in("after_sleep")

    def name_held(self, *_: Any) -> None:
        self.fork_in("name_held")

    def after_maintenance(self, *_: Any) -> None:
        self.fork_in("after_maintenance")


class Handler:
    """Does what the data say, then ends: `sleep` (interruptible), `hang` (deaf to everything), `compute` (in C code,
    where no handler of a signal can run), `fork` (a child that is terminated at once), `leave` (a child that comes out
    of the handler, one way or another), `loop` (asyncio with a signal of its own), `raise` (the exception so named),
    `stall` (no thread runs, then a look; again, until the look comes before the heartbeat),
    `end` (the process, one way or another), `die`, `snooze`."""

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
        facts |= {"crashes": delivery.crashes, "is_real": delivery.hold.handed.is_real, "attempt": delivery.attempt}
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
        if data.get("stall"):
            # In C code that keeps Python's global lock. Who is first afterwards, heartbeat or look, is chance.
            for _ in range(20):
                ctypes.PyDLL(None).usleep(int(float(data["stall"]) * 1e6))
                delivery.check()
        if data.get("loop"):
            asyncio.run(use_a_signal())
        if data.get("leave"):
            # A child that goes the handler's way instead of ending.
            if os.fork() == 0:
                LEAVES[data["leave"]]()
                return
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
    queue = queue_class(
        settings, config["queue"], QueueSettings(**config["queue_settings"]) if "queue_settings" in config else None
    )
    handler = Handler(config, settings)
    forking = Forking(config.get("fork_in", ""), handler.note)

    def on_hold() -> None:
        handler.note("held")
        forking.fork_in("on_hold")

    worker = Worker(
        queue,
        handler,
        name=config["name"],
        lanes=forking.list_lanes if config.get("fork_in") else tuple(config.get("lanes", ["main"])),
        policy=RetryPolicy(wait=forking.wait),
        hooks=[forking] if config.get("fork_in") else [],
        settings=WorkerSettings(
            lease_s=config.get("lease_s", 1.0),
            run_timeout_s=config.get("run_timeout_s", 3600.0),
            grace_s=config.get("grace_s", 10.0),
            exit_s=config.get("exit_s", 5.0),
            round_s=config.get("round_s", 1.0),
            max_backoff_s=0.3,
        ),
        lock_file=Path(config["lock_file"]) if config.get("lock_file") else None,
        on_hold=on_hold,
        is_waiting_for_name=config.get("is_waiting_for_name", True),
    )
    worker.run(stop_on=None if config.get("is_bare") else (signal.SIGTERM, signal.SIGINT))


if __name__ == "__main__":
    main()
