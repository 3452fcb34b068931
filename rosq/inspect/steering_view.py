"""What a steering command prints with `--json`."""

from __future__ import annotations

import dataclasses
from typing import Any

from rosq.inspect.view import JSON_VERSION, to_plain


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A job that was left alone."""

    job_id: str
    #: moved_on, unknown, or data_lost.
    fate: str
    #: The state in which it was found, where that was another; '' else.
    state: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SteeringView:
    """What a steering command did, or would do."""

    queue: str
    #: pause, resume, retry, promote, move, cancel, remove, forget or drain.
    verb: str
    #: False where nothing was done: a dry run, or it was so already.
    is_done: bool
    is_dry_run: bool
    #: Who steers, and why; written into the events.
    by: str
    reason: str
    #: The same as for people.
    text: str
    #: Jobs that were to be changed; null where the verb isn't about jobs.
    planned: int | None = None
    #: Jobs that were changed.
    done: int | None = None
    #: Ids of the planned ones, the first thousand; null for pause, resume, drain and forget.
    jobs: list[str] | None = None
    #: Of `cancel`, ids of the jobs that run: their handlers are asked to stop.
    asked: list[str] | None = None
    skipped: list[Skipped] | None = None
    #: Whether there may be more that the filter means.
    is_cut: bool | None = None
    view: str = "steering"
    version: int = JSON_VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return to_plain(self)  # type: ignore[no-any-return]
