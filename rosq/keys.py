"""Every Redis key that rosq uses, one function each, and the rules for the names in them.

All keys of a queue carry the hash tag `{queue}`, so that a queue lies in one slot of a Redis Cluster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rosq.errors import InvalidName

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The layout of these keys. A queue that was written by a newer layout is refused.
SCHEMA_VERSION = 2
#: The consumer group that all workers of a queue share.
GROUP = "workers"
#: The consumer under which abandoned entries lie while they are put back; no worker may have this name.
RECOVERY_CONSUMER = "~recovery"
#: The lane that jobs go to when none is named.
MAIN_LANE = "main"
#: Names of queues that were used on this server, so that a tool can find the only one. Not of any queue: no hash tag.
QUEUES = "rosq:queues"

_QUEUE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME_MAX_LENGTH = 128


def check_queue_name(name: str) -> str:
    """Return the name if a queue may have it.

    Raises:
        InvalidName: It isn't 1 to 64 of the letters A-Z a-z, digits, dot, underscore and hyphen.
    """
    if not _QUEUE_NAME.fullmatch(name):
        raise InvalidName(f"A queue can't be named {name!r}: use 1 to 64 letters A-Z a-z, digits, dots, _ and -.")
    return name


def check_name(kind: str, name: str) -> str:
    """Return the name if a lane, job or worker (`kind`, for the message) may have it.

    Raises:
        InvalidName: It is empty, longer than 128 characters, or has a space or an unprintable character.
    """
    # Of all white space only the blank counts as printable.
    is_plain = isinstance(name, str) and name.isprintable() and " " not in name
    if not is_plain or not 1 <= len(name) <= _NAME_MAX_LENGTH or name == RECOVERY_CONSUMER:
        raise InvalidName(
            f"A {kind} can't be named {name!r}: use 1 to {_NAME_MAX_LENGTH} printable characters without spaces."
        )
    return name


def check_names(kind: str, names: Sequence[str]) -> None:
    """Return if all of them may be what `check_name` allows; of thousands it takes a tenth of the time.

    Raises:
        InvalidName: One isn't.
    """
    try:
        joined, lengths = "".join(names), set(map(len, names))
    except TypeError:
        is_plain = False
    else:
        is_plain = joined.isprintable() and " " not in joined and RECOVERY_CONSUMER not in joined
        is_plain = is_plain and 0 not in lengths and max(lengths, default=1) <= _NAME_MAX_LENGTH
    if not is_plain:
        for name in names:
            check_name(kind, name)


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
        self.sweep = self._prefix + "sweep"
        #: How far the repair in the background has come, and what it wants to see a second time.
        self.repair = self._prefix + "repair"
        self.suspects = self._prefix + "suspects"
        self.timer_bell = self._prefix + "bell:timer"

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
