"""Named points of an order's way, for tests that kill, stop or hold a worker exactly there.

In production nothing listens. The points, in the order in which an order passes them: `after_claim`, `after_intent`,
`after_upload`, `before_gate`, `after_gate`, `after_finish`, `after_number`, `during_download`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

__all__ = ["NO_SIGNALS", "NoSignals", "Point", "Signals"]


class Point(Enum):
    """Where an order's way can be interrupted with a different outcome each time."""

    AFTER_CLAIM = "after_claim"  # the order is ours in PostgreSQL; nothing was asked of the portal
    AFTER_INTENT = "after_intent"  # bound; nothing was changed at the portal
    AFTER_UPLOAD = "after_upload"  # the portal has the statement, the journal says so
    BEFORE_GATE = "before_gate"  # the paid call's connection stands open, the gate isn't passed
    AFTER_GATE = "after_gate"  # the gate's commit is done, nothing was sent
    AFTER_FINISH = "after_finish"  # the paid call was answered or lost, nobody knows of it but this process
    AFTER_NUMBER = "after_number"  # the number is stored, the queue isn't told
    DURING_DOWNLOAD = "during_download"  # the paper lies in a temporary file, unchecked


class Signals(Protocol):
    """Somebody who wants to know where a worker is."""

    def reached(self, point: Point) -> None:
        """Called by the worker's own thread, each time that it reaches `point`. May block, or never return."""


class NoSignals:
    """Nobody listens."""

    def reached(self, point: Point) -> None:
        """Do nothing."""


NO_SIGNALS: Final = NoSignals()
