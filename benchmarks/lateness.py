"""How late a delayed job starts, and how soon a job starts again whose worker was killed."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from benchmarks.contender import LEASE_S
from benchmarks.errors import SideFailed
from benchmarks.rates import list_quantiles
from benchmarks.runner import PATIENCE_S, PAYLOAD

if TYPE_CHECKING:
    from benchmarks.runner import Runner

#: The other delayed jobs are due long after.
_FAR_S = 3_600.0
#: The delayed jobs come one by one, the worker idle in between.
_APART_S = (0.02, 0.06)
_APART_POLLING_S = (1.0, 1.6)
#: The first of them is due so long after the last one was enqueued, or more.
_AHEAD_S = 1.5
#: How long after its start a job's worker is killed: at another place between two heartbeats each time.
_KILLED_AFTER_S = (0.3, 2.0)
#: Until then a killed worker's job counts as not started again.
_RECOVERY_S = 30.0


def measure_delay(runner: Runner, others: int, jobs: int) -> dict[str, float]:
    """Measure from when a job is due to its handler's first line; the worker is idle, many others are delayed too.

    Due is the instant just before the call that enqueued it, by the caller's clock, plus the delay.
    """
    with runner.producer() as producer:
        runner.fill(producer, others, delay_s=_FAR_S)
        with runner.worker(is_telling=True) as worker:
            delays_s, at_s = [], _AHEAD_S
            for _ in range(jobs):
                at_s += random.uniform(*(_APART_POLLING_S if runner.contender.is_polling else _APART_S))
                delays_s.append(at_s)
            due_s = producer.ask(PATIENCE_S, do="delayed", delays_s=delays_s, data=PAYLOAD)["due_s"]
            latenesses: dict[int, float] = {}
            while len(latenesses) < jobs:
                told = worker.hear(PATIENCE_S, "started_s")
                latenesses.setdefault(told["n"], (told["started_s"] - due_s[told["n"]]) * 1000)
    return {**list_quantiles("delay", list(latenesses.values())), "delay_others": others}


def measure_recovery(runner: Runner) -> dict[str, float]:
    """Kill a worker that has a job in hand, and measure until another one, idle before, starts that job.

    Returns:
        `recovery_s`; `recovery_waited_s` where the job didn't start again within that time.
    """
    with (
        runner.producer() as producer,
        runner.worker(is_telling=True, is_hanging=True, lease_s=LEASE_S, name="doomed") as doomed,
    ):
        producer.ask(PATIENCE_S, do="one", data=PAYLOAD)
        doomed.hear(PATIENCE_S, "started_s")
        with runner.worker(is_telling=True, lease_s=LEASE_S, name="heir") as heir:
            time.sleep(random.uniform(*_KILLED_AFTER_S))
            killed_s = time.monotonic()
            doomed.kill()
            try:
                told = heir.hear(_RECOVERY_S, "started_s")
            except SideFailed:
                if heir.has_ended:
                    raise
                return {"recovery_waited_s": _RECOVERY_S}
    if told["started_s"] < killed_s:
        raise SideFailed(f"{runner.contender.name}: a job began a second time while its worker was alive.")
    return {"recovery_s": told["started_s"] - killed_s}
