"""Workers in processes of their own, and everything that can happen to them and to their server while they work.

Each storm is judged by the handlers' own log, by the server's order of events, and by what is left. Few jobs with every
test run, as many as `make test-long` says in a long one.
"""

from __future__ import annotations

import functools
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rosq import NewJob
from tests.integration.rosq.storm.cutter import cutting_proxy
from tests.integration.rosq.storm.yard import LEASE_S, Yard, count_of, yard
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import EmbeddedRedis

pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line whatever pytest captures."""
    began_s = time.monotonic()

    def tell(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}, {time.monotonic() - began_s:.0f} s\n")

    return tell


def test_jobs_survive_a_storm_of_kills_and_each_is_completed_once(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    count = count_of("ROSQ_KILL_JOBS", 400)
    with yard(own_redis, queue_name, tmp_path, workers=4) as workers:
        workers.put(count // 2)

        def kill() -> None:
            # Not faster than they come to work: a worker that is killed while it starts shows nothing.
            workers.wait_for_progress(max(count // 50, 20))
            workers.kill_one()
            if len(workers.job_ids) < count:
                # Jobs come while workers die.
                workers.put(min(max(count // 100, 20), count - len(workers.job_ids)))

        workers.run_until_done(kill, timeout_s=60 + count / 5)
        wait_until(lambda: len(workers.job_ids) == count, "all jobs to be put")
        workers.stop()
        tell(f"{workers.kills} kills: {workers.judge()}")


def test_workers_that_are_paused_past_their_lease_settle_nothing_and_lose_nothing(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    count = count_of("ROSQ_PAUSE_JOBS", 400)
    pauses = 0
    with yard(own_redis, queue_name, tmp_path, workers=3) as workers:
        workers.put(count)

        def pause() -> None:
            nonlocal pauses
            pauses += 1
            with workers.paused_one():
                # Sometimes within the lease, mostly past it and past the takeover.
                workers.rest(3 * LEASE_S)

        workers.run_until_done(_and_more(workers, pause, at_least=6, seen=lambda: pauses), timeout_s=60 + count / 5)
        workers.stop()
        tell(f"{pauses} pauses: {workers.judge()}")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_is_restarted_under_load_loses_no_job(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, tell: Callable[[str], None], how: str
) -> None:
    """Stopped in order, or killed and started again on its AOF."""
    count = count_of("ROSQ_RESTART_JOBS", 400)
    restarts = 0
    with yard(own_redis, queue_name, tmp_path, workers=3) as workers:
        workers.put(count)

        def restart() -> None:
            nonlocal restarts
            restarts += 1
            workers.rest(0.5)
            getattr(own_redis, how)()
            workers.rest(0.5)
            own_redis.start()

        workers.run_until_done(_and_more(workers, restart, at_least=4, seen=lambda: restarts), timeout_s=60 + count / 5)
        workers.stop()
        tell(f"{restarts} restarts ({how}): {workers.judge()}")


def test_connections_that_are_cut_anywhere_lose_no_job_and_run_none_in_vain(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    count = count_of("ROSQ_CUT_JOBS", 400)
    with (
        cutting_proxy(own_redis.host, own_redis.port, each=60) as proxy,
        yard(own_redis, queue_name, tmp_path, workers=3, port=proxy.port) as workers,
    ):
        workers.put(count)
        workers.run_until_done(lambda: workers.rest(0.2), timeout_s=60 + count / 5)
        proxy.is_cutting = False
        workers.stop()
        assert min(proxy.cuts.values()) > 0, "cut in each direction"
        tell(f"{proxy.cuts['request']} requests and {proxy.cuts['answer']} answers cut: {workers.judge()}")


def test_after_the_loss_of_all_data_under_load_jobs_are_put_back_and_fences_grow_on(
    own_redis: EmbeddedRedis, queue_name: str, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    count, losses = count_of("ROSQ_FLUSH_JOBS", 600), 3
    known: list[tuple[int, dict[str, int]]] = []
    with yard(own_redis, queue_name, tmp_path, workers=3) as workers:
        # On a machine that is too busy all jobs may be done before this process has its turn: then once more.
        for _ in range(10 * losses):
            # Given that they are at work, with a part of the jobs done
            part = len(workers.done()) + count // losses // 3
            workers.put(count // losses, work_s=0.02)
            wait_until(functools.partial(_are_done, workers, part), "some jobs", 60)

            # When everything is lost, and the outside puts back what it doesn't know as done, with the fences it knows
            own_redis.flushall()
            seen, floors = len(workers.runs()), workers.greatest_fences()
            undone = set(workers.job_ids) - workers.done()
            for job_id in undone:
                workers.queue.reopen(NewJob(job_id=job_id, data={"work_s": 0.02}, fence_floor=floors[job_id]))
            if undone:
                known.append((seen, floors))
            if len(known) == losses:
                break
        wait_until(lambda: _are_done(workers, len(workers.job_ids) - 1), "all jobs", 60)
        workers.stop()

        # Then no later run has a fence that had been seen before
        runs = workers.runs()
        began = [(run["job_id"], run["fence"]) for run in runs if run["what"] == "began"]
        assert len(began) == len(set(began))
        assert len(known) == losses
        for seen, floors in known:
            later = [run for run in runs[seen:] if run["what"] == "began"]
            assert later, "jobs ran after the loss"
            assert all(run["fence"] > floors[run["job_id"]] for run in later)
        tell(f"{losses} losses: {len(workers.job_ids)} jobs, {len(began)} runs")


def _are_done(workers: Yard, more_than: float) -> bool:
    return len(workers.done()) > more_than


def _and_more(
    workers: Yard, trouble: Callable[[], None], *, at_least: int, seen: Callable[[], int]
) -> Callable[[], None]:
    """Trouble, and further jobs as long as there wasn't enough of it."""

    def again() -> None:
        trouble()
        if seen() < at_least and workers.completed() > len(workers.job_ids) * 0.8:
            workers.put(100)

    return again
