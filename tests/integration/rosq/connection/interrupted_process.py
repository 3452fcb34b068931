"""Calls that a signal handler breaks off by an exception, at random instants: run by `test_interrupted.py`.

Prints how many were broken off. Ends by an error where a later call reads an answer that isn't its own.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from rosq import NewJob, Queue, RedisSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Interrupted(Exception):
    """What the signal handler raises."""


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def make_calls(queue: Queue, random_: random.Random) -> list[Callable[[], bool]]:
    """Every kind of call that a producer makes, each of which says whether the answer is its own."""
    queue.enqueue_many(NewJob(job_id=f"old-{number}", data={"number": number}) for number in range(50))
    wire = queue.make_wire("test")

    def some() -> str:
        return f"new-{random_.randrange(10**12)}"

    def enqueue() -> bool:
        job_id = some()
        told = queue.enqueue({"id": job_id}, job_id=job_id, delay_s=random_.uniform(0, 1e6), fence_floor=7)
        return told.job_id == job_id and told.outcome != "conflict"

    def enqueue_many() -> bool:
        ids = [some() for _ in range(140)]
        told = queue.enqueue_many(NewJob(job_id=job_id, data={"id": job_id}, run_timeout_s=1.5) for job_id in ids)
        return [each.job_id for each in told] == ids and all(each.outcome != "conflict" for each in told)

    def find() -> bool:
        number = random_.randrange(50)
        job = queue.find_job(f"old-{number}")
        return job is not None and job.data == {"number": number}

    def echo() -> bool:
        text = some()
        return bool(wire.call("ECHO", text) == text)

    def echo_numbers() -> bool:
        number, part = random_.randrange(10**9), random_.random()
        return bool(wire.call("ECHO", number) == str(number) and wire.call("ECHO", part) == repr(part))

    def echo_many() -> bool:
        texts = [some() for _ in range(20)]
        return wire.call_many([("ECHO", text) for text in texts]) == texts

    def refuse() -> bool:
        job_id = some()
        return queue.find_job(job_id) is None

    return [enqueue, enqueue_many, find, echo, echo_numbers, echo_many, refuse]


def main(queue_name: str, times: int) -> None:
    random_ = random.Random(7)
    signal.signal(signal.SIGALRM, interrupt)
    with Queue(RedisSettings.from_env(os.environ), queue_name) as queue:
        calls = make_calls(queue, random_)
        lengths = dict.fromkeys(calls, 1e-3)
        broken_off = 0
        while broken_off < times:
            call = random_.choice(calls)
            began_s = time.monotonic()
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, random_.uniform(1e-6, lengths[call]))
                    check(call)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                broken_off += 1
                # At once, before the answer that was broken off has come.
                check(random_.choice(calls))
            else:
                lengths[call] = (lengths[call] + time.monotonic() - began_s) / 2
        for call in calls:
            check(call)
    sys.stdout.write(f"{broken_off}\n")


def check(call: Callable[[], Any]) -> None:
    if not call():
        raise AssertionError(f"{call.__name__} read an answer that isn't its own")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
