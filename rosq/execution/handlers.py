"""Which handler a job is for, and what policy it falls under: one for all jobs, or by the job's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from rosq.errors import InvalidSettings, UnknownJobName
from rosq.names import check_name
from rosq.retry import RetryPolicy

if TYPE_CHECKING:
    from rosq.execution.delivery import Delivery, Handler

#: One handler for all jobs, or one for each job name; that of the empty name takes the jobs that have none.
Handlers: TypeAlias = "Handler | Mapping[str, Handler]"
#: One policy for all jobs, or one for each job name; that of the empty name is for all others.
Policies: TypeAlias = "RetryPolicy | Mapping[str, RetryPolicy]"


class Dispatcher:
    """A worker's handlers and retry policies.

    Raises:
        InvalidSettings: No handler at all.
        InvalidName: A job name breaks the rule.
    """

    def __init__(self, handlers: Handlers, policies: Policies | None = None) -> None:
        self._one = None if isinstance(handlers, Mapping) else handlers
        self._by_name = dict(handlers) if isinstance(handlers, Mapping) else {}
        if self._one is None and not self._by_name:
            raise InvalidSettings("The worker has no handler: give one, or a mapping of job names to handlers.")
        by_name = dict(policies) if isinstance(policies, Mapping) else {"": policies or RetryPolicy()}
        self._default = by_name.pop("", RetryPolicy())
        self._policies = by_name
        for name in [*self._by_name, *by_name]:
            if name:
                check_name("job name", name)

    def policy_of(self, name: str) -> RetryPolicy:
        """The policy for jobs of this name."""
        return self._policies.get(name, self._default) if self._policies else self._default

    def handle(self, delivery: Delivery) -> None:
        """Call the handler that the job is for.

        Raises:
            UnknownJobName: There is none: a failed attempt like any other, so that a job of a new name outlasts the
                time in which workers are replaced one by one.
        """
        handler = self._one or self._by_name.get(delivery.name)
        if handler is None:
            raise UnknownJobName(delivery.name, sorted(self._by_name))
        handler(delivery)
