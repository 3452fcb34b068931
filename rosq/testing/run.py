"""Run a queue to empty, in the thread of the test."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from typing import TYPE_CHECKING

import tenacity

from rosq.errors import RosqError
from rosq.hooks import Hook
from rosq.inspect.inspector import Inspector
from rosq.inspect.jobs.filters import JobFilter
from rosq.job import JobState
from rosq.retry import RetryPolicy
from rosq.settings import WorkerSettings
from rosq.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.execution.delivery import Delivery
    from rosq.execution.handlers import Handlers, Policies
    from rosq.execution.settlement import Settlement
    from rosq.hooks import HandlerEnd, WorkerInfo
    from rosq.inspect.jobs.rows import JobRow
    from rosq.queue import Queue


#: How often a worker that has nothing to do looks again: another holder's job may have ended.
_LOOK_S = 0.05
#: Jobs that the error lists.
_LISTED = 10
#: What is left, seen at one instant: else a job on its way from one place to the other would be in neither.
#: KEYS delayed (ZSET), lanes (STREAM). ARGV 1 to let the time pass until the first delayed job is due.
#: Returns busy: an entry is there, so a job waits or is active; delayed: nothing but delayed jobs; empty.
#: Replay: the first job is due then, so nothing is moved again.
_LOOK = """
for i = 2, #KEYS do
  if redis.call('XLEN', KEYS[i]) > 0 then
    return 'busy'
  end
end
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
if #all == 0 or ARGV[1] ~= '1' then
  return 'empty'
end
local time = redis.call('TIME')
local early_ms = tonumber(all[2]) - (tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if early_ms > 0 then
  for i = 1, #all, 2 do
    redis.call('ZADD', KEYS[1], string.format('%.0f', tonumber(all[i + 1]) - early_ms), all[i])
  end
end
return 'delayed'
"""


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """How many deliveries ended in which way."""

    completed: int = 0
    failed: int = 0
    retried: int = 0
    snoozed: int = 0
    released: int = 0
    cancelled: int = 0
    #: The lease was lost, or the settle came too late.
    lost: int = 0

    def __str__(self) -> str:
        """The ways that occurred."""
        told = [f"{count} {name}" for name, count in dataclasses.asdict(self).items() if count]
        return ", ".join(told) or "nothing"


def run_until_empty(
    queue: Queue,
    handler: Handlers,
    *,
    policy: Policies | None = None,
    settings: WorkerSettings | None = None,
    lanes: Sequence[str] | None = None,
    with_delayed: bool = True,
    deadline_s: float = 10.0,
) -> Tally:
    """Run a real worker in this thread until no job is waiting or active, nor delayed, and say how deliveries ended.

    Delayed jobs aren't waited for: whenever nothing else is left, the due times of all of them move forward by as much
    as makes the first one due, so they run in their order. Jobs that a handler puts on the queue are run too.

    Args:
        handler: As of `Worker`. Ctrl-C ends the run; whatever else a handler raises is its job's failure.
        policy: As of `Worker`; `fast_retries()` doesn't wait, but with due times moved no policy does.
        settings: As of `Worker`.
        lanes: The lanes to read and to run to empty; by default all that the queue has, also those that come up.
            Delayed jobs of other lanes come into theirs when their turn has come, and stay there.
        with_delayed: False leaves jobs alone that are delayed when nothing else is left.
        deadline_s: Seconds until it gives up. A handler that is at work by then gets `Release` from its `check` or
            `sleep`; one that calls neither is waited for.

    Raises:
        QueueNotEmpty: The deadline has passed; it lists what is left.
        ServerUnreachable: Redis went away while the queue was looked at.
    """
    run = _Run(queue, handler, policy, settings, lanes, with_delayed=with_delayed)
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        run.worker.request_stop()

    timer = threading.Timer(deadline_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        run.worker.run(stop_on=())
    finally:
        timer.cancel()
        timer.join()
        run.close()
    if run.error is not None:
        raise run.error
    if is_late.is_set() and not run.is_empty:
        raise _not_empty(queue, deadline_s, run.tally)
    return run.tally


class _Run(Hook):
    """Watches one worker, counts what it does, and stops it when nothing is left."""

    def __init__(
        self,
        queue: Queue,
        handler: Handlers,
        policy: Policies | None,
        settings: WorkerSettings | None,
        lanes: Sequence[str] | None,
        *,
        with_delayed: bool,
    ) -> None:
        given = settings or WorkerSettings(grace_s=0.0, exit_s=1.0)
        self._queue = queue
        self._wire = queue.make_wire("rosq-testing")
        self._with_delayed = with_delayed
        self._lanes = lanes
        self.tally = Tally()
        self.is_empty = False
        self.error: RosqError | None = None
        self.worker = Worker(
            queue,
            handler,
            name=f"testing-{secrets.token_hex(4)}",
            lanes=self._list_lanes if lanes is None else lanes,
            policy=policy,
            settings=dataclasses.replace(given, round_s=min(given.round_s, _LOOK_S)),
            # A test's process is never ended for it.
            leave_process=lambda: None,
            hooks=[self, *queue.hooks],
        )

    def close(self) -> None:
        """Drop the connection."""
        self._wire.close()

    def after_handler(self, worker: WorkerInfo, delivery: Delivery, end: HandlerEnd) -> None:
        """Count a lease that was lost."""
        if end.outcome is None:
            self.tally.lost += 1

    def after_settle(self, worker: WorkerInfo, settlement: Settlement, is_refused: bool) -> None:
        """Count an outcome."""
        name = "lost" if is_refused else settlement.outcome.word
        setattr(self.tally, name, getattr(self.tally, name) + 1)

    def before_sleep(self, worker: WorkerInfo) -> None:
        """Nothing is there for this worker at the moment: for good?"""
        try:
            self._look()
        except RosqError as error:
            # Raised here it would only be logged.
            self.error = error
            self.worker.request_stop()

    def _look(self) -> None:
        keys = self._queue.keys
        lanes = self._list_lanes() if self._lanes is None else self._lanes
        streams = [keys.lane(lane) for lane in lanes]
        left = self._wire.call("EVAL", _LOOK, 1 + len(streams), keys.delayed, *streams, int(self._with_delayed))
        if left == "delayed":
            self.worker.wake()
        elif left == "empty":
            self.is_empty = True
            self.worker.request_stop()

    def _list_lanes(self) -> list[str]:
        lanes: list[str] = self._wire.call("SMEMBERS", self._queue.keys.lanes)
        return sorted(lanes)


def _not_empty(queue: Queue, deadline_s: float, tally: Tally) -> QueueNotEmpty:
    wanted = JobFilter(states=(JobState.WAITING, JobState.ACTIVE, JobState.DELAYED))
    with Inspector(queue.redis_settings) as inspector:
        left = inspector.list_jobs(queue.name, wanted, limit=_LISTED)
        pause = inspector.look(queue.name).pause
    why = "" if pause is None else f"The queue is {pause}: nothing new is handed out until it is resumed."
    return QueueNotEmpty(queue.name, deadline_s, left.jobs, left.count, tally, why)


class QueueNotEmpty(RosqError):
    """A queue wasn't run to empty in time."""

    def __init__(
        self, queue: str, deadline_s: float, left: Sequence[JobRow], count: int, tally: Tally, why: str
    ) -> None:
        self.queue = queue
        self.deadline_s = deadline_s
        #: The first few of the jobs that are left.
        self.left = list(left)
        #: How many are left in all.
        self.count = count
        #: What was done before.
        self.tally = tally
        listed = "; ".join(_describe(row) for row in self.left)
        more = f" and {count - len(self.left)} more" if count > len(self.left) else ""
        jobs = "1 job is" if count == 1 else f"{count} jobs are"
        super().__init__(
            f"After {deadline_s:g} s queue {queue} isn't empty, {jobs} left: {listed}{more}. "
            f"Settled until then: {tally}. {why or 'See why these come back or stay, or raise deadline_s.'}"
        )


def _describe(row: JobRow) -> str:
    told = f"{row.job_id} ({row.state} in lane {row.lane}, {row.attempts} attempts"
    if row.worker is not None and row.state == "active":
        told += f", in the hands of {row.worker}"
    return told + (f", last error {row.last_error!r})" if row.last_error else ")")


#: A wait strategy that doesn't wait, for any place that takes one of tenacity's.
no_wait = tenacity.wait_none()


def fast_retries(max_attempts: int = 3) -> RetryPolicy:
    """Return a policy by which a failed job runs again at once.

    Args:
        max_attempts: The attempt after whose failure the job fails for good; 3 as in production.
    """
    return RetryPolicy(max_attempts=max_attempts, wait=no_wait)
