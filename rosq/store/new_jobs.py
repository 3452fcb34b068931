"""New jobs on their way to Redis: checked and packed first, then put together as calls of `enqueue.lua`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from rosq.delays import check_delay, to_ms
from rosq.errors import InvalidData
from rosq.names import check_names
from rosq.store import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rosq.job import NewJob
    from rosq.store.keys import Keys

#: Jobs that one call puts on the queue: it blocks the server for half a millisecond or so.
_BATCH = 128
_FENCE_LIMIT = 2**53


class NewJobs:
    """New jobs, each of which can be stored. What is needed of them is kept, the `NewJob`s aren't.

    So jobs that are made one by one, by a generator, are thrown away one by one: thousands of them at a time would make
    Python look through all of its memory for what can be given back, which takes longer than the rest of the call.

    Args:
        max_data_bytes: Data that are longer are refused.

    Raises:
        InvalidName: An id, lane or name breaks the rule.
        InvalidData: Data aren't JSON or too long, or an option isn't what it should be.
    """

    def __init__(self, jobs: Iterable[NewJob], max_data_bytes: int) -> None:
        self.ids: list[str] = []
        #: What each carries, as `rosq.store.codec` packs it.
        self.texts: list[str] = []
        self._lanes: list[str] = []
        #: When they are due, and their fence floors, by their place; of those that have one.
        self._extras: dict[int, tuple[int | str, int]] = {}
        for job in jobs:
            if job.delay_s or job.fence_floor or job.due_at is not None:
                self._extras[len(self.ids)] = _read_extras(job)
            self.texts.append(codec.pack(job))
            self.ids.append(job.job_id)
            self._lanes.append(job.lane)
        check_names("job", self.ids)
        check_names("lane", self._lanes)
        codec.check_sizes(self.ids, self.texts, max_data_bytes)
        #: Places of the jobs that are sent: each id once.
        self._sent: Sequence[int] = range(len(self.ids))
        #: Of each other one the place of the first of its id, which it is compared with.
        self.repeats: dict[int, int] = {}
        if len(set(self.ids)) < len(self.ids):
            self._set_repeats_aside()

    def get_extras(self, at: int) -> tuple[int | str, int]:
        """When the job at that place is due, as the scripts read it (a delay in ms, or `@` and the time in ms), and its
        fence floor."""
        return self._extras.get(at, (0, 0))

    def are_same(self, at: int, other: int) -> bool:
        """Whether the jobs at two places have the same content: name and data."""
        return codec.split(self.texts[at]) == codec.split(self.texts[other])

    def list_calls(self, keys: Keys, sent: int) -> Iterator[tuple[Sequence[int], list[str], list[str | int]]]:
        """Put the jobs together as calls of `enqueue.lua`, each made when it is asked for.

        Args:
            sent: So many were put on the queue before.

        Returns:
            Of each call the places of its jobs, its keys and its arguments.
        """
        for start in range(sent, len(self._sent), _BATCH):
            places = self._sent[start : start + _BATCH]
            yield places, *self._make_call(keys, places)

    def _set_repeats_aside(self) -> None:
        first: dict[str, int] = {}
        for at, job_id in enumerate(self.ids):
            if first.setdefault(job_id, at) != at:
                self.repeats[at] = first[job_id]
        self._sent = list(first.values())

    def _make_call(self, keys: Keys, places: Sequence[int]) -> tuple[list[str], list[str | int]]:
        if isinstance(places, range):
            chosen = slice(places.start, places.stop)
            ids, texts, lanes_of = self.ids[chosen], self.texts[chosen], self._lanes[chosen]
        else:
            ids, texts, lanes_of = ([each[at] for at in places] for each in (self.ids, self.texts, self._lanes))
        lanes = list(dict.fromkeys(lanes_of))
        prefix = keys.job_prefix
        script_keys = [keys.events, keys.meta, keys.delayed, keys.timer_bell, keys.lanes]
        for lane in lanes:
            script_keys += (keys.lane(lane), keys.lane_bell(lane))
        script_keys += [prefix + job_id for job_id in ids]
        args: list[str | int] = [len(lanes), *lanes, *texts]
        if self._extras or len(lanes) > 1:
            for number, (at, lane) in enumerate(zip(places, lanes_of, strict=True), start=1):
                when, floor = self.get_extras(at)
                if when or floor or lane != lanes[0]:
                    args += (number, lanes.index(lane) + 1, when, floor)
        return script_keys, args


def _read_extras(job: NewJob) -> tuple[int | str, int]:
    if job.fence_floor and not 0 <= job.fence_floor < _FENCE_LIMIT:
        raise InvalidData(f"Job {job.job_id}: fence_floor is {job.fence_floor}; give 0 to 2^53 - 1.")
    if job.due_at is not None and (job.delay_s or job.due_at.utcoffset() is None):
        raise InvalidData(f"Job {job.job_id}: give due_at with a time zone, and no delay_s beside it.")
    try:
        if job.due_at is not None:
            due_s = job.due_at.timestamp()
            # By this machine's clock: it may be wrong by hours, but not by years.
            check_delay("due_at, from now on,", max(due_s - time.time(), 0.0))
            return f"@{math.ceil(due_s * 1000)}", job.fence_floor
        return to_ms(check_delay("delay_s", job.delay_s)), job.fence_floor
    except ValueError as error:
        raise InvalidData(f"Job {job.job_id}: {error}") from None
