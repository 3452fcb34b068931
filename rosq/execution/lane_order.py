"""Which lanes a worker reads next, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.execution.callables import check_callable
from rosq.execution.forked import end_if_forked
from rosq.execution.settlement import Outcome
from rosq.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.execution.settlement import Settlement

#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_RELEASED = Outcome.RELEASE


class LaneOrder:
    """The lanes of a worker's fetches; after a job of the first one the others come before it.

    Args:
        lanes: As of `Worker`: fixed ones, checked here, or what is called before each fetch.
    """

    def __init__(self, lanes: Sequence[str] | Callable[[], Sequence[str]]) -> None:
        if callable(lanes):
            check_callable("What gives the lanes", lanes, 0)
        self._lanes = lanes if callable(lanes) else _check_lanes(lanes)
        #: Of the last job; None where the last fetch brought none.
        self.last: str | None = None
        #: Those of the last fetch.
        self.read: list[str] = []

    def find_next(self, process_id: int) -> list[str]:
        """The lanes of the next fetch, in order.

        Args:
            process_id: The worker's own: a child that comes back from the callable ends.
        """
        lanes = self._lanes
        if callable(lanes):
            lanes = _check_lanes(lanes())
            end_if_forked(process_id)
        if len(lanes) > 1 and lanes[0] == self.last:
            lanes = [*lanes[1:], lanes[0]]
        self.read = lanes
        return lanes

    def is_stepping_back(self, settlement: Settlement | None) -> bool:
        """Whether the settlement gives a job to someone else, who should be faster than this worker."""
        if settlement is None or settlement.outcome is not _RELEASED:
            return False
        return (settlement.lane or settlement.delivery.hold.handed.lane) in self.read


def _check_lanes(lanes: Sequence[str]) -> list[str]:
    """Each lane once, in the order given."""
    return list(dict.fromkeys(check_name("lane", lane) for lane in lanes))
