"""Which row of the account's list a send made, if any can be told at all.

Money hangs on it twice: an order whose row is overlooked may be sent, and paid, again; an order that takes another's
row leaves that one without. So a row is taken only where no other reading of the facts is possible; else a person
decides.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from orders_service import cadastral

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orders_service.domain.facts import ApplicationRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What other orders of the person have to do with the rows that are looked at.

    Attributes:
        numbers: Numbers that other orders of the same object have: not this one's.
        application_ids: Applications that other orders of the same object have: not this one's.
        doubtful: Numbers that contradict themselves, each with why: stored with an order of another object, or named to
            another order by its own finish. Whose they are a person must say; meanwhile they are no proof of absence.
        rivals: Other orders of the object with a send that was settled as absent, or given up, a short while ago: its
            row may still come, and looks like any other of the object.
    """

    numbers: frozenset[str] = frozenset()
    application_ids: frozenset[int] = frozenset()
    doubtful: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rivals: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """This row is the send's.

    Attributes:
        left_over: Numbers of further rows that may be this order's, too: more may have been paid than once.
    """

    row: ApplicationRow
    left_over: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AskPerson:
    """It can't be told.

    Attributes:
        is_alarm: Two different numbers were shown for one order.
    """

    reason: str
    is_alarm: bool = False


Judgement: TypeAlias = Adopt | AskPerson | None


def find_candidates(
    rows: Iterable[ApplicationRow],
    *,
    cad_key: str,
    known_ids: Collection[int],
    elsewhere: Elsewhere,
) -> tuple[ApplicationRow, ...]:
    """Return the rows that may be this order's, each once: of its object, new since the intent, and nobody else's.

    Args:
        cad_key: Comparison key of the order's cadastral number.
        known_ids: Applications that were there before the gate was first passed.
    """
    found: dict[tuple[int, str], ApplicationRow] = {}
    for row in rows:
        if cadastral.find_key(row.cad_num) != cad_key:
            continue
        if row.application_id in known_ids:
            continue
        if row.application_id in elsewhere.application_ids or row.order_number in elsewhere.numbers:
            continue
        # A page that shifts while it is read shows a row twice; the same id under two numbers stays two.
        found.setdefault((row.application_id, row.order_number), row)
    return tuple(found.values())


def judge(
    candidates: tuple[ApplicationRow, ...],
    *,
    expected_number: str,
    earlier_numbers: Collection[str],
    elsewhere: Elsewhere,
    is_complete: bool,
) -> Judgement:
    """Say which of the candidates the send made; None: it can't be told yet, and another reading may tell.

    Args:
        expected_number: What this send's finish answered; empty: nothing.
        earlier_numbers: What earlier sends of the order were answered, and were settled as absent all the same.
        is_complete: All pages were read: there are no further rows.
    """
    if not candidates:
        return None
    numbers = sorted({row.order_number for row in candidates})
    for number in numbers:
        if number in elsewhere.doubtful:
            return AskPerson(reason=elsewhere.doubtful[number], is_alarm=True)
    if expected_number:
        expected = [row for row in candidates if row.order_number == expected_number and row.application_id > 0]
        if len(expected) == 1:
            return Adopt(row=expected[0], left_over=tuple(n for n in numbers if n != expected_number))
        if not is_complete:
            return None
        return AskPerson(
            reason=f"The portal answered the number {expected_number}, and its list shows {', '.join(numbers)}.",
            is_alarm=True,
        )
    if any(row.order_number in earlier_numbers for row in candidates):
        return AskPerson(
            reason=f"An earlier send of this order turned up after all: the list shows {', '.join(numbers)}.",
            is_alarm=True,
        )
    if not is_complete or not all(row.order_number and row.application_id > 0 for row in candidates):
        return None
    if len(candidates) > 1:
        return AskPerson(
            reason=f"Several rows may be this order's ({', '.join(numbers)}): a person decides which one is, if any."
        )
    if elsewhere.rivals:
        others = ", ".join(map(str, elsewhere.rivals))
        return AskPerson(
            reason=f"The row {numbers[0]} may be that of order {others}, sent for the same object and not found."
        )
    return Adopt(row=candidates[0])
