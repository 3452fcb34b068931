"""When a failed job runs again: a `tenacity` wait strategy, read as a table of pauses rather than run as a loop."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import tenacity

from rosq.delays import check_delay
from rosq.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable


def default_wait() -> tenacity.wait.wait_base:
    """2, 4, 8 … seconds up to ten minutes, each with up to a second of jitter so that a burst doesn't come back as
    one."""
    return tenacity.wait_exponential(multiplier=2, max=600) + tenacity.wait_random(0, 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a job may fail, and how long it rests in between."""

    #: The attempt after whose failure the job fails for good; 1 means no retry.
    max_attempts: int = 3
    #: Any wait strategy of tenacity; it is given the attempt's number and its exception.
    wait: tenacity.wait.wait_base | Callable[[tenacity.RetryCallState], float] = dataclasses.field(
        default_factory=default_wait
    )
    #: Errors that no repetition cures: the job fails with the first of them, whatever attempts are left.
    never_retry: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.max_attempts, int) or self.max_attempts < 1:
            raise InvalidSettings(f"max_attempts is {self.max_attempts}: give a whole number, 1 or more.")
        if not callable(self.wait):
            raise InvalidSettings(f"wait is {self.wait!r}: give a wait strategy of tenacity, or a function like one.")
        fatal = self.never_retry
        if not isinstance(fatal, tuple) or not all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in fatal
        ):
            raise InvalidSettings(f"never_retry is {fatal!r}: give a tuple of classes of exceptions.")

    def is_last(self, attempt: int) -> bool:
        """Whether a failure of this attempt (counted from 1) is final."""
        return attempt >= self.max_attempts

    def is_fatal(self, error: BaseException) -> bool:
        """Whether this error is one of those that are never retried."""
        return isinstance(error, self.never_retry)

    def pause_s(self, attempt: int, error: BaseException) -> float:
        """Seconds to rest after this attempt failed with this error.

        Raises:
            ValueError: The wait strategy says no delay: what is negative, no number, or longer than ten years. A worker
                takes the default pause then, whatever a strategy raises, and logs it.
        """
        state = tenacity.RetryCallState(retry_object=tenacity.Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        state.set_exception((type(error), error, error.__traceback__))
        return check_delay("What the wait strategy says", self.wait(state))
