"""How a delivery ends."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosq.delivery import Delivery


class Outcome(enum.StrEnum):
    """The ways in which a delivery ends; each is the script of that name."""

    COMPLETE = "complete"
    FAIL = "fail"
    RETRY = "retry"
    SNOOZE = "snooze"
    RELEASE = "release"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of a delivery, to be told to Redis until an answer comes."""

    delivery: Delivery
    outcome: Outcome
    #: The lane in which the job waits then; None keeps its lane.
    lane: str | None = None
    delay_s: float = 0.0
    error: str = ""
