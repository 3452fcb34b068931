"""What became of a job's deliveries, one after another, as its hash keeps them (`scripts/shared/history.lua`).

A record is written only when the next delivery would overwrite what the hash says of the last one. So a delivery that
is under way, and one that completed the job, are read from the hash's other fields.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rosq.job import DeliveryOutcome, DeliveryRecord

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def read(fields: Mapping[str, str]) -> History:
    """Read a job's deliveries from its hash."""
    found: list[DeliveryRecord] = []
    dropped = 0
    for line in (fields.get("history") or "").split("\n"):
        if line.startswith("["):
            found.append(_read_record(json.loads(line)))
        elif line.startswith('"') and found:
            found[-1] = dataclasses.replace(found[-1], trace=json.loads(line))
        elif line:
            dropped = int(line)
    outcome = _BY_STATE.get(fields["state"])
    is_kept = bool(found) and str(found[-1].fence) == fields.get("fence")
    started_ms = read_started_ms(fields)
    if outcome is not None and not is_kept and started_ms is not None:
        found.append(_read_fields(fields, outcome, _at(started_ms)))
    return History(deliveries=tuple(found), dropped=dropped)


def read_started_ms(fields: Mapping[str, str | None]) -> float | None:
    """When a job's last delivery began, from its hash: the first one's fence is that time, in µs, and names no other.
    None where there never was one."""
    started_ms, fence = fields.get("started_at_ms"), fields.get("fence")
    if started_ms is not None:
        return float(started_ms)
    # Without a worker it is a floor for the first fence.
    return int(fence) // 1000 if fence and fields.get("worker") is not None else None


def _read_record(array: list[Any]) -> DeliveryRecord:
    letter, fence, begun, lasted, count, span, worker, *told = array
    started_ms = fence // 1000 + begun
    return DeliveryRecord(
        outcome=_OUTCOMES[letter],
        worker=worker,
        fence=fence,
        started_at=_at(started_ms),
        ended_at=_at(started_ms + lasted),
        count=count,
        first_started_at=_at(started_ms - span),
        error_class=(told[0] or None) if told else None,
        error=told[1] if told else None,
    )


def _read_fields(fields: Mapping[str, str], outcome: DeliveryOutcome, started_at: datetime) -> DeliveryRecord:
    finished_ms = fields.get("finished_at_ms")
    is_failed = outcome is DeliveryOutcome.FAILED
    return DeliveryRecord(
        outcome=outcome,
        worker=fields.get("worker", ""),
        fence=int(fields["fence"]),
        started_at=started_at,
        ended_at=_at(float(finished_ms)) if finished_ms and outcome is not DeliveryOutcome.RUNNING else None,
        first_started_at=started_at,
        error_class=(fields.get("error_class") or None) if is_failed else None,
        error=fields.get("last_error") if is_failed else None,
    )


def _at(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
