"""A job queue on Redis Streams.

    from rosq import Queue, RedisSettings, Worker

    queue = Queue(RedisSettings(), "order-processing")
    queue.enqueue({"order_id": 123}, job_id="123")
    Worker(queue, handler, name="worker-1").run()

A job runs at least once, in the hands of one holder at a time; who loses it can't change it any more.
"""

from __future__ import annotations

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
from rosq.execution.delivery import Delivery, Handler
from rosq.execution.lease import Lease
from rosq.execution.settlement import Outcome
from rosq.execution.stop_signals import StopSignals
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
from rosq.queue import Queue
from rosq.redis_values import Address
from rosq.retry import RetryPolicy
from rosq.settings import QueueSettings, RedisSettings, WorkerSettings
from rosq.signals import Cancel, Fail, JobSignal, Release, Snooze
from rosq.worker import Worker

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
