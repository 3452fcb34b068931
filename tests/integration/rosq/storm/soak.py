"""Workers and producers under random faults for as long as asked: no job is lost, and nothing grows.

    python -m tests.integration.rosq.storm.soak --minutes 120

A line a minute says the gauges; the last lines say what came of it. It ends by itself, with 1 where something grew or
was lost. The faults are those of the other storms, one every few seconds: a worker killed or paused past its lease,
the server stopped, killed or paused and started again, connections cut, scripts forgotten, memory full.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosq import NewJob, Queue, QueueSettings, RedisSettings, RosqError
from tests.integration.rosq.storm import gauges
from tests.integration.rosq.storm.cutter import CuttingProxy, cutting_proxy
from tests.integration.rosq.storm.yard import LEASE_S, Yard, yard
from tests.servers import EmbeddedRedis, embedded_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Everything that is kept is kept so shortly that a short run reaches its bounds too.
SETTINGS: dict[str, Any] = {
    "max_crashes": 100_000,
    "crash_pause_s": 0.05,
    "max_events": 2_000,
    "keep_completed": 500,
    "keep_failed": 200,
    "keep_cancelled": 200,
    "remember_s": 20.0,
    "forget_worker_s": 30.0,
    "keep_empty_lanes_s": 60.0,
}
#: Jobs a second, and how many lanes there are at a time: named after the minute, so that each comes and goes.
_JOBS_A_S, _LANES_A_MINUTE = 40.0, 20
_FAULT_EACH_S, _SAMPLE_EACH_S = 4.0, 5.0


class Soak:
    """One run.

    Args:
        workers: Their yard; `w0` is spared by kills, so that its process grows old.
    """

    def __init__(self, server: EmbeddedRedis, proxy: CuttingProxy, workers: Yard, queue: Queue, seed: int) -> None:
        self.server, self.proxy, self.workers, self.queue = server, proxy, workers, queue
        self.dice = random.Random(seed)
        self.samples: list[gauges.Sample] = []
        self.put = self.cancelled = 0
        self.faults: dict[str, int] = {}
        self._began_s = time.monotonic()

    @property
    def at_s(self) -> float:
        return time.monotonic() - self._began_s

    def run(self, length_s: float) -> None:
        """Put jobs, do harm, and look, until the time is over."""
        next_fault_s, next_sample_s, next_line_s = _FAULT_EACH_S, 0.0, 60.0
        while self.at_s < length_s:
            self._put_some(self.at_s)
            if self.at_s >= next_fault_s:
                self._do_harm()
                next_fault_s = self.at_s + self.dice.uniform(0.5, 1.5) * _FAULT_EACH_S
            if self.at_s >= next_sample_s:
                self.samples.append(gauges.Sample(self.at_s, self._read()))
                next_sample_s = self.at_s + _SAMPLE_EACH_S
            if self.at_s >= next_line_s:
                self._say()
                next_line_s += 60.0
            time.sleep(0.05)

    # -- the load ------------------------------------------------------------------------------------------------------

    def _put_some(self, now_s: float) -> None:
        """As many as are due by now: those of an outage come after it."""
        count = min(int(now_s * _JOBS_A_S) - self.put, 500)
        new = [self._make_job(self.put + number) for number in range(count)]
        if not new:
            return
        try:
            self.queue.enqueue_many(new)
            self.put += count
            for job in new:
                if self.dice.random() < 0.1:
                    self.cancelled += 1
                    self.queue.cancel(job.job_id, by="soak", reason="one in ten is called off")
        except RosqError:
            # The same jobs are put again with the next look: an id is one job, however often it is put.
            return

    def _make_job(self, number: int) -> NewJob:
        # By the number, so that a job that is put again is the same.
        dice = random.Random(number)
        data: dict[str, Any] = {"work_s": dice.choice([0, 0, 0.001, 0.005])}
        if dice.random() < 0.3:
            data["pad"] = "x" * 100
        if dice.random() < 0.1:
            data["is_failing_once" if dice.random() < 0.5 else "is_snoozing"] = True
        tenant = f"tenant-{number // int(60 * _JOBS_A_S)}-{dice.randrange(_LANES_A_MINUTE)}"
        lane = dice.choice(["main", "main", "urgent", tenant])
        return NewJob(job_id=str(number), data=data, lane=lane, delay_s=dice.choice([0, 0, 0, 0.05, 2.0]))

    def _rescue_tenants(self) -> None:
        """Nobody reads the tenants' lanes: what waits there is moved to the main one, as an operator would."""
        with self.server.client() as client:
            lanes = [str(lane) for lane in client.sscan_iter(self.queue.keys.lanes, match="tenant-*")]
            for lane in lanes:
                for _, fields in client.xrange(self.queue.keys.lane(lane), count=200):
                    self.queue.move(fields["job_id"], from_lane=lane, to_lane="main")

    # -- the harm ------------------------------------------------------------------------------------------------------

    def _do_harm(self) -> None:
        with contextlib.suppress(RosqError):
            self._rescue_tenants()
        kind = self.dice.choice(
            ["kill", "kill", "kill", "pause", "cut", "cut", "stop server", "kill server", "hang", "scripts", "full"]
        )
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if kind == "kill":
            name = self.dice.choice(sorted(set(self.workers.processes) - {"w0"}))
            self.workers.processes[name].kill()
            self.workers.processes[name].wait(10)
            self.workers.start(name)
        elif kind == "pause":
            with self.workers.paused_one():
                self.workers.rest(3 * LEASE_S)
        elif kind == "cut":
            self.proxy.is_cutting = True
            self.workers.rest(2)
            self.proxy.is_cutting = False
        elif kind in ("stop server", "kill server"):
            self.server.stop() if kind == "stop server" else self.server.kill()
            self.workers.rest(3 * LEASE_S)
            self.server.start()
        elif kind == "hang":
            self.server.pause()
            self.workers.rest(3 * LEASE_S)
            self.server.resume()
        else:
            self._harm_server(kind)

    def _harm_server(self, kind: str) -> None:
        with self.server.client() as client:
            if kind == "scripts":
                client.script_flush()
                return
            client.config_set("maxmemory", "1mb")
            self.workers.rest(3 * LEASE_S)
            client.config_set("maxmemory", "0")

    # -- the looks -----------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, float]:
        return {
            **gauges.read_server(self.server, self.queue.keys),
            **gauges.read_process("producer", os.getpid()),
            **gauges.read_process("worker", self.workers.processes["w0"].pid),
        }

    def _say(self) -> None:
        values = ", ".join(f"{name} {value:.0f}" for name, value in self.samples[-1].values.items())
        print(f"{self.at_s / 60:.0f} min, {self.put} jobs, faults {sum(self.faults.values())}: {values}", flush=True)  # noqa: T201 - a command line

    def end(self) -> list[str]:
        """Let the workers finish, and say what is wrong: what grew, and what was lost."""
        deadline_s = self.at_s + 120
        with self.server.client() as client:
            while left := self._count_left(client):
                if self.at_s > deadline_s:
                    break
                with contextlib.suppress(RosqError):
                    self._rescue_tenants()
                time.sleep(0.2)
            totals = client.hgetall(self.queue.keys.meta)
        over = sum(int(totals.get(f"{name}_total", 0)) for name in ("completed", "failed", "cancelled"))
        wrong = gauges.list_growing(self.samples)
        if left:
            wrong.append(f"{left} jobs are left")
        if over != self.put:
            wrong.append(f"{self.put} jobs were put, {over} came to an end")
        return wrong

    def _count_left(self, client: Any) -> int:
        waiting = sum(client.xlen(self.queue.keys.lane(str(lane))) for lane in client.smembers(self.queue.keys.lanes))
        return int(waiting + client.zcard(self.queue.keys.delayed))


@contextlib.contextmanager
def soak(seed: int) -> Iterator[Soak]:
    """Set up a run: a server, a proxy before it, three workers, a producer."""
    with (
        tempfile.TemporaryDirectory(prefix="rosq-soak-") as folder,
        embedded_redis(auto_aof_rewrite_min_size="1mb") as server,
        cutting_proxy(server.host, server.port, each=60) as proxy,
    ):
        proxy.is_cutting = False
        settings = RedisSettings(host=server.host, port=proxy.port)
        with (
            yard(
                server, "soak", Path(folder), workers=3, port=proxy.port, settings=SETTINGS, is_logging=False
            ) as workers,
            Queue(settings, "soak", QueueSettings(**SETTINGS)) as queue,
        ):
            yield Soak(server, proxy, workers, queue, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it runs (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: 1)")
    options = parser.parse_args()
    with soak(options.seed) as running:
        running.run(options.minutes * 60)
        wrong = running.end()
        told = f"{running.put} jobs, {running.cancelled} called off, faults {running.faults}"
        print(f"{told}\n{gauges.tell_medians(running.samples)}")  # noqa: T201 - a command line
    for sentence in wrong:
        print(f"WRONG: {sentence}")  # noqa: T201 - a command line
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
