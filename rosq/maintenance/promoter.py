"""Delayed jobs that are due go into their lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.names import MAIN_LANE
from rosq.scripts import loader

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

_BATCH = 100


def promote_due(keys: Keys, wire: Wire, max_events: int) -> float | None:
    """Put delayed jobs whose time has come into their lanes, a hundred at most, and ring the bells (`promote_due.lua`).

    The keys that the script touches are learned first and declared to it. Who does the same at the same time does no
    harm, and a crash midway leaves every job either delayed or in its lane.

    Returns:
        Seconds until the earliest of the others is due, 0 or less if it is already; None if nothing is delayed.

    Raises:
        ServerUnreachable: No answer; repeat it.
    """
    seconds, micros = wire.call("TIME")
    until_ms = int(seconds) * 1000 + int(micros) // 1000
    job_ids = wire.call("ZRANGEBYSCORE", keys.delayed, "-inf", until_ms, "LIMIT", 0, _BATCH)
    script_keys = [keys.events, keys.delayed]
    args: list[str | int] = [max_events]
    lanes = wire.call_many([("HGET", keys.job(job_id), "lane") for job_id in job_ids])
    for job_id, found in zip(job_ids, lanes, strict=True):
        # A job without a hash gets this one too: the script takes it out.
        lane = found or MAIN_LANE
        script_keys += [keys.job(job_id), keys.lane(lane), keys.lane_bell(lane)]
        args += [job_id, lane]
    now_ms, next_due_ms = wire.run(loader.load("promote_due"), script_keys, args)
    return (float(next_due_ms) - float(now_ms)) / 1000 if next_due_ms else None
