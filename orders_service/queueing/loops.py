"""What goes on beside the calls: a pass that is repeated, and that outlives the absence of what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

import tenacity

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

logger = logging.getLogger(__name__)

#: Between two attempts while something is away; random, so that several processes don't come back as one.
_PAUSE: Final = tenacity.wait_random_exponential(multiplier=0.25, max=5.0) + tenacity.wait_fixed(0.1)
_CANCEL_AGAIN_S: Final = 0.5


class Condition:
    """Whether something works, said once for each change and not once for each attempt."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._trouble: str | None = None

    def report_trouble(self, error: Exception) -> None:
        """Log a warning, unless it is the same trouble as the last time."""
        trouble = type(error).__name__
        if trouble != self._trouble:
            logger.warning(
                "A background task can't do its work for now and keeps trying",
                extra={"event": "task_waiting", "task": self._name, "error_type": trouble, "error": str(error)},
            )
        self._trouble = trouble

    def report_defect(self, error: Exception) -> None:
        """Log an error with its traceback, unless it is of the same kind as the last time."""
        trouble = f"defect {type(error).__name__}"
        if trouble != self._trouble:
            logger.error(
                "A background task failed by a defect and keeps trying",
                exc_info=error,
                extra={"event": "task_broken", "task": self._name, "error_type": type(error).__name__},
            )
        self._trouble = trouble

    def report_success(self) -> None:
        """Log that it works again, if it didn't."""
        if self._trouble is not None:
            logger.info("A background task works again", extra={"event": "task_working", "task": self._name})
        self._trouble = None


class Loop:
    """Repeats a pass: at once when woken, else after the interval; with a growing pause while it fails.

    Args:
        name: For the log.
        run_once: One pass, safe to repeat and to run beside itself in another process.
        interval_s: Seconds between the end of a pass and the next.
        rest_s: At least so many seconds between the end of a pass and the next one, however often it is woken, so that
            a pass serves all that came meanwhile. Whoever wakes it after a longer quiet doesn't wait.
        expected: Errors that mean that something is away; anything else is a defect, logged with its traceback.
    """

    def __init__(
        self,
        name: str,
        run_once: Callable[[], Awaitable[object]],
        *,
        interval_s: float,
        rest_s: float = 0.0,
        expected: tuple[type[Exception], ...] = (errors.DatabaseUnavailable,),
    ) -> None:
        self.condition = Condition(name)
        self._run_once = run_once
        self._interval_s = interval_s
        self._rest_s = rest_s
        self._expected = expected
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Start the next pass now, or directly after the one under way."""
        self._woken.set()

    async def run(self) -> None:
        """Repeat until cancelled. A cancelled pass leaves what a crash would."""
        failures = 0
        while True:
            self._woken.clear()
            try:
                await self._run_once()
            except self._expected as error:
                self.condition.report_trouble(error)
                failures += 1
            except Exception as error:
                self.condition.report_defect(error)
                failures += 1
            else:
                self.condition.report_success()
                failures = 0
            if failures:
                await asyncio.sleep(pause_s(failures))
            else:
                ended_at = asyncio.get_running_loop().time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._interval_s)
                if (left_s := ended_at + self._rest_s - asyncio.get_running_loop().time()) > 0:
                    await asyncio.sleep(left_s)


async def cancel_all(tasks: Iterable[asyncio.Task[None]]) -> list[Exception]:
    """Cancel the tasks and wait until they have ended; returns what they ended with instead.

    Asks again until they do: `asyncio.wait_for` of Python 3.11, which drivers use too, swallows a cancellation that
    comes at the moment when its own wait is over, and a loop would go on for ever.
    """
    pending = ended = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    outcomes = await asyncio.gather(*ended, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


def pause_s(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    state = tenacity.RetryCallState(retry_object=tenacity.AsyncRetrying(), fn=None, args=(), kwargs={})
    state.attempt_number = failures
    return _PAUSE(state)
