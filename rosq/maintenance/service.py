"""What every service of maintenance has: a name, a period, and one pass that tells what it did."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one pass of a service did; each counts its own things."""

    #: Jobs that were taken from dead holders, and what became of them.
    put_back: int = 0
    failed: int = 0
    cancelled: int = 0
    #: Entries that had no job any more.
    dropped: int = 0
    forgotten_jobs: int = 0
    forgotten_workers: int = 0
    forgotten_lanes: int = 0


def always() -> bool:
    """Go on: nobody else waits for this thread."""
    return True


class Service(Protocol):
    """One of the things that are done for a queue from time to time."""

    @property
    def name(self) -> str:
        """What its turn is called by."""

    @property
    def period_s(self) -> float:
        """Seconds between two passes, whichever worker makes them."""

    @property
    def steady_s(self) -> float:
        """Seconds for which the server must have answered before a pass."""

    def run_once(self, go_on: Callable[[], bool] = always) -> Swept:
        """Make one pass, in steps of a few milliseconds of the server's time.

        Args:
            go_on: Asked between two steps; False ends the pass there, and the next one does the rest.

        Raises:
            ServerUnreachable: The pass broke off; the next one does the rest.
            ScriptFailed: It can't be made: a key of the queue's own is of another type.
        """
