"""What all views have in common: a version, a queue, the time of the look, how much they look at unless they are asked
for more, and plain values for `--json`."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rosq.store.fields import LAST_MS, read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The version of what `--json` prints: it grows when a field changes or goes, not when one is added.
JSON_VERSION = 1

#: Jobs that one listing shows.
DEFAULT_LIMIT = 50
#: Jobs that it looks at to find them.
DEFAULT_SCAN = 10_000
#: Lines of a job's log that are shown.
DEFAULT_LOG_LINES = 20
#: Failed jobs, and delayed ones, that are looked at to group their errors.
ERRORS_SCAN = 5_000
#: Keys, entries and members of each kind that the doctor looks at.
DOCTOR_SCAN = 20_000
#: Lanes and workers that are looked at; the counts say when there are more.
MAX_LANES = 200
MAX_WORKERS = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at a queue. `docs/inspect.md` documents the fields of each."""

    queue: str
    #: By the server's clock.
    seen_at: datetime
    #: Which view this is, for a reader that gets several.
    view: str = ""
    version: int = JSON_VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain values: times as ISO 8601 in UTC, durations in seconds."""
        return to_plain(self)  # type: ignore[no-any-return]


def to_plain(value: Any) -> Any:
    """Turn dataclasses, times and enums into what JSON can say; durations are cut at the millisecond."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # `view` and `version` stand in the base, but a reader looks for them first.
        names = sorted((field.name for field in dataclasses.fields(value)), key=_place)
        return {name: to_plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


def _place(name: str) -> int:
    return {"version": -4, "view": -3, "queue": -2, "seen_at": -1}.get(name, 0)


def at(seconds: float) -> datetime:
    """A time of the server's clock, given in seconds. What is past any calendar is its end: an entry that something
    else added to a stream makes all ids behind it such."""
    return datetime.fromtimestamp(min(seconds, LAST_MS / 1000), UTC)


def count_of(meta: Mapping[str, str], name: str) -> int:
    """A counter of a queue; 0 where it was never counted, or can't be read."""
    return read_whole(meta.get(name)) or 0


def server_now(client: Any) -> float:
    """The server's time in seconds."""
    seconds, micros = client.time()
    return float(seconds) + float(micros) / 1_000_000
