"""What can go wrong in a test.

RosqError
└── QueueNotEmpty          the deadline passed before the queue was empty
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.errors import RosqError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.inspect.jobs.rows import JobRow
    from rosq.testing.run import Tally


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
