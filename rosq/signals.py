"""What a handler may raise to say what should become of its job. None of these is an error.

They derive from `JobSignal`, not from `RosqError`: an `except RosqError` in a handler can't swallow them.
"""

from __future__ import annotations

from rosq.delays import check_delay
from rosq.names import check_name


class JobSignal(Exception):
    """The base of the outcomes below."""


class Snooze(JobSignal):
    """Come back later, without spending an attempt: what the job waits for isn't ready yet.

    Args:
        delay_s: Seconds until the job is due again; 0 means at once, behind those that wait.
        lane: The lane in which it comes back; None keeps its lane.

    Raises:
        ValueError: That is no delay: it is negative, no number, or longer than ten years.
    """

    def __init__(self, delay_s: float, lane: str | None = None) -> None:
        self.delay_s = check_delay("delay_s of a snooze", delay_s)
        self.lane = None if lane is None else check_name("lane", lane)
        super().__init__(f"snooze for {self.delay_s:g} s" + (f" in lane {lane}" if lane else ""))


class Release(JobSignal):
    """Give the job back at once, without spending an attempt: someone else, or another lane, should take it.

    Args:
        lane: The lane in which it waits then; None keeps its lane.
    """

    def __init__(self, lane: str | None = None) -> None:
        self.lane = None if lane is None else check_name("lane", lane)
        super().__init__("release" + (f" to lane {lane}" if lane else ""))


class Cancel(JobSignal):
    """Cancel the job: it ends here, and is neither done nor failed.

    `Delivery.check` and `sleep` raise it where somebody has asked for it: let it through when the work is left in good
    order. A handler may raise it by itself, too.

    Args:
        reason: One sentence for people; it is kept with the job, unless somebody had asked: then theirs is.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__("cancel" + (f": {reason}" if reason else ""))


class Fail(JobSignal):
    """Fail the job for good, whatever attempts are left.

    Args:
        reason: One sentence for people; it is kept with the job.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
