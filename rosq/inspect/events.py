"""The event stream as it grows, with a count of what was lost on the way."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq.connection.reading import read_at_once
from rosq.inspect.job.timeline import MAX_EVENTS, EventView, iterate_back, read_entry
from rosq.inspect.view import View, at, server_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.store.keys import Keys

_PAGE = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """All that is given must hold; an empty list means any."""

    events: Sequence[str] = ()
    job_ids: Sequence[str] = ()
    workers: Sequence[str] = ()

    def matches(self, event: EventView) -> bool:
        """Whether an event is meant."""
        return (
            (not self.events or event.event in self.events)
            and (not self.job_ids or event.job_id in self.job_ids)
            and (not self.workers or event.facts.get("worker") in self.workers)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventsView(View):
    """What `rosq inspect events` shows, oldest first."""

    events: list[EventView]
    #: Events, of any kind, that were looked through, and how many are kept.
    looked_at: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """What came since the last look."""

    events: list[EventView]
    #: Events that were trimmed away before they could be read; None: some were, and this server can't say how many.
    dropped: int | None


def list_events(client: Any, keys: Keys, wanted: EventFilter, *, limit: int) -> EventsView:
    """Return the newest events that are meant."""
    now_s = server_now(client)
    count = int(client.xlen(keys.events))
    found: list[EventView] = []
    looked_at = 0
    for event in iterate_back(client, keys, MAX_EVENTS if wanted != EventFilter() else limit):
        looked_at += 1
        if wanted.matches(event):
            found.append(event)
            if len(found) >= limit:
                break
    found.reverse()
    return EventsView(
        view="events", queue=keys.queue, seen_at=at(now_s), events=found, looked_at=looked_at, count=count
    )


class Tail:
    """Follows the stream from now on, or from an event on."""

    def __init__(self, keys: Keys, after: str) -> None:
        self._keys = keys
        #: The stream's key.
        self.key = keys.events
        self._last = after
        #: How many events the stream had ever had when this one had seen them all; None on servers before 7.0.
        self._added: int | None = None
        self._received = 0

    @staticmethod
    def last_id(client: Any, keys: Keys) -> str:
        """The id of the newest event; the one before all others where there is none."""
        newest = client.xrevrange(keys.events, count=1)
        return str(newest[0][0]) if newest else "0-0"

    def catch(self, client: Any, block_ms: int) -> Caught:
        """Wait for events, and return them: none where none came in time."""
        client.xread({self._keys.events: self._last}, count=1, block=block_ms)

        def ask(pipe: Any) -> None:
            pipe.xrange(self._keys.events, f"({self._last}", "+", count=_PAGE)
            pipe.xinfo_stream(self._keys.events)

        entries, info = read_at_once(client, ask, is_raising=False)
        if isinstance(info, Exception):
            # The stream is gone, with all data or before the first event.
            self._added, self._received, self._last = None, 0, "0-0"
            return Caught(events=[], dropped=0)
        if isinstance(entries, Exception):
            raise entries
        dropped = self._count_dropped(entries, info)
        if entries:
            self._last = entries[-1][0]
        return Caught(events=[event for entry in entries for event in read_entry(*entry)], dropped=dropped)

    def _count_dropped(self, entries: list[Any], info: dict[str, Any]) -> int | None:
        self._received += len(entries)
        added = info.get("entries-added")
        if added is None:
            first = info.get("first-entry")
            is_gap = bool(entries) and self._last != "0-0" and first is not None and first[0] == entries[0][0]
            # The event that was seen last is gone itself: what came right after it may be gone too.
            return None if is_gap else 0
        if len(entries) >= _PAGE:
            # Not at the end yet: counted when it is reached.
            return 0
        dropped = 0
        if self._added is not None and added >= self._added:
            dropped = added - self._added - self._received
        self._added, self._received = added, 0
        return max(dropped, 0)
