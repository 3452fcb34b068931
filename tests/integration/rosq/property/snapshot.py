"""All that a queue has in Redis at one instant, and whether it fits together: the invariants that need no model."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Any

from rosq.names import MAIN_LANE

if TYPE_CHECKING:
    from rosq.store.keys import Keys


#: Every key of a queue with its content, and the server's time in µs.
_READ = """
local found = redis.call('KEYS', ARGV[1] .. '*')
table.sort(found)
local time = redis.call('TIME')
local out = { time[1] * 1000000 + time[2] }
for _, key in ipairs(found) do
  local kind = redis.call('TYPE', key).ok
  local content, pending = {}, {}
  if kind == 'hash' then
    content = redis.call('HGETALL', key)
  elseif kind == 'zset' then
    content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'stream' and key ~= ARGV[1] .. 'events' then
    content = redis.call('XRANGE', key, '-', '+')
    pending = redis.pcall('XPENDING', key, 'workers', '-', '+', 1000)
    if pending.err then
      pending = {}
    end
  elseif kind == 'list' then
    content = redis.call('LRANGE', key, 0, -1)
  end
  out[#out + 1] = { string.sub(key, #ARGV[1] + 1), content, pending, redis.call('PTTL', key) }
end
return out
"""


@dataclasses.dataclass(kw_only=True)
class Snapshot:
    """What was found, by name without the queue's prefix."""

    now_ms: float
    jobs: dict[str, dict[str, str]]
    #: By lane and entry: the job's id, and the entry's own data.
    entries: dict[str, dict[str, dict[str, str]]]
    #: By lane and entry: the consumer.
    pending: dict[str, dict[str, str]]
    #: `delayed`, `completed`, `failed`, `cancelled`: score by job.
    sets: dict[str, dict[str, float]]
    #: How many tokens lie on each.
    bells: dict[str, int]
    meta: dict[str, str]
    #: Of jobs whose key has a time to live: the rest of it, in ms.
    rests_ms: dict[str, float]

    def waiting_in(self, lane: str) -> list[str]:
        """The ids of the jobs in a lane that nobody has, in order."""
        has = self.pending.get(lane, {})
        return [fields["job_id"] for entry_id, fields in self.entries.get(lane, {}).items() if entry_id not in has]


def read(client: Any, keys: Keys) -> Snapshot:
    """Look at everything at one instant."""
    now_us, *found = client.eval(_READ, 0, keys.job_prefix.removesuffix("job:"))
    snapshot = Snapshot(now_ms=now_us / 1000, jobs={}, entries={}, pending={}, sets={}, bells={}, meta={}, rests_ms={})
    for key, content, pending, rest_ms in found:
        kind, _, name = key.partition(":")
        if kind == "job":
            snapshot.jobs[name] = _pairs(content)
            if rest_ms >= 0:
                snapshot.rests_ms[name] = rest_ms
        elif kind == "lane":
            snapshot.entries[name] = {entry_id: _pairs(fields) for entry_id, fields in content}
            snapshot.pending[name] = {entry_id: consumer for entry_id, consumer, *_ in pending}
        elif kind in ("delayed", "completed", "failed", "cancelled"):
            snapshot.sets[kind] = {member: float(score) for member, score in _pairs(content).items()}
        elif kind == "bell":
            snapshot.bells[name] = len(content)
        elif kind == "meta":
            snapshot.meta = _pairs(content)
    return snapshot


def check(snapshot: Snapshot) -> None:
    """Whatever happened: entries, pending entries, sets and jobs tell the same story."""
    states: dict[str, set[str]] = collections.defaultdict(set)
    for job_id, fields in snapshot.jobs.items():
        states[fields["state"]].add(job_id)
    placed = [fields["job_id"] for entries in snapshot.entries.values() for fields in entries.values()]
    assert sorted(placed) == sorted(states["waiting"] | states["active"]), "one entry for each job that waits or runs"
    for lane, entries in snapshot.entries.items():
        for entry_id, fields in entries.items():
            job = snapshot.jobs[fields["job_id"]]
            assert (job.get("lane", MAIN_LANE), job["entry_id"]) == (lane, entry_id), (
                f"the entry of job {fields['job_id']} is its own"
            )
            consumer = snapshot.pending[lane].get(entry_id)
            assert (consumer is not None) == (job["state"] == "active"), "pending is who is active, and nobody else"
            assert consumer in (None, job.get("worker")), "pending with its holder"
        assert set(snapshot.pending[lane]) <= set(entries), "every pending entry is there"
    consumers = collections.Counter(name for pending in snapshot.pending.values() for name in pending.values())
    assert all(count == 1 for count in consumers.values()), f"one pending entry a consumer at most: {consumers}"
    for kind in ("delayed", "completed", "failed", "cancelled"):
        assert set(snapshot.sets.get(kind, {})) == states[kind], f"the {kind} set and the jobs' states agree"
    assert set(snapshot.rests_ms) == states["forgotten"], "nothing runs out but what is remembered of a job"
    for job_id in states["forgotten"]:
        assert len(snapshot.jobs[job_id].keys() - {"state", "fence", "data", "digest"}) == 0, (
            "nothing else is remembered"
        )
    assert all(count <= 1 for count in snapshot.bells.values()), "one token a bell at most"


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
