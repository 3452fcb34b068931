"""Worker processes under a supervisor, and the judge of what came of it."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosq import JobState, NewJob, Queue, QueueSettings, RedisSettings
from rosq.inspect.doctor.examination import Doctor
from rosq.inspect.job.timeline import read_entry
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import RedisServer

ROOT = Path(__file__).parents[4]
LEASE_S = 1.0
#: Nothing is forgotten, so that all of it can be judged; a job may crash as often as the storm wants.
SETTINGS: dict[str, Any] = {
    "max_crashes": 100_000,
    "crash_pause_s": 0.05,
    "max_events": 5_000_000,
    "keep_completed": 1_000_000,
}
_ENDS = ("completed", "failed", "retried", "snoozed", "released")


def count_of(variable: str, default: int) -> int:
    """How many jobs: few in an ordinary run, as many as the environment says in a long one."""
    return int(os.environ.get(variable, "") or default)


class Yard:
    """Workers in processes of their own, on one queue; the dead are started again.

    Args:
        server: Where the judge looks.
        port: Where the workers go, if that is another place: a proxy.
        settings: The queue's; by default nothing is forgotten.
        is_logging: Whether handlers write down each run, for `judge`.
    """

    def __init__(
        self,
        server: RedisServer,
        queue_name: str,
        folder: Path,
        *,
        workers: int,
        port: int = 0,
        settings: dict[str, Any] | None = None,
        is_logging: bool = True,
    ) -> None:
        self.server = server
        self.settings = SETTINGS if settings is None else settings
        self.queue = Queue(_settings(server), queue_name, QueueSettings(**self.settings))
        self.keys = self.queue.keys
        self.dice = random.Random(20)
        self._env = {**os.environ, **server.env(), "PYTHONPATH": str(ROOT)}
        self._env["REDIS_PORT"] = str(port or server.port)
        self._folder = folder
        self.log = folder / "runs.jsonl" if is_logging else Path(os.devnull)
        self.log.touch()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.job_ids: list[str] = []
        self.kills = 0
        for number in range(workers):
            self.start(f"w{number}")

    # -- what happens --------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a worker. Of the first one nobody can prove the death, without a lock file: its lease must run out."""
        config = {
            "queue": self.queue.name,
            "name": name,
            "log": str(self.log),
            "lease_s": LEASE_S,
            "lock_file": None if name == "w0" else str(self._folder / f"{name}.lock"),
            "queue_settings": self.settings,
        }
        command = [sys.executable, "-m", "tests.integration.rosq.storm.worker", json.dumps(config)]
        with (self._folder / "stderr").open("ab") as stderr:
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=self._env, stderr=stderr)

    def put(self, count: int, work_s: float | None = None) -> None:
        """Put jobs on the queue: short and long data, two lanes, some delayed, some that fail or snooze at first."""
        dice = self.dice
        new = [self._make_job(str(len(self.job_ids) + number), dice, work_s) for number in range(count)]
        for start in range(0, count, 200):
            self.queue.enqueue_many(new[start : start + 200])
        self.job_ids += [job.job_id for job in new]

    @staticmethod
    def _make_job(job_id: str, dice: random.Random, work_s: float | None) -> NewJob:
        data: dict[str, Any] = {"work_s": dice.choice([0, 0, 0.001, 0.005]) if work_s is None else work_s}
        if dice.random() < 0.3:
            data["pad"] = "x" * 100
        if dice.random() < 0.1:
            data["is_failing_once" if dice.random() < 0.5 else "is_snoozing"] = True
        lane = "urgent" if dice.random() < 0.2 else "main"
        return NewJob(job_id=job_id, data=data, lane=lane, delay_s=dice.choice([0, 0, 0, 0, 0.05]))

    def kill_one(self) -> None:
        """SIGKILL a worker, whatever it is at, and start it again."""
        name = self.dice.choice(sorted(self.processes))
        self.processes[name].kill()
        self.processes[name].wait(10)
        self.kills += 1
        self.start(name)

    @contextlib.contextmanager
    def paused_one(self) -> Iterator[None]:
        """SIGSTOP a worker, whatever it is at, for the time of the block."""
        process = self.processes[self.dice.choice(sorted(self.processes))]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def rest(self, at_most_s: float) -> None:
        """Let them work for a random while."""
        threading.Event().wait(self.dice.uniform(0, at_most_s))

    def wait_for_progress(self, at_most: int) -> None:
        """Until a random number of further jobs are completed, and a random moment more."""
        until = min(self.completed() + self.dice.randint(1, at_most), len(self.job_ids))
        wait_until(lambda: self.completed() >= until, f"{until} jobs", 60, 0.01)
        self.rest(0.01)

    def completed(self) -> int:
        with self.server.client() as client:
            return int(client.zcard(self.keys.completed))

    def run_until_done(self, trouble: Callable[[], None], timeout_s: float) -> None:
        """Make trouble again and again until all jobs are completed; those that wait are the last to be troubled."""
        deadline = time.monotonic() + timeout_s
        while self.completed() < len(self.job_ids) * 0.97:
            assert time.monotonic() < deadline, f"{self.completed()} of {len(self.job_ids)} jobs done; {self.stderr()}"
            self._check_alive()
            trouble()
        while self.completed() < len(self.job_ids):
            assert time.monotonic() < deadline, f"{self.completed()} of {len(self.job_ids)} jobs done; {self.stderr()}"
            self._check_alive()
            self.rest(0.2)

    def _check_alive(self) -> None:
        for name, process in self.processes.items():
            assert process.poll() is None, f"worker {name} ended by itself: {self.stderr()}"

    def stderr(self) -> str:
        return (self._folder / "stderr").read_text(errors="replace")[-3_000:]

    def stop(self) -> None:
        """Let all end in order, those that are just starting too."""
        with self.server.client() as client:
            wait_until(lambda: all(self._is_at_work(client, name) for name in self.processes), "all workers", 60)
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in self.processes.items():
            assert process.wait(20) == 0, f"worker {name} didn't end well: {self.stderr()}"

    def _is_at_work(self, client: Any, name: str) -> bool:
        return bool(client.hget(self.keys.worker(name), "pid") == str(self.processes[name].pid))

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(10)
        self.queue.close()

    # -- what came of it -----------------------------------------------------------------------------------------------

    def runs(self) -> list[dict[str, Any]]:
        """What the handlers wrote down."""
        # A line is written in one go, but where it crosses a page of the file its beginning can be read alone.
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def done(self) -> set[str]:
        """The jobs whose handler came to its end."""
        return {run["job_id"] for run in self.runs() if run["what"] == "ended"}

    def greatest_fences(self) -> dict[str, int]:
        """As the outside knows them."""
        greatest: dict[str, int] = collections.defaultdict(int)
        for run in self.runs():
            greatest[run["job_id"]] = max(greatest[run["job_id"]], run["fence"])
        return greatest

    def judge(self) -> str:
        """Check that every job ran to its end, each settle was its holder's, and nothing is left. Say the figures."""
        runs = self.runs()
        began = collections.Counter((run["job_id"], run["fence"]) for run in runs if run["what"] == "began")
        ended = {(run["job_id"], run["fence"]) for run in runs if run["what"] == "ended"}
        assert max(began.values()) == 1, "every run has a fence of its own"
        assert {job_id for job_id, _ in ended} == set(self.job_ids), "every job ran to its end"
        jobs = self.queue.find_jobs(self.job_ids)
        assert collections.Counter(job.state for job in jobs.values()) == {JobState.COMPLETED: len(self.job_ids)}
        assert all((job.job_id, job.fence) in ended for job in jobs.values()), "completed by a run that came to its end"
        settles = self._judge_events(ended)
        self._judge_what_is_left()
        repeated = len(began) - len(self.job_ids)
        return f"{len(self.job_ids)} jobs, {len(began)} runs ({repeated} more than jobs), {settles} settles"

    def _judge_events(self, ended: set[tuple[str, int]]) -> int:
        """By the server's own order of events: a job is settled by the delivery that has it, and by no other."""
        holder: dict[str, int] = {}
        last: dict[str, int] = collections.defaultdict(int)
        settles = 0
        completed: collections.Counter[str] = collections.Counter()
        with self.server.client() as client:
            entries: Any = client.xrange(self.keys.events)
        for event in (event for entry in entries for event in read_entry(*entry)):
            job_id = event.job_id or ""
            if event.event == "started":
                fence = int(event.facts["fence"])
                assert fence > last[job_id], f"job {job_id}: a fence that doesn't grow"
                holder[job_id] = last[job_id] = fence
            elif event.event == "crashed":
                holder.pop(job_id, None)
            elif event.event in _ENDS:
                settles += 1
                assert holder.pop(job_id, None) == int(event.facts["fence"]), f"job {job_id}: settled without its lease"
                completed[job_id] += event.event == "completed"
                if event.event == "completed":
                    assert (job_id, int(event.facts["fence"])) in ended, f"job {job_id}: completed without a run"
        assert set(completed.values()) == {1}, "completed once each"
        return settles

    def _judge_what_is_left(self) -> None:
        with self.server.client() as client:
            for lane in ("main", "urgent"):
                assert client.xlen(self.keys.lane(lane)) == 0
                for group in client.xinfo_groups(self.keys.lane(lane)):
                    assert group["pending"] == 0
            assert client.zcard(self.keys.delayed) == 0
            wire = self.queue.make_wire("judge")
            told = Doctor(client, wire, self.keys, _settings(self.server).address, scan=100_000).examine()
            wire.close()
        wrong = [finding for finding in told.findings if finding.subject in ("keys", "workers", "delayed", "pause")]
        assert {finding.level for finding in wrong} <= {"ok", "note"}, wrong


def _settings(server: RedisServer) -> RedisSettings:
    return RedisSettings(host=server.host, port=server.port, db=server.db, password=server.password)


@contextlib.contextmanager
def yard(server: RedisServer, queue_name: str, folder: Path, *, workers: int, **options: Any) -> Iterator[Yard]:
    """Run such workers; they are killed with the block's end."""
    made = Yard(server, queue_name, folder, workers=workers, **options)
    try:
        yield made
    finally:
        made.close()
