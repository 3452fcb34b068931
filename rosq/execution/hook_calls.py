"""How the hooks of a queue or worker are called: those that have something to say, and so that none can do harm."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from typing import TYPE_CHECKING, TypeVar

from rosq import facts
from rosq.clock import boot_time_s
from rosq.errors import InvalidData, InvalidSettings
from rosq.execution.forked import end_if_forked
from rosq.execution.runner import run_handler
from rosq.execution.stop_signals import is_ctrl_c
from rosq.hooks import EnqueueCall, EnqueueEnd, EnqueueOperation, HandlerEnd, Hook, WorkerInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rosq.errors import ServerUnreachable
    from rosq.execution.delivery import Delivery, Handler
    from rosq.execution.fetching import Answer
    from rosq.execution.policy import SafePolicy
    from rosq.execution.settlement import Settlement
    from rosq.job import Enqueued, NewJob, Reopened
    from rosq.maintenance.service import Swept

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT", "Enqueued", "Reopened")

#: Every method of a hook.
METHODS = tuple(name for name in vars(Hook) if not name.startswith("_"))


class HookCalls:
    """Calls the hooks of one queue, or of one worker of it. Use `make`: without hooks there is none of these.

    Args:
        hooks: In their order.
        queue: The queue's name.
        worker: The worker's; empty for a producer.
    """

    def __init__(self, hooks: Sequence[Hook], queue: str, worker: str = "") -> None:
        self.queue = queue
        self.worker = WorkerInfo(queue=queue, name=worker)
        #: Only hooks that wrote the method: a hook that counts enqueues costs a worker nothing.
        self._hooks = {name: [hook for hook in hooks if _has(hook, name)] for name in METHODS}
        for name, listed in self._hooks.items():
            if name.startswith("after_"):
                listed.reverse()

    @classmethod
    def make(cls, hooks: Iterable[Hook], queue: str, worker: str = "") -> HookCalls | None:
        """Return the calls of these hooks; None where there are none, which is all that a hot path looks at.

        Raises:
            InvalidSettings: Something else than a `Hook` is among them.
        """
        listed = list(hooks)
        for hook in listed:
            if not isinstance(hook, Hook):
                raise InvalidSettings(f"{hook!r} is no hook: derive its class from rosq.Hook, and give an instance.")
        return cls(listed, queue, worker) if listed else None

    # -- of a producer -------------------------------------------------------------------------------------------------

    def around_enqueue(
        self,
        operation: EnqueueOperation,
        jobs: Iterable[NewJob],
        put: Callable[[Sequence[NewJob]], Sequence[AnswerT]],
    ) -> Sequence[AnswerT]:
        """Put jobs on the queue by `put`, with what the hooks say around it."""
        call = EnqueueCall(queue=self.queue, operation=operation, jobs=tuple(jobs))
        started_s = boot_time_s()
        answers: Sequence[AnswerT] = ()
        failure: BaseException | None = None
        try:
            headers = self._collect_headers(call)
            given = [_add_headers(job, headers) for job in call.jobs] if headers else call.jobs
            started_s = boot_time_s()
            answers = self._put_without_fail(put, given, call.jobs)
        except BaseException as error:
            failure = error
            raise
        finally:
            end = EnqueueEnd(answers=tuple(answers), error=failure, duration_s=boot_time_s() - started_s)
            failure = None
            self._tell("after_enqueue", call, end)
        return answers

    def _put_without_fail(
        self, put: Callable[[Sequence[NewJob]], Sequence[AnswerT]], given: Sequence[NewJob], asked: Sequence[NewJob]
    ) -> Sequence[AnswerT]:
        """Put the jobs with what hooks add, and where that is too much for one of them, without."""
        try:
            return put(given)
        except InvalidData as error:
            # Checked before anything is written. What the caller gave is refused again, and told as it is.
            if given is asked:
                raise
            answers = put(asked)
            log.warning(
                "The headers of hooks were left out: with them a job can't be stored",
                extra={"event": "headers_left_out", "queue": self.queue, **facts.of_error(error)},
            )
            return answers

    def _collect_headers(self, call: EnqueueCall) -> dict[str, str]:
        headers: dict[str, str] = {}
        for hook in self._hooks["before_enqueue"]:
            try:
                headers.update(_check_headers(hook.before_enqueue(call)))
            except BaseException as error:
                self._survive(error, hook, "before_enqueue")
        return headers

    # -- of a worker's read loop ---------------------------------------------------------------------------------------

    def run_handler(
        self, handler: Handler, delivery: Delivery, policy: SafePolicy, worker_facts: Mapping[str, object]
    ) -> Settlement | None:
        """Do what `rosq.execution.runner.run_handler` does, with what the hooks say around it."""
        raised: list[BaseException] = []

        def watched(delivery: Delivery) -> None:
            try:
                handler(delivery)
            except BaseException as error:
                raised.append(error)
                raise

        started_s = boot_time_s()
        self._tell("before_handler", self.worker, delivery)
        started_s = boot_time_s()
        settlement = run_handler(watched, delivery, policy, worker_facts)
        duration_s = boot_time_s() - started_s
        outcome, delay_s = (None, 0.0) if settlement is None else (settlement.outcome, settlement.delay_s)
        end = HandlerEnd(
            outcome=outcome, duration_s=duration_s, delay_s=delay_s, error=raised.pop() if raised else None
        )
        self._tell("after_handler", self.worker, delivery, end)
        return settlement

    def after_settle(self, settlement: Settlement, *, is_refused: bool) -> None:
        """See `Hook.after_settle`."""
        self._tell("after_settle", self.worker, settlement, is_refused)

    def around_sleep(self, sleep: Callable[[], Answer | None]) -> Answer | None:
        """Sleep, with what the hooks say around it."""
        started_s = boot_time_s()
        try:
            self._tell("before_sleep", self.worker)
            started_s = boot_time_s()
            return sleep()
        finally:
            slept_s = boot_time_s() - started_s
            self._tell("after_sleep", self.worker, slept_s)

    def name_held(self) -> None:
        """See `Hook.name_held`."""
        self._tell("name_held", self.worker)

    def redis_away(self, error: ServerUnreachable) -> None:
        """See `Hook.redis_away`."""
        self._tell("redis_away", self.worker, error)

    def redis_back(self, away_s: float) -> None:
        """See `Hook.redis_back`."""
        self._tell("redis_back", self.worker, away_s)

    # -- of its heartbeat ----------------------------------------------------------------------------------------------

    def name_lost(self) -> None:
        """See `Hook.name_lost`."""
        self._tell("name_lost", self.worker)

    def lease_lost(self, delivery: Delivery, reason: str) -> None:
        """See `Hook.lease_lost`."""
        self._tell("lease_lost", self.worker, delivery, reason)

    def after_maintenance(self, swept: Swept) -> None:
        """See `Hook.after_maintenance`."""
        self._tell("after_maintenance", self.worker, swept)

    # -- doing no harm -------------------------------------------------------------------------------------------------

    def _tell(self, method: str, *values: object) -> None:
        process_id = os.getpid()
        for hook in self._hooks[method]:
            try:
                getattr(hook, method)(*values)
            except BaseException as error:
                if self.worker.name:
                    end_if_forked(process_id, error)
                self._survive(error, hook, method)
            if self.worker.name:
                end_if_forked(process_id)

    def _survive(self, error: BaseException, hook: Hook, method: str) -> None:
        """Log what a hook raised, and let only through what wasn't the hook's: a signal's exit, in the main thread."""
        # A producer's process may end itself from a signal handler, by SystemExit or whatever it likes. A worker is
        # asked to stop; there nothing but Ctrl-C comes from outside, and what else a hook raises would end all workers.
        is_producers = not self.worker.name and threading.current_thread() is threading.main_thread()
        if is_ctrl_c(error) or (is_producers and not isinstance(error, Exception)):
            raise error
        log.error(
            "A hook failed; the job goes on",
            exc_info=error,
            extra={
                "event": "hook_failed",
                **facts.of_worker(self.queue, self.worker.name),
                "hook": f"{type(hook).__module__}.{type(hook).__qualname__}.{method}",
                **facts.of_error(error),
            },
        )


def _has(hook: Hook, method: str) -> bool:
    """Whether a hook wrote this method: the one that does nothing isn't worth a call."""
    return getattr(getattr(hook, method), "__func__", None) is not getattr(Hook, method)


def _check_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return what a hook adds if a job can carry it: else the hook is to blame, and the job goes without."""
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidData(f"The header {name!r}: {value!r} isn't text.")
    return headers or {}


def _add_headers(job: NewJob, headers: Mapping[str, str]) -> NewJob:
    return dataclasses.replace(job, headers={**headers, **(job.headers or {})})
