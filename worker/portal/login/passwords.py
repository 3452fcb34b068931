"""How many passwords may be sent in a row: each one is an SMS and a notice to a real person, and a loop locks him out.

In a row means: without a call in between that was of use. Two may go out at once, since a session may die at any time;
then ten minutes must pass, then an hour, and then a person looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from worker.portal.errors import LoginPaused, Need, PersonNeeded
from worker.portal.wire.pacer import boottime_s

if TYPE_CHECKING:
    from worker.portal.wire.pacer import Sleep

#: What must have passed since the last password, by how many were sent in a row; after those a person looks.
PAUSES_S: Final = (0.0, 0.0, 600.0, 3600.0)


class PasswordCount(Protocol):
    """Where passwords are counted: outside of this process, so that no restart forgets them."""

    def read(self) -> tuple[int, float]:
        """Return how many were sent in a row, and the seconds since the last one."""

    def add(self, sleep: Sleep) -> None:
        """Count one that is about to be sent. Where this raises, none is sent."""

    def clear(self, sleep: Sleep) -> bool:
        """A call was of use: the row is over. False: it couldn't be written down; never raises for that."""


class CountInMemory:
    """For who has no other place: a restart forgets it."""

    def __init__(self) -> None:
        self._sent = 0
        self._last_s = 0.0

    def read(self) -> tuple[int, float]:
        """Return how many were sent in a row, and the seconds since the last one."""
        return self._sent, boottime_s() - self._last_s

    def add(self, sleep: Sleep) -> None:
        """Count one."""
        self._sent += 1
        self._last_s = boottime_s()

    def clear(self, sleep: Sleep) -> bool:
        """Begin anew."""
        self._sent = 0
        return True


def check(sent: int, age_s: float) -> None:
    """Return if one more password may be sent now.

    Args:
        sent: How many were sent in a row.
        age_s: Seconds since the last of them.

    Raises:
        LoginPaused: Not yet.
        PersonNeeded: Not before a person looked.
    """
    if sent >= len(PAUSES_S):
        raise PersonNeeded(
            f"The account's password was sent {sent} times, and no call was of use since: log in with a browser, look"
            " what the portal says, and import the session.",
            need=Need.LOGIN_LOOP,
        )
    left_s = PAUSES_S[sent] - age_s
    if left_s > 0:
        raise LoginPaused(
            f"The account's password was sent {sent} times, and no call was of use since: the next one may be sent in"
            f" {left_s:.0f} s.",
            retry_after_s=left_s,
        )
