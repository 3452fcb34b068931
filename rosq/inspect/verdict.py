"""Why a queue isn't well: sentences on what was seen, each with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosq.inspect.overview import LaneView, NextDelayed, WorkerView
    from rosq.inspect.pause import Pause

#: How long a delayed job may be overdue before it is a problem: nobody was there to wake it.
_OVERDUE_S = 30.0
#: A job that waits for longer, while somebody is idle who should take it, is trouble.
_UNTAKEN_S = 10.0


def judge(waiting: int, workers: list[WorkerView], next_delayed: NextDelayed | None, pause: Pause | None) -> list[str]:
    """Name what is wrong with the queue as a whole and with its workers."""
    problems = []
    if pause is not None:
        problems.append(f"The queue is {pause}: nothing new is handed out until `rosq resume`.")
    alive = [worker for worker in workers if worker.state != "lost"]
    if waiting and not alive:
        problems.append(f"{waiting:,} jobs wait and no worker is there: start one.")
    for worker in workers:
        if worker.state == "lost" and worker.job_id is not None:
            left_s = worker.lease_left_s or 0.0
            when = f"in {left_s:.0f} s" if left_s > 0 else "as soon as any worker has stood for a whole lease"
            problems.append(f"Worker {worker.name} is gone and holds job {worker.job_id}: it is given back {when}.")
    if next_delayed is not None and next_delayed.due_in_s is None:
        problems.append(f"Delayed job {next_delayed.job_id} is due at a time that no calendar has: run `rosq doctor`.")
    elif next_delayed is not None and (late_s := -(next_delayed.due_in_s or 0.0)) > _OVERDUE_S:
        why = "no worker is there" if not alive else "all workers are busy"
        problems.append(f"Delayed job {next_delayed.job_id} is overdue by {late_s:.0f} s: {why}. Start workers.")
    return problems


def judge_lanes(lanes: list[LaneView], workers: list[WorkerView]) -> list[str]:
    """Name what waits although somebody is free: an idle worker takes a new job at once, unless it stands by."""
    states = {worker.name: worker.state for worker in workers}
    if all(state == "lost" for state in states.values()):
        return []  # said already
    problems = []
    for lane in lanes:
        if lane.waiting == 0 or (lane.oldest_waiting_s or 0.0) < _UNTAKEN_S:
            continue
        owner = lane.name.removeprefix("@")
        waits = f"{lane.waiting:,} jobs wait in lane {lane.name} for up to {lane.oldest_waiting_s:.0f} s"
        if owner != lane.name and states.get(owner, "lost") == "lost":
            problems.append(f"{waits}, and worker {owner} isn't there: start it, or `rosq move` them.")
        elif owner != lane.name and states[owner] == "idle":
            problems.append(f"{waits}, and worker {owner} is idle and doesn't take them: see its log.")
        elif owner == lane.name and "idle" in states.values():
            problems.append(f"{waits}, and the idle workers don't take them: see in their logs why.")
    return problems
