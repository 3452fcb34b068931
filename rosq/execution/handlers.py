"""Which handler a job is for, and what policy it falls under: one for all jobs, or by the job's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from rosq.errors import InvalidSettings, UnknownJobName
from rosq.execution.callables import check_callable, check_result
from rosq.execution.policy import SafePolicy
from rosq.names import check_name
from rosq.retry import RetryPolicy

if TYPE_CHECKING:
    from rosq.execution.delivery import Delivery, Handler

#: One handler for all jobs, or one for each job name; that of the empty name takes the jobs that have none.
Handlers: TypeAlias = "Handler | Mapping[str, Handler]"
#: One policy for all jobs, or one for each job name; that of the empty name is for all others.
Policies: TypeAlias = "RetryPolicy | Mapping[str, RetryPolicy]"
#: They aren't meant to return anything; what they do return is looked at.
_Called: TypeAlias = "Callable[[Delivery], object]"


class Dispatcher:
    """A worker's handlers and retry policies.

    Args:
        worker_facts: Which worker it is, for the log.

    Raises:
        InvalidSettings: No handler at all, or one of which it can be seen that no job will be done by calling it; or a
            policy that is none.
        InvalidName: A job name breaks the rule.
    """

    def __init__(
        self, handlers: Handlers, policies: Policies | None = None, worker_facts: Mapping[str, object] | None = None
    ) -> None:
        self._one = None if isinstance(handlers, Mapping) else cast("_Called", handlers)
        self._by_name = cast("dict[str, _Called]", dict(handlers) if isinstance(handlers, Mapping) else {})
        if self._one is None and not self._by_name:
            raise InvalidSettings("The worker has no handler: give one, or a mapping of job names to handlers.")
        by_name = dict(policies) if isinstance(policies, Mapping) else {"": policies or RetryPolicy()}
        for name in [*self._by_name, *by_name]:
            if name != "":
                check_name("job name", name)
        if self._one is not None:
            check_callable("The handler", self._one, 1)
        for name, handler in self._by_name.items():
            check_callable(f"The handler of jobs named {name!r}", handler, 1)
        self._policies = {name: SafePolicy(policy, worker_facts or {}) for name, policy in by_name.items()}
        self._default = self._policies.get("") or SafePolicy(RetryPolicy(), worker_facts or {})

    def policy_of(self, name: str) -> SafePolicy:
        """The policy for jobs of this name."""
        return self._policies.get(name, self._default) if self._policies else self._default

    def handle(self, delivery: Delivery) -> None:
        """Call the handler that the job is for.

        Raises:
            UnknownJobName: There is none: a failed attempt like any other, so that a job of a new name outlasts the
                time in which workers are replaced one by one.
            WorkLeft: It returned something that nobody will run.
        """
        handler = self._one
        if handler is None:
            handler = self._by_name.get(delivery.name)
            if handler is None:
                raise UnknownJobName(delivery.name, sorted(self._by_name))
        result = handler(delivery)
        if result is not None:
            check_result(delivery.job_id, result)
