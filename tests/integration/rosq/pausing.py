"""How soon a pause is seen by a worker that goes from job to job."""

from __future__ import annotations

from rosq.clock import boot_time_s
from rosq.execution import fetching
from tests.waiting import wait_until


def let_the_look_grow_old() -> None:
    """Return when every worker that settles a job looks for a pause again: until then it may go by what it saw."""
    seen_s = boot_time_s()
    wait_until(lambda: boot_time_s() - seen_s > fetching.SEEN_FOR_S, "the look to be too old", every_s=0.001)
