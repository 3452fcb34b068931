"""What finished when, as far as finished jobs are kept, and what the counters say of all time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq.connection.reading import read_at_once
from rosq.inspect.view import View, at, count_of, server_now
from rosq.store.fields import to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rosq.store.keys import Keys

#: The steps that can be counted by, in seconds.
STEPS_S: Mapping[str, float] = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A span of time, its end not counted in."""

    begins_at: datetime
    completed: int
    failed: int
    cancelled: int
    #: False: some that finished in it may be forgotten by now.
    is_whole: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Throughput(View):
    """What `rosq inspect throughput` shows, newest step first."""

    step_s: float
    steps: list[Step]
    #: Since the queue was made.
    enqueued_total: int
    reopened_total: int
    completed_total: int
    failed_total: int
    cancelled_total: int
    #: The oldest finished job that is kept of each kind: nothing before it can be counted.
    completed_kept_since: datetime | None
    failed_kept_since: datetime | None
    cancelled_kept_since: datetime | None


def view(client: Any, keys: Keys, *, step_s: float, steps: int) -> Throughput:
    """Count step by step, back from now."""
    now_s = server_now(client)
    meta = client.hgetall(keys.meta)
    first = (int(now_s // step_s) - steps + 1) * step_s
    begins = [first + number * step_s for number in range(steps)]

    def count(pipe: Any) -> None:
        for key in (keys.completed, keys.failed, keys.cancelled):
            pipe.zrange(key, 0, 0, withscores=True)
            pipe.zcard(key)
            for begin in begins:
                pipe.zcount(key, begin * 1000, f"({(begin + step_s) * 1000}")

    answers = read_at_once(client, count)
    part = len(answers) // 3
    since, counts, is_all = [], [], []
    for number, total in enumerate(("completed_total", "failed_total", "cancelled_total")):
        oldest, kept, *each = answers[number * part : (number + 1) * part]
        since.append(to_datetime(oldest[0][1]) if oldest else None)
        counts.append(each)
        # While none was forgotten, every step is whole.
        is_all.append(count_of(meta, total) <= kept)
    listed = [
        Step(
            begins_at=at(begin),
            completed=counts[0][number],
            failed=counts[1][number],
            cancelled=counts[2][number],
            is_whole=all(
                is_kept or (oldest is not None and oldest.timestamp() < begin)
                for is_kept, oldest in zip(is_all, since, strict=True)
            ),
        )
        for number, begin in enumerate(begins)
    ]
    return Throughput(
        view="throughput",
        queue=keys.queue,
        seen_at=at(now_s),
        step_s=step_s,
        steps=listed[::-1],
        enqueued_total=count_of(meta, "enqueued_total"),
        reopened_total=count_of(meta, "reopened_total"),
        completed_total=count_of(meta, "completed_total"),
        failed_total=count_of(meta, "failed_total"),
        cancelled_total=count_of(meta, "cancelled_total"),
        completed_kept_since=since[0],
        failed_kept_since=since[1],
        cancelled_kept_since=since[2],
    )
