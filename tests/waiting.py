"""Waiting for an event with a deadline: what tests use instead of `sleep`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], what: str, timeout_s: float = 10.0, every_s: float = 0.01) -> T:
    """Return the first truthy answer of `condition`; fail the test, naming `what`, when none came in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"Waited {timeout_s:g} s in vain for: {what}. The last answer was {answer!r}.")
        time.sleep(every_s)
