"""Watching a queue and its workers: metrics, tracing and whatever else wants to be told what happens.

Derive from `Hook`, write the methods that you need, and give an instance to `Queue(..., hooks=[…])`. Its workers take
the queue's hooks, unless `Worker(..., hooks=[…])` names its own: those stand instead of the queue's then, not beside
them. Where no hook is given nothing is called and nothing is made for one.

A hook can't harm a job. What it raises is logged with its name (`hook_failed`) and forgotten, the other hooks and the
job go on. It can only take time: the read loop's methods delay the next job, and one that keeps the heartbeat's thread
for longer than a lease loses it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.errors import ServerUnreachable
    from rosq.execution.delivery import Delivery
    from rosq.execution.settlement import Outcome, Settlement
    from rosq.job import Enqueued, NewJob, Reopened
    from rosq.maintenance.service import Swept


class EnqueueOperation(enum.StrEnum):
    """Which call puts jobs on the queue."""

    ENQUEUE = "enqueue"
    REOPEN = "reopen"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnqueueCall:
    """One call that puts jobs on the queue; the same object before and after it, so it may be a key."""

    queue: str
    operation: EnqueueOperation
    #: As the caller gave them, without what hooks add.
    jobs: tuple[NewJob, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueEnd:
    """How such a call ended."""

    #: One for each job, in their order; none where the call raised.
    answers: tuple[Enqueued | Reopened, ...]
    #: What the call raised. After ServerUnreachable the jobs may be on the queue or not.
    error: BaseException | None
    duration_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """Which worker speaks."""

    queue: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandlerEnd:
    """How one run of the handler ended."""

    #: What the worker is going to ask of Redis; None where the lease was lost, so nothing may be asked.
    outcome: Outcome | None
    #: How long the handler ran, by CLOCK_BOOTTIME.
    duration_s: float
    #: Until when the job rests, after a retry or snooze.
    delay_s: float
    #: What the handler raised, a signal such as `Snooze` included; None where it returned.
    error: BaseException | None


class Hook:
    """What may be watched. Every method does nothing here; write those that you need.

    The facts are values to look at, never to change. Hooks are called in their order, and in the opposite order by the
    methods named `after_…`, so that the first one stands around all others. Each `after_…` of a pair is called
    whenever its `before_…` was, even if that raised.

    Threads: what concerns a producer runs in the thread that called the queue. What concerns a worker runs in its read
    loop, the thread that called `Worker.run`, but for those that say "heartbeat": these run in the heartbeat's thread
    while a handler may be at work. One hook may serve many queues and workers, so many threads.
    """

    def before_enqueue(self, call: EnqueueCall) -> Mapping[str, str] | None:
        """Jobs are about to be put on the queue, or started again; in the caller's thread.

        Returns:
            Headers to travel with each of these jobs, or None. A header that the caller gave a job stands as it is.
        """

    def after_enqueue(self, call: EnqueueCall, end: EnqueueEnd) -> None:
        """The call has come to its end; in the caller's thread."""

    def before_handler(self, worker: WorkerInfo, delivery: Delivery) -> None:
        """A job is in hand and its handler is about to be called; in the read loop."""

    def after_handler(self, worker: WorkerInfo, delivery: Delivery, end: HandlerEnd) -> None:
        """The handler returned or raised, nothing is told to Redis yet; in the read loop."""

    def after_settle(self, worker: WorkerInfo, settlement: Settlement, is_refused: bool) -> None:
        """Redis has answered how a delivery ended: completed, failed, to be retried, snoozed,
        released or cancelled.

        In the read loop, with the round after the handler's. Where a stop's grace is over and the handler doesn't
        come to an end, its job is released in the heartbeat's thread and this is called there.

        Args:
            settlement: What was asked for; `outcome` says which, `delay_s` and `error` go with it.
            is_refused: It came too late, the job is another's or gone: nothing was written.
        """

    def before_sleep(self, worker: WorkerInfo) -> None:
        """Nothing is to be done: the worker goes to sleep; in the read loop."""

    def after_sleep(self, worker: WorkerInfo, slept_s: float) -> None:
        """It woke up: a bell rang, a job is due, or the round is over; in the read loop. Also where the sleep broke
        off since Redis went away."""

    def name_held(self, worker: WorkerInfo) -> None:
        """The worker took its name, or took it again; in the read loop, before the first fetch."""

    def name_lost(self, worker: WorkerInfo) -> None:
        """The hold on the name is gone, by time or with all data; heartbeat. Not called at an orderly stop."""

    def redis_away(self, worker: WorkerInfo, error: ServerUnreachable) -> None:
        """Redis gives no usable answer any more; in the read loop, once an outage."""

    def redis_back(self, worker: WorkerInfo, away_s: float) -> None:
        """It answers again; in the read loop, once for each `redis_away`, but where the worker stops before."""

    def lease_lost(self, worker: WorkerInfo, delivery: Delivery, reason: str) -> None:
        """The lease of the job in hand is lost, its handler may still run; heartbeat.

        A lease that merely ran out, since no heartbeat got through, is told by `after_handler` alone: its outcome is
        None then.
        """

    def after_maintenance(self, worker: WorkerInfo, swept: Swept) -> None:
        """This worker made a pass of one service of maintenance: put back what dead holders left, or forgot finished
        jobs, silent workers or unused lanes; in a thread that does nothing else. One worker at a time does it, the
        first two each third of a lease."""
