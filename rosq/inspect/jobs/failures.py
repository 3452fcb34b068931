"""Errors of failed and retrying jobs, grouped by kind."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from rosq.connection.reading import read_hashes
from rosq.inspect.jobs.listing import iterate_found
from rosq.inspect.jobs.sources import list_sources
from rosq.inspect.view import View, at, server_now
from rosq.job import JobState
from rosq.names import MAIN_LANE
from rosq.store.fields import read_ms, to_datetime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rosq.inspect.jobs.sources import Found
    from rosq.store.keys import Keys

_CLASS = re.compile(r"([A-Za-z_][\w.]*): ")
_CHANGING = re.compile(r"\d+(?:[.:-]\d+)*|\b[0-9a-f]{8,}\b|'[^']*'|\"[^\"]*\"")


class _Failure(NamedTuple):
    """What an error's group is made of: as little as it takes, since thousands are read."""

    job_id: str
    state: JobState
    lane: str
    error: str
    error_class: str
    finished_ms: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Jobs whose last error is of one kind."""

    #: The exception's class and, with `--by text`, its text without numbers and quoted parts.
    kind: str
    failed: int
    #: Delayed jobs that failed this way and will be tried again.
    retrying: int
    #: When the first and the last of the failed ones failed, of those looked at.
    first_at: datetime | None
    last_at: datetime | None
    #: The job that failed last, and its error in full.
    sample_job_id: str
    sample_error: str
    lanes: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsView(View):
    """What `rosq inspect errors` shows; the most frequent kind first."""

    groups: list[ErrorGroup]
    #: Jobs that were looked at, and how many failed or delayed ones there are.
    looked_at: int
    count: int
    is_cut: bool


def group_errors(client: Any, keys: Keys, *, since_s: float | None, by_text: bool, scan: int) -> ErrorsView:
    """Group the errors of failed jobs, newest first, and of delayed jobs that will be tried again.

    Args:
        since_s: Only what failed in the last so many seconds; delayed jobs are counted always.
        by_text: Tell errors of one class apart by what they say.
        scan: Jobs that are looked at, at most, of each of the two states.
    """
    now_s = server_now(client)
    groups: dict[str, list[_Failure]] = {}
    looked_at, count, is_cut = 0, 0, False
    for state in (JobState.FAILED, JobState.DELAYED):
        sources = list_sources(client, keys, [state], ())
        count += sum(source.count() for source in sources)
        seen = 0
        for batch in iterate_found(sources):
            batch = batch[: scan - seen]
            seen += len(batch)
            rows = _read(client, keys, batch)
            oldest_ms = (now_s - since_s) * 1000 if state is JobState.FAILED and since_s is not None else 0.0
            for row in rows:
                if row.error and (row.finished_ms >= oldest_ms or state is not JobState.FAILED):
                    groups.setdefault(classify(row.error, row.error_class, by_text=by_text), []).append(row)
            if any(row.finished_ms < oldest_ms for row in rows):
                # Newest first: all others are older still.
                break
            if seen >= scan:
                is_cut = True
                break
        looked_at += seen
    listed = sorted((_group(kind, rows) for kind, rows in groups.items()), key=_order)
    return ErrorsView(
        view="errors",
        queue=keys.queue,
        seen_at=at(now_s),
        groups=listed,
        looked_at=looked_at,
        count=count,
        is_cut=is_cut,
    )


def classify(error: str, error_class: str = "", *, by_text: bool) -> str:
    """Name the kind of an error: its class, or what it says where it has none, or where that is asked for.

    Args:
        error_class: As the job has it; '' where it has none. An older rosq's error begins with it.
    """
    if not by_text:
        if error_class:
            return error_class
        match = _CLASS.match(error)
        if match:
            return match.group(1)
    text = _CHANGING.sub("…", error)
    return text if len(text) <= 200 else text[:199] + "…"


def _read(client: Any, keys: Keys, found: Sequence[Found]) -> list[_Failure]:
    pipe = client.pipeline(transaction=False)
    for each in found:
        pipe.hmget(keys.job(each.job_id), "state", "last_error", "error_class", "lane", "finished_at_ms")
    return [
        _Failure(each.job_id, each.state, lane or MAIN_LANE, error or "", error_class or "", read_ms(finished) or 0.0)
        for each, values in zip(found, read_hashes(pipe), strict=True)
        for state, error, error_class, lane, finished in [values or [None] * 5]
        if state == each.state.value
    ]


def _group(kind: str, rows: list[_Failure]) -> ErrorGroup:
    failed = [row for row in rows if row.state is JobState.FAILED]
    times = [row.finished_ms for row in failed]
    # Failed ones come first, and the newest of them is the first.
    sample = rows[0]
    return ErrorGroup(
        kind=kind,
        failed=len(failed),
        retrying=len(rows) - len(failed),
        first_at=to_datetime(min(times)) if times else None,
        last_at=to_datetime(max(times)) if times else None,
        sample_job_id=sample.job_id,
        sample_error=sample.error,
        lanes=sorted({row.lane for row in rows}),
    )


def _order(group: ErrorGroup) -> tuple[int, str]:
    return (-(group.failed + group.retrying), group.kind)
