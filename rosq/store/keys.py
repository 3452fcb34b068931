"""Every Redis key that rosq uses, one function each.

All keys of a queue carry the hash tag `{queue}`, so that a queue lies in one slot of a Redis Cluster.
"""

from __future__ import annotations

from rosq.names import check_queue_name

#: The layout of these keys. A queue that was written by a newer layout is refused.
SCHEMA_VERSION = 1
#: The consumer group that all workers of a queue share.
GROUP = "workers"
#: Names of queues that were used on this server, so that a tool can find the only one. Not of any queue: no hash tag.
QUEUES = "rosq:queues"

#: The type of each key of a queue, as TYPE calls it, by what stands behind the queue's prefix; where that ends with a
#: colon, a name follows.
TYPES = {
    "lane:": "stream",
    "job:": "hash",
    "bell:": "list",
    "worker:": "hash",
    "delayed": "zset",
    "completed": "zset",
    "failed": "zset",
    "cancelled": "zset",
    "workers": "zset",
    "events": "stream",
    "lanes": "set",
    "meta": "hash",
    "turn:": "string",
    "steady:": "string",
}


class Keys:
    """The keys of one queue."""

    def __init__(self, queue: str) -> None:
        self.queue = check_queue_name(queue)
        self._prefix = f"rosq:{{{queue}}}:"
        #: Matches all of them, for SCAN: nothing in a queue's name means anything in a pattern.
        self.pattern = self._prefix + "*"
        #: What a job's key begins with: scripts append the id of a job that they learn only while they run.
        self.job_prefix = self._prefix + "job:"
        self.delayed = self._prefix + "delayed"
        self.completed = self._prefix + "completed"
        self.failed = self._prefix + "failed"
        self.cancelled = self._prefix + "cancelled"
        self.events = self._prefix + "events"
        self.meta = self._prefix + "meta"
        self.lanes = self._prefix + "lanes"
        self.workers = self._prefix + "workers"
        self.timer_bell = self._prefix + "bell:timer"
        #: What the key begins with under which something is kept that something else wrote (`rosq.store.foreign`).
        self.aside_prefix = self._prefix + "aside:"

    def members(self, state: str) -> str:
        """The sorted set of the jobs in a state that has one: delayed, completed, failed, cancelled."""
        return {each: self._prefix + each for each in ("delayed", "completed", "failed", "cancelled")}[state]

    def turn(self, service: str) -> str:
        """The token of the worker whose turn a service of maintenance is, with time to live."""
        return f"{self._prefix}turn:{service}"

    def steady(self, lease_ms: int) -> str:
        """Since when the server has answered workers of this lease without a gap, with time to live."""
        return f"{self._prefix}steady:{lease_ms}"

    def lane(self, lane: str) -> str:
        """The stream of a lane."""
        return f"{self._prefix}lane:{lane}"

    def lane_bell(self, lane: str) -> str:
        """The list that holds a lane's wake-up token."""
        return f"{self._prefix}bell:lane:{lane}"

    def job(self, job_id: str) -> str:
        """The hash of a job."""
        return self.job_prefix + job_id

    def worker(self, name: str) -> str:
        """The hash that is the exclusive hold of a worker's name, with time to live."""
        return f"{self._prefix}worker:{name}"

    def name_bell(self, name: str) -> str:
        """The list whose token tells a standby that a worker's name came free."""
        return f"{self._prefix}bell:name:{name}"

    def aside(self, key: str, at_ms: int) -> str:
        """Where a key is put at that time that something else wrote: nothing is thrown away."""
        return f"{self.aside_prefix}{at_ms}:{key.removeprefix(self._prefix)}"

    def type_of(self, key: str) -> str | None:
        """Which type a key of this queue has to be of; None of one that rosq doesn't make, or has put aside."""
        name = key.removeprefix(self._prefix)
        return TYPES.get(name) or TYPES.get(name.partition(":")[0] + ":")
