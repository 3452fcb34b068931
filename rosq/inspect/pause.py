"""Whether a queue is paused: fields of its meta hash, so that the fetch sees it for one field more."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq.inspect.words import stamp
from rosq.store.fields import to_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Who paused a queue, why, and since when. It hands out nothing new; running jobs finish."""

    by: str
    reason: str
    #: None where what stands there can't be read.
    since: datetime | None

    def __str__(self) -> str:
        return f"paused by {self.by} since {stamp(self.since)} ({self.reason})"


def read_pause(meta: Mapping[str, str]) -> Pause | None:
    """Read it from the meta hash; None where the queue runs."""
    if "paused_at_ms" not in meta:
        return None
    since = to_datetime(meta["paused_at_ms"])
    return Pause(by=meta.get("paused_by", "unknown"), reason=meta.get("paused_reason", ""), since=since)
