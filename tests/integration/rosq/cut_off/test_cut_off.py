"""A holder that is cut off from Redis at any moment, and a standby of its name: never two that may work.

Each schedule has a queue, a holder behind a line of its own, and a standby, both processes. Ten with every test run, as
many as `make test-long` says in a long one; several run side by side, since they mostly wait.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from rosq import JobState, NewJob, Queue
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.cut_line import CutLine
from tests.integration.rosq.cut_off.side import Side, processes
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import EmbeddedRedis

LEASE_S = 1.2
SIDE_BY_SIDE = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """What is left to chance."""

    #: How long the job before takes: it moves the beat against the fetch of the job that is watched.
    before_s: float
    #: How long after that fetch the line is cut, and how long after the cut it is mended; None: never.
    cut_after_s: float
    mend_after_s: float | None
    #: How the handlers look at their leases.
    look: str

    @classmethod
    def draw(cls, dice: random.Random) -> Schedule:
        return cls(
            before_s=dice.uniform(0, LEASE_S),
            cut_after_s=dice.choice([0.0, dice.uniform(0, LEASE_S / 3), dice.uniform(0, LEASE_S)]),
            mend_after_s=dice.choice([None, dice.uniform(0, 3 * LEASE_S)]),
            look=dice.choice(["check", "is_held"]),
        )


def play(server: EmbeddedRedis, folder: Path, name: str, schedule: Schedule) -> None:
    """One schedule, to its end: every job is completed."""
    folder.mkdir()
    line = CutLine(server.port)
    with processes() as sides, contextlib.closing(line), Queue(settings_of(server), name) as queue:
        options: dict[str, Any] = {"queue": name, "name": "account", "lease_s": LEASE_S}
        holder = Side(folder / "holder", line.port, watch_s=4 * LEASE_S, **options)
        sides.append(holder)
        holder.wait("holding")
        standby = Side(folder / "standby", server.port, watch_s=LEASE_S / 2, **options)
        sides.append(standby)
        queue.enqueue_many(
            [
                NewJob(job_id="before", data={"hold_s": schedule.before_s, "look": schedule.look}),
                NewJob(job_id="watched", data={"look": schedule.look}),
                NewJob(job_id="next", data={"hold_s": 0.1, "look": schedule.look}),
            ]
        )
        holder.wait("began", "watched")
        # Nothing to wait for: the moment is what is left to chance.
        time.sleep(schedule.cut_after_s)
        line.cut()
        if schedule.mend_after_s is not None:
            time.sleep(schedule.mend_after_s)
            line.mend()
        holder.wait("watched", "watched")
        wait_until(lambda: all_are_done(queue), "every job to be completed", 30)
        judge(holder, standby)


def all_are_done(queue: Queue) -> bool:
    jobs = queue.find_jobs(["before", "watched", "next"])
    return {job.state for job in jobs.values()} == {JobState.COMPLETED}


def judge(holder: Side, standby: Side) -> None:
    """No two of them believed at one time that the name's work was theirs, whichever job it was."""
    wait_until(lambda: len(standby.lines("watched")) == len(standby.lines("began")), "the standby to write it down")
    for began, until, job_id in holder.beliefs():
        for other_began, other_until, other_id in standby.beliefs():
            is_apart = until < other_began or other_until < began
            assert is_apart, (
                f"the holder's look at {job_id} passed until {until:.3f}, {until - other_began:.3f} s after "
                f"{other_id} was handed to the standby"
            )


@pytest.mark.timeout(1_800)
def test_a_holder_that_is_cut_off_stops_before_a_standby_of_its_name_begins(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path
) -> None:
    count = int(os.environ.get("ROSQ_CUT_OFFS", "") or 10)
    seed = int(os.environ.get("ROSQ_CUT_OFF_SEED", "") or random.randrange(10**6))
    dice = random.Random(seed)
    schedules = [Schedule.draw(dice) for _ in range(count)]

    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        plays = {
            pool.submit(play, own_redis, tmp_path / str(number), f"{queue_name}-{number}", schedule): schedule
            for number, schedule in enumerate(schedules)
        }
    failures = [f"{plays[each]}: {each.exception()}" for each in plays if each.exception() is not None]

    assert not failures, f"{len(failures)} of {count} (ROSQ_CUT_OFF_SEED={seed}):\n" + "\n".join(failures)
