"""What became of a job's deliveries, one after another, as its hash keeps them (`scripts/shared/history.lua`).

A record is written only when the next delivery would overwrite what the hash says of the last one. So a delivery that
is under way, and one that completed the job, are read from the hash's other fields.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from rosq.job import DeliveryOutcome, DeliveryRecord
from rosq.store.fields import TOO_MUCH, read_json, read_ms, read_whole, to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

T = TypeVar("T")


#: The letters of `scripts/shared/history.lua`.
_OUTCOMES = {
    "d": DeliveryOutcome.COMPLETED,
    "e": DeliveryOutcome.RETRIED,
    "f": DeliveryOutcome.FAILED,
    "s": DeliveryOutcome.SNOOZED,
    "r": DeliveryOutcome.RELEASED,
    "c": DeliveryOutcome.CRASHED,
    "p": DeliveryOutcome.REPEATED,
    "x": DeliveryOutcome.CANCELLED,
}
#: States in which the hash's fields tell of a delivery that has no record, and how that one stands.
_BY_STATE = {
    "active": DeliveryOutcome.RUNNING,
    "completed": DeliveryOutcome.COMPLETED,
    "failed": DeliveryOutcome.FAILED,
    "cancelled": DeliveryOutcome.CANCELLED,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A job's deliveries, oldest first."""

    deliveries: tuple[DeliveryRecord, ...] = ()
    #: How many were dropped to keep it small; they may be any but the newest.
    dropped: int = 0
    #: False: there are lines in it that rosq hasn't written; they are left out.
    is_whole: bool = True


def read(fields: Mapping[str, str]) -> History:
    """Read a job's deliveries from its hash."""
    found: list[DeliveryRecord] = []
    dropped, is_whole = 0, True
    for line in (fields.get("history") or "").split("\n"):
        try:
            if line.startswith("["):
                found.append(_read_record(read_json(line)))
            elif line.startswith('"') and found:
                found[-1] = dataclasses.replace(found[-1], trace=read_json(line))
            elif line:
                dropped = _demand(read_whole(line))
        except ValueError:
            is_whole = False
    outcome = _BY_STATE.get(fields["state"])
    is_kept = bool(found) and str(found[-1].fence) == fields.get("fence")
    started_ms = read_started_ms(fields)
    started_at = to_datetime(started_ms)
    if outcome is not None and not is_kept and started_at is not None:
        found.append(_read_fields(fields, outcome, started_at))
    return History(deliveries=tuple(found), dropped=dropped, is_whole=is_whole)


def read_started_ms(fields: Mapping[str, str | None]) -> float | None:
    """When a job's last delivery began, from its hash: the first one's fence is that time, in µs, and names no other.
    None where there never was one, or it can't be read."""
    started_ms, fence = fields.get("started_at_ms"), read_whole(fields.get("fence"))
    if started_ms is not None:
        return read_ms(started_ms)
    # Without a worker it is a floor for the first fence.
    return fence // 1000 if fence is not None and fields.get("worker") is not None else None


def _read_record(array: list[Any]) -> DeliveryRecord:
    letter, *numbers, worker = array[:7]
    told = array[7:9]
    is_counted = len(numbers) == 5 and all(type(number) is int and abs(number) < TOO_MUCH for number in numbers)
    if not is_counted or not all(isinstance(text, str) for text in (letter, worker, *told)) or letter not in _OUTCOMES:
        raise ValueError("it is no record of a delivery")
    fence, begun, lasted, count, span = numbers
    started_ms = fence // 1000 + begun
    return DeliveryRecord(
        outcome=_OUTCOMES[letter],
        worker=worker,
        fence=fence,
        started_at=_demand(to_datetime(started_ms)),
        ended_at=_demand(to_datetime(started_ms + lasted)),
        count=count,
        first_started_at=_demand(to_datetime(started_ms - span)),
        error_class=(told[0] or None) if told else None,
        error=told[1] if len(told) > 1 else None,
    )


def _demand(value: T | None) -> T:
    if value is None:
        raise ValueError("a number or a time in it is none")
    return value


def _read_fields(fields: Mapping[str, str], outcome: DeliveryOutcome, started_at: datetime) -> DeliveryRecord:
    is_failed = outcome is DeliveryOutcome.FAILED
    return DeliveryRecord(
        outcome=outcome,
        worker=fields.get("worker", ""),
        fence=read_whole(fields.get("fence")) or 0,
        started_at=started_at,
        ended_at=to_datetime(fields.get("finished_at_ms")) if outcome is not DeliveryOutcome.RUNNING else None,
        first_started_at=started_at,
        error_class=(fields.get("error_class") or None) if is_failed else None,
        error=fields.get("last_error") if is_failed else None,
    )
