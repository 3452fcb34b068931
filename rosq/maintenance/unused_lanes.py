"""Lanes that nobody has used for long are removed: a tenant that is gone leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import errors
from rosq.delays import to_ms
from rosq.maintenance.service import Swept, always
from rosq.scripts import loader
from rosq.store.lanes import iterate_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rosq.connection.wire import ScriptCall, Wire
    from rosq.settings import WorkerSettings
    from rosq.store.keys import Keys
    from rosq.store.standing import StandingSettings

#: Lanes that one script looks at, and members of `delayed` that one round trip does.
_BATCH = 50
_DELAYED = 500
#: How often in the time that a lane may lie unused it is looked at.
_LOOKS = 24


class UnusedLanes:
    """Removes lanes that are empty, into which no job was put for `keep_empty_lanes_s`, and which nobody read for as
    long.

    Whoever needs such a lane again makes it anew, in the very script that misses it: a job that is put there meanwhile
    is safe. One that a delayed job is going to stays on the list, so that its name is known to whoever looks for it.
    """

    name = "lanes"
    steady_s = 0.0

    def __init__(self, *, keys: Keys, wire: Wire, standing: StandingSettings, settings: WorkerSettings) -> None:
        self._keys = keys
        self._wire = wire
        self._standing = standing
        self._beat_s = settings.beat_s

    @property
    def period_s(self) -> float:
        """Some part of the time that a lane may lie unused."""
        return max(self._standing.current.keep_empty_lanes_s / _LOOKS, self._beat_s)

    @property
    def _unused_ms(self) -> int:
        return to_ms(self._standing.current.keep_empty_lanes_s)

    def run_once(self, go_on: Callable[[], bool] = always) -> Swept:
        """Make one pass; see `Service`."""
        unused: set[str] = set()
        for lanes in iterate_lanes(self._wire, self._keys):
            if not go_on():
                return Swept()
            unused.update(self._find_unused(lanes))
        if unused:
            for job_ids in self._iterate_delayed():
                if not go_on():
                    return Swept()
                unused.difference_update(
                    self._wire.try_many([("HGET", self._keys.job(job_id), "lane") for job_id in job_ids])
                )
        removed, names = 0, sorted(unused)
        for start in range(0, len(names), _BATCH):
            if not go_on():
                break
            removed += self._remove(names[start : start + _BATCH])
        return Swept(forgotten_lanes=removed)

    def _find_unused(self, lanes: Sequence[str]) -> Iterator[str]:
        pages = [lanes[start : start + _BATCH] for start in range(0, len(lanes), _BATCH)]
        step = loader.load("find_unused_lanes")
        answers = self._wire.run_many(step, [([*map(self._keys.lane, page)], [self._unused_ms]) for page in pages])
        for page, answer in zip(pages, answers, strict=True):
            if isinstance(answer, errors.ScriptFailed):
                raise answer
            yield from (page[number - 1] for number in answer)

    def _iterate_delayed(self) -> Iterator[list[str]]:
        cursor = "0"
        while True:
            cursor, found = self._wire.call("ZSCAN", self._keys.delayed, cursor, "COUNT", _DELAYED)
            yield found[::2]
            if cursor == "0":
                return

    def _remove(self, names: Sequence[str]) -> int:
        keys = self._keys
        calls: list[ScriptCall] = [
            ([keys.lanes, keys.lane(name), keys.lane_bell(name)], [name, self._unused_ms]) for name in names
        ]
        answers = self._wire.run_many(loader.load("forget_lane"), calls)
        return sum(answer for answer in answers if not isinstance(answer, errors.ScriptFailed))
