"""Policies for tests: as production's, without the waiting."""

from __future__ import annotations

import tenacity

from rosq.retry import RetryPolicy

#: A wait strategy that doesn't wait, for any place that takes one of tenacity's.
no_wait = tenacity.wait_none()


def fast_retries(max_attempts: int = 3) -> RetryPolicy:
    """Return a policy by which a failed job runs again at once.

    Args:
        max_attempts: The attempt after whose failure the job fails for good; 3 as in production.
    """
    return RetryPolicy(max_attempts=max_attempts, wait=no_wait)
