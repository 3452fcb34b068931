"""Cancelling a job: what the caller is told, and how the handler of one that runs learns of it."""

from __future__ import annotations

import dataclasses
import enum

from rosq.errors import InvalidData
from rosq.job import JobState

#: Letters of who and why that are kept.
_TEXT_MAX = 500


class CancelOutcome(enum.StrEnum):
    """What `cancel` did."""

    #: It is cancelled: nobody had it in hand.
    CANCELLED = "cancelled"
    #: It runs. Its handler is asked to stop, by this call or an earlier one.
    ASKED = "asked"
    #: It is completed, failed or cancelled already; nothing was changed.
    OVER = "over"
    #: The queue doesn't know it.
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The answer to a `cancel`."""

    job_id: str
    outcome: CancelOutcome
    #: Where the job stands now; None where the queue doesn't know it.
    state: JobState | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Who asked for a job's cancelling, and why."""

    by: str
    reason: str


class CancelNotice:
    """Whether a delivery's job is to be cancelled: set by the thread that hears of it, read by the handler's."""

    __slots__ = ("request",)

    def __init__(self) -> None:
        #: None while nobody is known to have asked.
        self.request: CancelRequest | None = None


def make_request(job_id: str, by: str, reason: str) -> CancelRequest:
    """Check who and why, and cut what is too long.

    Raises:
        InvalidData: One of them is missing.
    """
    if not by.strip() or not reason.strip():
        raise InvalidData(f"Say who cancels job {job_id}, and why.")
    return CancelRequest(by=by.strip()[:_TEXT_MAX], reason=reason.strip()[:_TEXT_MAX])


def read_answer(job_id: str, code: int, state: str) -> Cancelled:
    """Read what `cancel.lua` answers, but for "look again"."""
    if code == 0:
        return Cancelled(job_id=job_id, outcome=CancelOutcome.OVER, state=JobState(state))
    outcome, now = {
        1: (CancelOutcome.CANCELLED, JobState.CANCELLED),
        2: (CancelOutcome.ASKED, JobState.ACTIVE),
        -2: (CancelOutcome.UNKNOWN, None),
    }[code]
    return Cancelled(job_id=job_id, outcome=outcome, state=now)
