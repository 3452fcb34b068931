"""Where the jobs of each state are found, page by page, in an order that stays.

Active and waiting jobs lie in the lanes' streams, delayed and finished ones in sorted sets. A place in them is the last
member that was seen, so what comes or goes in between moves nothing that is still ahead.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.translating import is_missing
from rosq.job import JobState
from rosq.store.keys import GROUP
from rosq.store.liveness import is_after, last_delivered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rosq.store.keys import Keys

#: Members that one command reads: entries may carry data, so not too many.
_PAGE = 200
#: The states in the order in which they are listed.
LISTED = (
    JobState.ACTIVE,
    JobState.WAITING,
    JobState.DELAYED,
    JobState.FAILED,
    JobState.COMPLETED,
    JobState.CANCELLED,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A job where it was found."""

    job_id: str
    state: JobState
    #: Its place, to go on after it: the source's number, and the member there.
    source: int
    member: str
    entry_id: str | None = None
    due_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stream or a sorted set with jobs of one state."""

    name: str
    state: JobState
    #: How many there are now, about: of waiting jobs, entries without a job are counted too.
    count: Callable[[], int]
    #: All after a member (all, where it is ''), page by page.
    pages: Callable[[str], Iterator[list[tuple[str, str, float | None]]]]


def list_sources(client: Any, keys: Keys, states: Sequence[JobState], lanes: Sequence[str]) -> list[Source]:
    """Name where the jobs of these states lie, in the order in which they are listed."""
    sources: list[Source] = []
    names: list[str] = sorted(client.smembers(keys.lanes))
    for state in LISTED:
        if state not in states:
            continue
        if state in (JobState.ACTIVE, JobState.WAITING):
            make = _make_active if state is JobState.ACTIVE else _make_waiting
            sources += [make(client, keys, lane) for lane in names if not lanes or lane in lanes]
        else:
            sources.append(_make_sorted(client, keys, state))
    return sources


def _make_active(client: Any, keys: Keys, lane: str) -> Source:
    stream = keys.lane(lane)

    def count() -> int:
        groups = _ask_lane(lambda: client.xinfo_groups(stream), [])
        return next((int(group["pending"]) for group in groups if group["name"] == GROUP), 0)

    def pages(after: str) -> Iterator[list[tuple[str, str, float | None]]]:
        start = f"({after}" if after else "-"
        while True:
            begin = start
            pending = _ask_lane(lambda: client.xpending_range(stream, GROUP, begin, "+", _PAGE), [])  # noqa: B023
            pipe = client.pipeline(transaction=False)
            for entry in pending:
                pipe.xrange(stream, entry["message_id"], entry["message_id"])
            yield [(entries[0][0], entries[0][1].get("job_id", ""), None) for entries in pipe.execute() if entries]
            if len(pending) < _PAGE:
                return
            start = f"({pending[-1]['message_id']}"

    return Source(name=f"active:{lane}", state=JobState.ACTIVE, count=count, pages=pages)


def _make_waiting(client: Any, keys: Keys, lane: str) -> Source:
    stream = keys.lane(lane)

    def groups() -> Any:
        return _ask_lane(lambda: client.xinfo_groups(stream), [])

    def count() -> int:
        pending = next((int(group["pending"]) for group in groups() if group["name"] == GROUP), 0)
        return max(int(client.xlen(stream)) - pending, 0)

    def pages(after: str) -> Iterator[list[tuple[str, str, float | None]]]:
        last = last_delivered(groups())
        # What was handed out since the last page isn't waiting any more.
        after = last if last and (not after or is_after(last, after)) else after
        while True:
            entries = client.xrange(stream, f"({after}" if after else "-", "+", count=_PAGE)
            yield [(entry_id, fields.get("job_id", ""), None) for entry_id, fields in entries]
            if len(entries) < _PAGE:
                return
            after = entries[-1][0]

    return Source(name=f"waiting:{lane}", state=JobState.WAITING, count=count, pages=pages)


def _make_sorted(client: Any, keys: Keys, state: JobState) -> Source:
    key = keys.members(state)
    # Delayed: what is due first comes first. Finished: what finished last comes first.
    is_newest_first = state is not JobState.DELAYED

    def read(first: int, last: int) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = client.zrange(key, first, last, desc=is_newest_first, withscores=True)
        return found

    def pages(after: str) -> Iterator[list[tuple[str, str, float | None]]]:
        while True:
            rank = _rank_after(after, read, int(client.zcard(key)), is_newest_first) if after else 0
            members = read(rank, rank + _PAGE - 1)
            is_due = state is JobState.DELAYED
            yield [(f"{score!r}:{job_id}", job_id, score if is_due else None) for job_id, score in members]
            if len(members) < _PAGE:
                return
            after = f"{members[-1][1]!r}:{members[-1][0]}"

    return Source(name=state.value, state=state, count=lambda: int(client.zcard(key)), pages=pages)


def _rank_after(after: str, read: Callable[[int, int], list[tuple[str, float]]], size: int, is_desc: bool) -> int:
    """Find the first rank past a member that may be gone by now, by halving: sets order by score, then by bytes."""
    score_text, _, member = after.partition(":")
    mark = (float(score_text), _bytes_of(member))
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        seen = read(middle, middle)
        if not seen:
            high = middle
            continue
        place = (seen[0][1], _bytes_of(seen[0][0]))
        is_past = place < mark if is_desc else place > mark
        low, high = (low, middle) if is_past else (middle + 1, high)
    return low


def _bytes_of(member: str) -> bytes:
    """A member as the server has it, be it UTF-8 or not."""
    return member.encode(errors="surrogateescape")


def _ask_lane(ask: Callable[[], Any], otherwise: Any) -> Any:
    """A lane may have no key, and one that nobody read yet no group."""
    try:
        return ask()
    except redis_errors.ResponseError as error:
        if is_missing(error):
            return otherwise
        raise
