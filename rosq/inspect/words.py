"""How values are said to people: durations, times, counts."""

from __future__ import annotations

import contextvars
import zoneinfo
from datetime import UTC, datetime, tzinfo

from rosq import errors

#: In which zone times are said. JSON has UTC, whatever this is.
_zone: contextvars.ContextVar[tzinfo] = contextvars.ContextVar("rosq.zone", default=UTC)


def use_zone(zone: tzinfo) -> None:
    """Say times in this zone from now on, in this context."""
    _zone.set(zone)


def parse_zone(text: str) -> tzinfo:
    """Read `Europe/Moscow`, `UTC`, or `local` for this machine's.

    Raises:
        InvalidSettings: There is none of that name.
    """
    if text.lower() == "local":
        here = datetime.now().astimezone().tzinfo
        assert here is not None
        return here
    try:
        return UTC if text.upper() == "UTC" else zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise errors.InvalidSettings(f"{text!r} is no time zone: say Europe/Moscow, UTC or local.") from error


def zone_name(when: datetime | None = None) -> str:
    """The short name of the zone, as it is at a time or now: `UTC`, `MSK`."""
    return (when or datetime.now(UTC)).astimezone(_zone.get()).tzname() or "?"


def in_zone(when: datetime) -> datetime:
    """The same time, to be formatted."""
    return when.astimezone(_zone.get())


def moment(when: datetime | None) -> str:
    """Say a time to the second, without its zone; a dash for none."""
    return "–" if when is None else f"{in_zone(when):%Y-%m-%d %H:%M:%S}"


def stamp(when: datetime | None) -> str:
    """Say a time to the second, with its zone: `2026-11-26 13:50:00 UTC`; a dash for none."""
    return "–" if when is None else f"{moment(when)} {zone_name(when)}"


def duration(seconds: float | None) -> str:
    """Say a length of time in at most two units: `3 d 4 h`, `5 min 2 s`, `1.2 s`; a dash for none. None is below 0."""
    if seconds is None or seconds < 0:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def due(due_in_s: float | None) -> str:
    """Say when something is due: `in 5 s`, `overdue by 5 s`; a dash for none."""
    if due_in_s is None:
        return "–"
    return f"in {duration(due_in_s)}" if due_in_s >= 0 else f"overdue by {duration(-due_in_s)}"


def lease(left_s: float | None) -> str:
    """Say how long a lease stands: `5 s`, `over for 5 s`; a dash for none."""
    if left_s is None:
        return "–"
    return duration(left_s) if left_s >= 0 else f"over for {duration(-left_s)}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say how many there are: `1 job`, `2 jobs`; `1 job waits`, `2 jobs wait`.

    Args:
        many: Of several; None: the same with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shown(shown: int, count: int) -> str:
    """Say how much of a list is there: `5`, or `5 of 12 shown`."""
    return f"{count:,}" if shown >= count else f"{shown:,} of {count:,} shown"
