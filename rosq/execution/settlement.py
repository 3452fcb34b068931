"""How a delivery ends."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosq.execution.delivery import Delivery


#: Letters of an error that a job keeps, and that the record of each delivery keeps.
ERROR_MAX_LENGTH = 1_000
_RECORDED_MAX = 200


class Outcome(enum.StrEnum):
    """The ways in which a delivery ends; `script` names what tells Redis so."""

    COMPLETE = "complete"
    FAIL = "fail"
    RETRY = "retry"
    SNOOZE = "snooze"
    RELEASE = "release"
    CANCEL = "cancel"

    @property
    def script(self) -> str:
        """Its script's name: that of an outcome, but where an operator's command has that name."""
        return {Outcome.RETRY: "fail_attempt", Outcome.CANCEL: "obey_cancel"}.get(self, self.value)

    @property
    def word(self) -> str:
        """What it is called when it has happened, in logs, metrics and counts."""
        return _WORDS[self]


_WORDS = {
    Outcome.COMPLETE: "completed",
    Outcome.FAIL: "failed",
    Outcome.RETRY: "retried",
    Outcome.SNOOZE: "snoozed",
    Outcome.RELEASE: "released",
    Outcome.CANCEL: "cancelled",
}


# Not frozen: that makes it three times as slow to make, once a job; and made by position that is half as slow again.
@dataclasses.dataclass(slots=True)
class Settlement:
    """The end of a delivery, to be told to Redis until an answer comes."""

    delivery: Delivery
    outcome: Outcome
    #: The lane in which the job waits then; None keeps its lane.
    lane: str | None = None
    delay_s: float = 0.0
    error: str = ""
    #: Of a retry or failure: the class of the exception, and where it came from (`rosq.facts`).
    error_class: str = ""
    trace: str = ""

    def tell_error(self) -> tuple[str, str, str, str]:
        """The error as scripts take it: text and class for the job, both as JSON for the delivery's record, the trace.

        Shortened here: Lua counts bytes, and would cut a letter in two.
        """
        error = self.error[:ERROR_MAX_LENGTH]
        told = json.dumps([self.error_class, error[:_RECORDED_MAX]], ensure_ascii=False, separators=(",", ":"))
        trace = json.dumps(self.trace, ensure_ascii=False) if self.trace else ""
        return error, self.error_class, told[1:-1], trace

    #: Why a handler cancels its job that nobody asked it to.
    reason: str = ""
