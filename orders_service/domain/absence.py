"""When readings of the account's list prove that a send made no application.

Everything here is by PostgreSQL's clock: a reading's time is a time that the service itself answered to the worker
before the first page was asked for, so a worker's wrong clock proves nothing.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orders_service.domain.facts import ListReading

#: So many readings at least, spread over the whole time of absence.
NEEDED: Final = 5


class VoidReason(enum.StrEnum):
    """Why a reading proves nothing; stored in `readings.void_reason`."""

    #: Made by another account: its list isn't this one.
    OTHER_ACCOUNT = "other_account"
    #: Made as another person than the one who submitted.
    OTHER_PERSON = "other_person"
    #: Begun before the gate: it couldn't have shown anything.
    BEFORE_GATE = "before_gate"
    #: Claims to be begun later than it was recorded.
    IN_FUTURE = "in_future"
    #: A filter was set.
    FILTERED = "filtered"
    #: Not all pages were read.
    INCOMPLETE = "incomplete"
    #: The balance couldn't be read.
    NO_BALANCE = "no_balance"
    #: The balance isn't the expected one. Lower: something was charged; higher: points bought hide a charge.
    OTHER_BALANCE = "other_balance"
    #: It showed a row that may be ours.
    HAS_CANDIDATE = "has_candidate"
    #: Another order of this object is between gate and number: a new row could be either's.
    OBJECT_BUSY = "object_busy"


#: Readings that aren't of the send at all: however many there are, they say nothing of how long it was looked for.
NOT_OF_THE_SEND: Final = frozenset({VoidReason.OTHER_ACCOUNT, VoidReason.BEFORE_GATE, VoidReason.IN_FUTURE})


def count_readings(begun_ats: Iterable[dt.datetime], gate_at: dt.datetime, absent_after_s: float) -> int:
    """Return how many of these readings count towards absence, at most `NEEDED`.

    A reading counts when it was begun at least a fifth of the time of absence after the one counted before it, the
    first after the gate. So `NEEDED` of them are spread over the whole time, and the last was begun after its end.

    Args:
        begun_ats: Of the readings that aren't void, in any order.
        absent_after_s: The time of absence, in seconds.
    """
    step = dt.timedelta(seconds=absent_after_s / NEEDED)
    end = gate_at + dt.timedelta(seconds=absent_after_s)
    counted = 0
    last = gate_at
    for begun_at in sorted(begun_ats):
        if begun_at < last + step:
            continue
        # The steps alone say it already, up to the rounding of a fifth to microseconds: the end is asked too.
        if counted == NEEDED - 1 and begun_at < end:
            continue
        counted += 1
        last = begun_at
        if counted == NEEDED:
            break
    return counted


def find_void_reason(
    reading: ListReading,
    *,
    is_own_account: bool,
    person_oid: str,
    gate_at: dt.datetime,
    recorded_at: dt.datetime,
    expected_balance: int,
) -> VoidReason | None:
    """Say why a reading without candidates proves nothing; None: it counts.

    Args:
        person_oid: The journalled person.
        recorded_at: When the service received the reading.
        expected_balance: The balance journalled before the gate, or seen by a person since, less what the account's
            later sends cost.
    """
    whose = find_whose_fault(
        reading, is_own_account=is_own_account, person_oid=person_oid, gate_at=gate_at, recorded_at=recorded_at
    )
    if whose is not None:
        return whose
    if not reading.is_unfiltered:
        return VoidReason.FILTERED
    if not reading.is_complete:
        return VoidReason.INCOMPLETE
    if reading.balance is None:
        return VoidReason.NO_BALANCE
    if reading.balance != expected_balance:
        return VoidReason.OTHER_BALANCE
    return None


def find_whose_fault(
    reading: ListReading, *, is_own_account: bool, person_oid: str, gate_at: dt.datetime, recorded_at: dt.datetime
) -> VoidReason | None:
    """Say why a reading isn't one of this send at all: not even a row that it shows may be adopted. None: it is."""
    if not is_own_account:
        return VoidReason.OTHER_ACCOUNT
    if reading.person_oid != person_oid:
        return VoidReason.OTHER_PERSON
    if reading.begun_at < gate_at:
        return VoidReason.BEFORE_GATE
    if reading.begun_at > recorded_at:
        return VoidReason.IN_FUTURE
    return None
