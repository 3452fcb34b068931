"""A job queue on Redis Streams.

    from rosq import Queue, RedisSettings, Worker

    queue = Queue(RedisSettings(), "order-processing")
    queue.enqueue({"order_id": 123}, job_id="123")
    Worker(queue, handler, name="worker-1").run()

A job runs at least once, in the hands of one holder at a time; who loses it can't change it any more.
"""

from __future__ import annotations

import importlib
import typing

from rosq.errors import (
    InvalidData,
    InvalidName,
    InvalidSettings,
    LeaseLost,
    QueueNewer,
    RosqError,
    ScriptFailed,
    ServerFull,
    ServerRefused,
    ServerUnfit,
    ServerUnreachable,
    ServerUnready,
    ServerUntrusted,
    SlotMoved,
    UnknownJobName,
    WorkerNameTaken,
    WorkLeft,
)
from rosq.hooks import Hook
from rosq.job import (
    Changed,
    DeliveryOutcome,
    DeliveryRecord,
    Enqueued,
    EnqueuedMany,
    EnqueueOutcome,
    Event,
    Fate,
    Job,
    JobState,
    LogLine,
    NewJob,
    Reopened,
    ReopenOutcome,
)
from rosq.redis_values import Address
from rosq.retry import RetryPolicy
from rosq.settings import QueueSettings, RedisSettings, WorkerSettings
from rosq.signals import Cancel, Fail, JobSignal, Release, Snooze

if typing.TYPE_CHECKING:
    from rosq.execution.delivery import Delivery, Handler
    from rosq.execution.lease import Lease
    from rosq.execution.settlement import Outcome
    from rosq.execution.stop_signals import StopSignals
    from rosq.queue import Queue
    from rosq.worker import Worker

#: What redis-py stands under is imported when it is first asked for: that takes longer than all else here, and a
#: program that only knows errors and settings, as a command line does before it speaks to a server, goes without.
_LATE = {
    "Delivery": "rosq.execution.delivery",
    "Handler": "rosq.execution.delivery",
    "Lease": "rosq.execution.lease",
    "Outcome": "rosq.execution.settlement",
    "Queue": "rosq.queue",
    "StopSignals": "rosq.execution.stop_signals",
    "Worker": "rosq.worker",
}

__all__ = [  # noqa: RUF022 - grouped by topic
    # Putting jobs on the queue, and looking at them
    "Address",
    "DeliveryOutcome",
    "DeliveryRecord",
    "Changed",
    "Fate",
    "EnqueueOutcome",
    "Enqueued",
    "EnqueuedMany",
    "Event",
    "Job",
    "JobState",
    "LogLine",
    "NewJob",
    "Queue",
    "QueueSettings",
    "RedisSettings",
    "ReopenOutcome",
    "Reopened",
    # Working on them
    "Delivery",
    "Handler",
    "Lease",
    "RetryPolicy",
    "StopSignals",
    "Worker",
    "WorkerSettings",
    # What a handler may say
    "Cancel",
    "Fail",
    "JobSignal",
    "Release",
    "Snooze",
    # Watching what happens
    "Hook",
    "Outcome",
    # What can go wrong
    "InvalidData",
    "InvalidName",
    "InvalidSettings",
    "LeaseLost",
    "QueueNewer",
    "RosqError",
    "ScriptFailed",
    "ServerFull",
    "ServerRefused",
    "ServerUnfit",
    "ServerUnreachable",
    "ServerUnready",
    "UnknownJobName",
    "ServerUntrusted",
    "SlotMoved",
    "WorkLeft",
    "WorkerNameTaken",
]


if not typing.TYPE_CHECKING:  # else any name at all would be one to it

    def __getattr__(name: str) -> typing.Any:
        if name not in _LATE:
            raise AttributeError(f"module 'rosq' has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(_LATE[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
