"""What a job costs the server when many workers ask it at once.

The workers are threads of one process (on Node: queues, or workers, of one event loop), each with a name and
connections of its own, as separate processes would have. A process a worker would be more than a small machine can run,
and its scheduler would be measured. In one process they ask rather one after the other than at the same instant, so the
server can't spread a turn of its event loop over many of them: the cost is rather too high than too low. Their rate is
the one process's and says nothing of the queue; what is measured is the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.runner import PATIENCE_S

if TYPE_CHECKING:
    from benchmarks.runner import Runner


def measure_crowd(runner: Runner, sizes: list[int], jobs: int) -> dict[str, float]:
    """Measure the server's CPU time of a drained job with so many workers.

    All hold one job each when it begins and when it ends, so exactly `jobs` plus their number were settled, and as many
    fetched.
    """
    figures: dict[str, float] = {}
    warm_up = runner.contender.warm_up
    for workers in sizes:
        with runner.producer() as producer:
            runner.fill(producer, warm_up + 2 * workers + jobs)
            with runner.worker(warm_up=warm_up, count=jobs, workers=workers) as worker:
                worker.hear(PATIENCE_S, "is_warm")
                before = runner.server.count()
                worker.say(go=True)
                told = worker.hear(PATIENCE_S, "seconds")
                spent = runner.server.count() - before
        settled = jobs + workers
        figures[f"drain_by_{workers}_server_us"] = spent.cpu_s / settled * 1e6
        figures[f"drain_by_{workers}_commands"] = spent.commands / settled
        figures[f"drain_by_{workers}_per_s"] = settled / told["seconds"]
    return figures
