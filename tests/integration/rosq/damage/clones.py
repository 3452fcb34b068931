"""Jobs in every state, as many as are wanted: real ones, copied under other ids, so that each can be damaged in a way
of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rosq.store.keys import GROUP
from tests.integration.rosq.conftest import ROOT
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.rosq.damage.stage import Stage

#: A real job of each state, as `stage.fill` leaves them.
TEMPLATES = {
    "waiting": "next",
    "delayed": "retried",
    "active": "active",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "called-off",
    "forgotten": "forgotten",
}
_PAGE = (ROOT / "docs" / "redis-keys.md").read_text()


def list_fields() -> list[str]:
    """The fields of a job's hash, as the docs list them, and those of a forgotten one."""
    table = _PAGE.partition("**Job.**")[2].partition("**History")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return [*(name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)), "digest"]


class Clones:
    """Makes copies of the jobs of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._keys = stage.queue.keys
        self._now_ms = int(stage.client.time()[0]) * 1000
        self._hashes: dict[str, dict[str, str]] = {
            state: stage.client.hgetall(self._keys.job(job_id)) for state, job_id in TEMPLATES.items()
        }

    def make(self, state: str, job_id: str, lane: str = "urgent") -> None:
        """A job like the one of that state; one that is active was left by a holder that is gone."""
        client: Any = self._stage.client
        fields = {**self._hashes[state], "lane": lane}
        if state in ("waiting", "active"):
            fields["entry_id"] = client.xadd(self._keys.lane(lane), {"job_id": job_id})
            client.sadd(self._keys.lanes, lane)
        if state == "active":
            fields["lease_until_ms"] = str(self._now_ms - 1)
        if state == "delayed":
            client.zadd(self._keys.delayed, {job_id: self._now_ms})
        elif state in ("completed", "failed", "cancelled"):
            client.zadd(getattr(self._keys, state), {job_id: self._now_ms})
        client.hset(self._keys.job(job_id), mapping=fields)
        if state == "forgotten":
            client.pexpire(self._keys.job(job_id), 600_000)

    def take(self, lane: str = "urgent") -> None:
        """Hand all that is in a lane to a worker that is gone: of those that are active."""
        client: Any = self._stage.client
        client.xgroup_create(self._keys.lane(lane), GROUP, "0", mkstream=True)
        client.xreadgroup(GROUP, "dead", {self._keys.lane(lane): ">"})

    def damage(self, job_ids: Iterable[str], field: str, value: str | bytes) -> None:
        """Write something else into a field of jobs."""
        pipe = self._stage.client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hset(self._keys.job(job_id), field, value)
        pipe.execute()


def list_damaged_state(stage: Stage) -> set[str]:
    """Every field that a real job of the stage has."""
    fields: set[str] = set()
    for key in stage.client.scan_iter(match=f"{stage.queue.keys.job_prefix}*", count=1000):
        fields |= set(stage.client.hkeys(key))
    return fields


def wait_for_rest(stage: Stage, job_ids: list[str], timeout_s: float = 60.0) -> None:
    """Wait until none of these is left to a worker: each ran, failed, or is where no worker has to look."""
    keys = stage.queue.keys

    def list_left() -> list[str]:
        pipe = stage.client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hget(keys.job(job_id), "state")
        states = pipe.execute(raise_on_error=False)
        return [job_id for job_id, state in zip(job_ids, states, strict=True) if state in ("waiting", "active")]

    try:
        wait_until(lambda: not list_left(), "the damaged jobs to come to an end", timeout_s, every_s=0.05)
    except AssertionError as error:
        left = {job_id: _shown(stage.client, keys.job(job_id)) for job_id in list_left()[:3]}
        names = ", ".join(list_left())
        raise AssertionError(f"left: {names}; {json.dumps(left)[:2000]}; {stage.tell_workers()}") from error


def _shown(client: Any, key: str) -> dict[str, str]:
    """A hash, shortened; and what isn't UTF-8 in it can be printed."""
    client.connection_pool.connection_kwargs["encoding_errors"] = "backslashreplace"
    client.connection_pool.reset()
    return {name: str(value)[:60] for name, value in client.hgetall(key).items()}
