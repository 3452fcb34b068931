"""What one exchange of a worker with Redis brought: values."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosq.execution.delivery import Delivery
    from rosq.scripts.loader import Code


class Fetched(enum.StrEnum):
    """What a fetch brought."""

    JOB = "job"
    #: No job is there for these lanes.
    NONE = "none"
    #: The name isn't held by this process any more.
    UNHELD = "unheld"
    #: A process that had this name before has its job still: nothing is handed out under the name until that ends.
    OCCUPIED = "occupied"
    #: The server couldn't say; what was settled is settled.
    ERROR = "error"
    #: Nothing was asked for.
    SKIPPED = "skipped"


# Not frozen, and made by position: see `rosq.execution.settlement`.
@dataclasses.dataclass(slots=True)
class Answer:
    """What one exchange with Redis brought: the fate of the settlement, and the next job."""

    code: Code
    fetched: Fetched
    delivery: Delivery | None = None
    #: Seconds until the earliest delayed job is due, at the moment of the answer; 0 or less is overdue; None if there
    #: is none, or, beside a delivery, if it wasn't looked for this time.
    next_due_s: float | None = None
    error: str = ""
    #: Why the data of the job that came can't be read; empty where they can.
    unreadable: str = ""
    #: Of an occupied name: seconds until its last holder's lease runs out, if it gives no sign of life.
    rest_s: float = 0.0
