"""Who looks after what waits and what is delayed: bells that ring, and processes that know.

A token lies on its bell, or a process took it and hasn't fetched yet. When the next delayed job is due, one who sleeps
knows; one who is woken asks with its next fetch, and hands that on if the fetch brings a job. What is lost with a
process is rung for by the next sweep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.rosq.property.hands import Process
    from tests.integration.rosq.property.snapshot import Snapshot

TIMER = "timer"


def bell_of(lane: str) -> str:
    return f"lane:{lane}"


class Bells:
    """What is known of the tokens, besides where they lie."""

    def __init__(self) -> None:
        #: Bells whose token was taken, by whom; of the timer's also who knew the time and was woken.
        self._takers: dict[str, Process] = {}
        #: Bells whose taker died, or who knew the time.
        self._lost: set[str] = set()

    def wake(self, process: Process, bell: str | None = None) -> None:
        """Its sleep, if it slept, is over: by the token of a bell, or for another reason."""
        if bell is not None:
            self._takers[bell] = process
        if process.watches_s is not None:
            self._takers[TIMER] = process
        process.is_idle, process.watches_s = False, None

    def ring_on_by(self, process: Process, *, is_watch_over: bool) -> None:
        """A fetch rings on for what its process's token stood for; the time is for the next one if it isn't told."""
        for bell in self._taken_by(process):
            if bell != TIMER or is_watch_over:
                del self._takers[bell]

    def lose(self, process: Process) -> None:
        """A process died, with its token, and with what it knew."""
        self.wake(process)
        self._lost |= self._taken_by(process)
        self.ring_on_by(process, is_watch_over=True)

    def ring_on(self, bells: Iterable[str]) -> None:
        """Somebody rang for whatever waits there."""
        self._lost.difference_update(bells)

    def is_told(self, bell: str, now: Snapshot) -> bool:
        """Whether somebody is woken for this, or awake for it; one that was lost counts until the next sweep."""
        return bool(now.bells.get(bell)) or bell in self._takers or bell in self._lost

    def _taken_by(self, process: Process) -> set[str]:
        return {bell for bell, taker in self._takers.items() if taker is process}
