"""What is wrong with a queue and its server, as far as one look shows: the same for `rosq inspect` and `rosq doctor`.

What is found here as a warning or an error makes the overview DEGRADED, and the doctor repeats it in the same words.
The doctor examines more, but judges none of this by himself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosq.inspect.ages import tell_set_back
from rosq.inspect.finding import ERROR, WARNING, Finding, mib
from rosq.inspect.words import counted, duration
from rosq.store.fitness import OLDEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rosq.inspect.parts import LaneView, NextDelayed, WorkerView
    from rosq.inspect.pause import Pause

#: What `judge_server` finds is about these, and needs these sections of INFO.
SERVER_SUBJECTS = ("version", "eviction", "memory", "persistence", "replication")
SECTIONS = ("server", "memory", "persistence", "replication")

#: How long a delayed job may be overdue before it is a problem: nobody was there to wake it.
_OVERDUE_S = 30.0
#: A job that waits for longer, while somebody is idle who should take it, is trouble.
_UNTAKEN_S = 10.0
#: Of a memory limit, the part from which it is a warning, and from which an error.
_FULL, _ALMOST_ALL = 0.8, 0.95


def judge_server(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Find what keeps workers from working on this server, or soon will."""
    speaks = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in speaks.split(".")[:2]) < OLDEST_VERSION:
        seen = f"The server is {name_server(info)}; workers need Redis 6.2 or newer."
        yield Finding(level=ERROR, subject="version", seen=seen, advice="Upgrade it.")
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        seen = f"The server may evict keys (maxmemory-policy is {policy}): jobs may vanish, no worker starts."
        advice = "Set maxmemory-policy to noeviction, in the configuration file too."
        yield Finding(level=ERROR, subject="eviction", seen=seen, advice=advice)
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if limit and used >= limit * _FULL:
        seen = f"{used / limit:.0%} of maxmemory is used ({mib(used)} of {mib(limit)})."
        advice = "A full server refuses new jobs, and workers wait. Raise maxmemory, or make room (`rosq forget`)."
        yield Finding(
            level=ERROR if used >= limit * _ALMOST_ALL else WARNING, subject="memory", seen=seen, advice=advice
        )
    if int(info.get("aof_enabled", 0)) and info.get("aof_last_write_status", "ok") != "ok":
        seen = "The last write to the AOF failed: the server may refuse writes."
        yield Finding(level=ERROR, subject="persistence", seen=seen, advice="Look at the disk and the server log.")
    elif info.get("rdb_last_bgsave_status", "ok") != "ok":
        seen = "The last snapshot failed: the server may refuse writes."
        yield Finding(level=ERROR, subject="persistence", seen=seen, advice="Look at the disk and the server log.")
    if info.get("role", "master") != "master":
        seen = "This is a replica: it takes no writes, and what it shows may be late."
        advice = "Give workers and tools the address of the primary."
        yield Finding(level=ERROR, subject="replication", seen=seen, advice=advice)


def name_server(info: Mapping[str, Any]) -> str:
    """What kind of server it is, and its version."""
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info.get('redis_version', '?')}"


def judge(
    waiting: int,
    delayed: int,
    workers: list[WorkerView],
    next_delayed: NextDelayed | None,
    pause: Pause | None,
    set_back_s: float | None,
) -> Iterator[Finding]:
    """Find what is wrong with the queue as a whole and with its workers."""
    if set_back_s is not None:
        yield tell_set_back(set_back_s)
    if pause is not None:
        seen = f"The queue is {pause}: nothing new is handed out."
        yield Finding(
            level=WARNING, subject="pause", seen=seen, advice="`rosq resume --why …` when the reason is over."
        )
    alive = [worker for worker in workers if worker.state != "lost"]
    if (waiting or delayed) and not alive:
        waits = counted(waiting, "job waits", "jobs wait") + (f", {delayed:,} delayed" if delayed else "")
        yield Finding(level=ERROR, subject="workers", seen=f"{waits}, and no worker is there.", advice="Start one.")
    for worker in workers:
        if worker.state == "lost" and worker.job_id is not None:
            left_s = worker.lease_left_s or 0.0
            when = f"in {duration(left_s)}" if left_s > 0 else "as soon as any worker has stood for a whole lease"
            seen = f"Worker {worker.name} is gone and holds job {worker.job_id}: it is given back {when}."
            advice = f"Start it again; any other worker gives the job back too. `rosq inspect explain {worker.job_id}`"
            yield Finding(level=WARNING if alive else ERROR, subject="workers", seen=seen, advice=advice)
    if next_delayed is not None and next_delayed.due_in_s is None:
        seen = f"Delayed job {next_delayed.job_id} is due at a time that no calendar has."
        yield Finding(level=WARNING, subject="delayed", seen=seen, advice="Run `rosq doctor`, then `rosq repair`.")
    elif next_delayed is not None and (late_s := -(next_delayed.due_in_s or 0.0)) > _OVERDUE_S:
        why = "no worker is there" if not alive else "all workers are busy"
        seen = f"Delayed job {next_delayed.job_id} is overdue by {duration(late_s)}: {why}."
        yield Finding(level=WARNING, subject="delayed", seen=seen, advice="Start workers, or more of them.")


def judge_lanes(lanes: list[LaneView], workers: list[WorkerView]) -> Iterator[Finding]:
    """Find what waits although somebody is free: an idle worker takes a new job at once, unless it stands by."""
    states = {worker.name: worker.state for worker in workers}
    if all(state == "lost" for state in states.values()):
        return  # said already
    for lane in lanes:
        if lane.waiting == 0 or (lane.oldest_waiting_s or 0.0) < _UNTAKEN_S:
            continue
        owner = lane.name.removeprefix("@")
        waits = counted(lane.waiting, "job waits", "jobs wait")
        waits += f" in lane {lane.name} for up to {duration(lane.oldest_waiting_s)}"
        if owner != lane.name and states.get(owner, "lost") == "lost":
            seen, advice = f"{waits}, and worker {owner} isn't there.", "Start it, or `rosq move` them."
        elif owner != lane.name and states[owner] == "idle":
            seen, advice = f"{waits}, and worker {owner} is idle and doesn't take them.", "See in its log why."
        elif owner == lane.name and "idle" in states.values():
            seen, advice = f"{waits}, and the idle workers don't take them.", "See in their logs why."
        else:
            continue
        yield Finding(level=WARNING, subject="lanes", seen=seen, advice=advice)
