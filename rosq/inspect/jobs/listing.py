"""The list of jobs: filters, a bound on what is looked at, and a cursor to go on from."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from rosq import errors
from rosq.inspect.jobs.rows import JobRow, read_rows
from rosq.inspect.jobs.sources import LISTED, Found, Source, list_sources
from rosq.inspect.view import View, at, server_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rosq.inspect.jobs.filters import JobFilter
    from rosq.store.keys import Keys

#: Jobs that `find_ids` looks at beyond twice those that there were.
_SLACK = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobsView(View):
    """What `rosq inspect jobs` and `delayed` show."""

    jobs: list[JobRow]
    #: How many jobs are in the states and lanes that were asked for, whatever the other filters say.
    count: int
    #: How many were looked at to find those shown.
    looked_at: int
    #: Where to go on; None: there is nothing more.
    cursor: str | None
    #: Whether looking stopped at its bound before the list was full.
    is_cut: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundIds:
    """The jobs that are meant."""

    job_ids: list[str]
    #: How many there were in the states and lanes that were asked for, whatever else was.
    count: int
    looked_at: int
    #: Whether there are more that weren't looked at.
    is_cut: bool


def list_jobs(
    client: Any,
    keys: Keys,
    wanted: JobFilter,
    *,
    limit: int,
    scan: int,
    cursor: str | None,
    view: str = "jobs",
    on_progress: Callable[[int], None] = lambda _: None,
) -> JobsView:
    """List jobs.

    Args:
        limit: Jobs that are returned at most.
        scan: Jobs that are looked at, at most.
        cursor: Of the list before; None begins at the beginning.
        on_progress: Told how many were looked at so far.

    Raises:
        InvalidSettings: The cursor is none of ours.
    """
    now = at(server_now(client))
    states = wanted.states or LISTED
    sources = list_sources(client, keys, states, wanted.lanes)
    rows: list[JobRow] = []
    looked_at, last, is_cut, is_end = 0, None, False, True
    for batch in iterate_found(sources, cursor):
        batch = batch[: scan - looked_at]
        # What its id rules out isn't read at all.
        likely = [each for each in batch if wanted.may_match(each.job_id)]
        matching = [row for row in read_rows(client, keys, likely, now) if wanted.matches(row)]
        place = {each.job_id: index for index, each in enumerate(batch)}
        room = limit - len(rows)
        if len(matching) > room:
            # The rest of the batch was looked at in vain: the next list begins behind the last one shown.
            matching = matching[:room]
            index = place[matching[-1].job_id] if matching else -1
            looked_at += index + 1
            last, is_end = batch[index] if index >= 0 else last, False
            rows += matching
            break
        rows += matching
        looked_at += len(batch)
        last = batch[-1] if batch else last
        on_progress(looked_at)
        if looked_at >= scan:
            is_cut, is_end = True, False
            break
    return JobsView(
        view=view,
        queue=keys.queue,
        seen_at=now,
        jobs=rows,
        count=sum(source.count() for source in sources),
        looked_at=looked_at,
        cursor=None if is_end or last is None else _write_cursor(sources[last.source].name, last.member),
        is_cut=is_cut,
    )


def find_ids(
    client: Any, keys: Keys, wanted: JobFilter, *, limit: int | None, on_progress: Callable[[int], None]
) -> FoundIds:
    """Find every job that is meant, to be changed; their ids are all that is kept of them.

    Args:
        limit: So many at most; None: all.
        on_progress: Told how many were looked at so far.
    """
    now = at(server_now(client))
    sources = list_sources(client, keys, wanted.states or LISTED, wanted.lanes)
    count = sum(source.count() for source in sources)
    # New ones may come while these are looked at. Where they come faster than that, it comes to an end all the same.
    most = 2 * count + _SLACK
    ids: dict[str, None] = {}
    looked_at, is_cut = 0, False
    for batch in iterate_found(sources):
        likely = [each for each in batch if wanted.may_match(each.job_id)]
        if wanted.is_narrow:
            ids.update((row.job_id, None) for row in read_rows(client, keys, likely, now) if wanted.matches(row))
        else:
            ids.update((each.job_id, None) for each in likely)
        looked_at += len(batch)
        on_progress(looked_at)
        is_cut = looked_at > most
        if is_cut or (limit is not None and len(ids) >= limit):
            break
    return FoundIds(job_ids=list(ids)[:limit], count=count, looked_at=looked_at, is_cut=is_cut)


def iterate_found(sources: list[Source], cursor: str | None = None) -> Iterator[list[Found]]:
    """Go through the sources from where a cursor points, page by page.

    Raises:
        InvalidSettings: The cursor is none of ours.
    """
    name, after = _read_cursor(cursor) if cursor else ("", "")
    # Sources come in one order always; one that is gone by now (a lane) is passed over with those before it.
    numbers = [number for number, source in enumerate(sources) if source.name == name]
    if name and not numbers:
        raise errors.InvalidSettings("The cursor doesn't fit these states and lanes: give the same ones as before.")
    first = numbers[0] if numbers else 0
    for number, source in enumerate(sources):
        if number < first:
            continue
        for page in source.pages(after if number == first else ""):
            is_entry = ":" in source.name
            yield [
                Found(
                    job_id=job_id,
                    state=source.state,
                    source=number,
                    member=member,
                    entry_id=member if is_entry else None,
                    due_ms=due_ms,
                )
                for member, job_id, due_ms in page
            ]


def _write_cursor(name: str, member: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([name, member]).encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[str, str]:
    try:
        name, member = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return str(name), str(member)
    except (ValueError, binascii.Error) as error:
        raise errors.InvalidSettings(f"{text!r} is no cursor of `rosq inspect jobs`.") from error
