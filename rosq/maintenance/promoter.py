"""Delayed jobs that are due go into their lanes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rosq import errors
from rosq.facts import clean
from rosq.names import MAIN_LANE
from rosq.scripts import loader

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

log = logging.getLogger(__name__)

_BATCH = 100
#: Seconds for which a job is put off that can't be put into its lane.
_PUT_OFF_S = 60


def promote_due(keys: Keys, wire: Wire, max_events: int) -> float | None:
    """Put delayed jobs whose time has come into their lanes, a hundred at most, and ring the bells (`promote_due.lua`).

    The keys that the script touches are learned first and declared to it. Who does the same at the same time does no
    harm, and a crash midway leaves every job either delayed or in its lane. One that can't be promoted, since something
    else wrote its key or its lane's, is put off by a minute and harms no other.

    Returns:
        Seconds until the earliest of the others is due, 0 or less if it is already; None if nothing is delayed.

    Raises:
        ServerUnreachable: No answer; repeat it.
        ScriptFailed: The list of delayed jobs itself can't be read.
    """
    job_ids = wire.call("ZRANGEBYSCORE", keys.delayed, "-inf", wire.server_ms(), "LIMIT", 0, _BATCH)
    script_keys: list[str | bytes] = [keys.events, keys.delayed, keys.lanes]
    args: list[str | bytes | int] = [max_events, _PUT_OFF_S * 1000]
    lanes = wire.try_many([("HGET", _as_it_lies(keys.job(job_id)), "lane") for job_id in job_ids])
    for job_id, found in zip(job_ids, lanes, strict=True):
        # A job without a hash gets this one too: the script takes it out.
        lane = found if found and not isinstance(found, errors.ScriptFailed) else MAIN_LANE
        script_keys += map(_as_it_lies, (keys.job(job_id), keys.lane(lane), keys.lane_bell(lane)))
        args += map(_as_it_lies, (job_id, lane))
    now_ms, next_due_ms, *put_off = wire.run(loader.load("promote_due"), script_keys, args)
    for job_id, reason in zip(put_off[::2], put_off[1::2], strict=True):
        log.warning(
            "A delayed job can't be put into its lane",
            extra={
                "event": "promote_put_off",
                "queue": keys.queue,
                "job_id": clean(job_id),
                "delay_s": _PUT_OFF_S,
                "error": clean(reason),
            },
        )
    return (float(next_due_ms) - float(now_ms)) / 1000 if next_due_ms else None


def _as_it_lies(name: str) -> str | bytes:
    """A name as Redis has it: bytes of another program that are no UTF-8 were read as halves of surrogates."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape")
