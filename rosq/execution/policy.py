"""A retry policy that can be relied on, whatever its wait strategy says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from rosq import facts
from rosq.delays import check_delay
from rosq.errors import InvalidSettings
from rosq.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

T = TypeVar("T", bool, float)

_DEFAULT = RetryPolicy()


class SafePolicy:
    """Asks a policy, and the default one in its place where it raises or says what can't be: that is logged, and the
    job goes its way. A policy is other people's code, and it is asked when a job is in hand.

    Args:
        worker_facts: Which worker it is, for the log.

    Raises:
        InvalidSettings: It is no policy.
    """

    def __init__(self, policy: RetryPolicy, worker_facts: Mapping[str, object]) -> None:
        if not isinstance(policy, RetryPolicy):
            raise InvalidSettings(f"The policy is {policy!r}: give a RetryPolicy.")
        self._policy = policy
        self._facts = worker_facts

    def is_last(self, job_id: str, attempt: int) -> bool:
        """Whether a failure of this attempt (counted from 1) is final."""
        try:
            return bool(self._policy.is_last(attempt))
        except BaseException as error:
            return self._fall_back("is_last", error, _DEFAULT.is_last(attempt), job_id, attempt)

    def is_fatal(self, job_id: str, attempt: int, error: BaseException) -> bool:
        """Whether this error is one of those that are never retried."""
        try:
            return bool(self._policy.is_fatal(error))
        except BaseException as broken:
            return self._fall_back("is_fatal", broken, False, job_id, attempt)

    def pause_s(self, job_id: str, attempt: int, error: BaseException) -> float:
        """Seconds to rest after this attempt failed with this error."""
        try:
            return check_delay("The pause", self._policy.pause_s(attempt, error))
        except BaseException as broken:
            return self._fall_back("pause_s", broken, _DEFAULT.pause_s(attempt, error), job_id, attempt)

    def _fall_back(self, asked: str, error: BaseException, instead: T, job_id: str, attempt: int) -> T:
        log.error(
            "A retry policy failed; the default one is followed",
            exc_info=error,
            extra={
                "event": "policy_failed",
                **self._facts,
                "job_id": job_id,
                "attempt": attempt,
                "asked": asked,
                "instead": instead,
                **facts.of_error(error),
            },
        )
        return instead
