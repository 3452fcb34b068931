"""Workers that have given no sign of life for long are forgotten: their names, and their consumers in each lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import errors
from rosq.delays import to_ms
from rosq.maintenance.service import Swept, always
from rosq.names import RECOVERY_CONSUMER
from rosq.scripts import loader
from rosq.store.keys import GROUP, Keys
from rosq.store.lanes import iterate_lanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.connection.wire import ScriptCall, Wire
    from rosq.settings import WorkerSettings
    from rosq.store.standing import StandingSettings

#: Names that one round trip forgets.
_BATCH = 100
#: How often in the time that a worker may be silent it is looked at.
_LOOKS = 10


class SilentWorkers:
    """Forgets them once nothing is pending with them: XGROUP DELCONSUMER would lose a pending job for ever."""

    name = "workers"
    steady_s = 0.0

    def __init__(self, *, keys: Keys, wire: Wire, standing: StandingSettings, settings: WorkerSettings) -> None:
        self._keys = keys
        self._wire = wire
        self._standing = standing
        self._beat_s = settings.beat_s

    @property
    def period_s(self) -> float:
        """Some part of the time that a worker may be silent."""
        return max(self._standing.current.forget_worker_s / _LOOKS, self._beat_s)

    @property
    def _silent_ms(self) -> int:
        return to_ms(self._standing.current.forget_worker_s)

    def run_once(self, go_on: Callable[[], bool] = always) -> Swept:
        """Make one pass; see `Service`."""
        gone: set[str] = set()
        busy: set[str] = set()
        for lanes in iterate_lanes(self._wire, self._keys):
            if not go_on():
                return Swept(forgotten_workers=len(gone))
            self._forget_consumers(lanes, gone, busy)
        # Those that left in order are on this list no more; their consumers were there all the same.
        before_ms, skipped = self._wire.server_ms() - self._silent_ms, 0
        while go_on():
            within = ("-inf", before_ms, "LIMIT", skipped, _BATCH)
            page = self._wire.call("ZRANGEBYSCORE", self._keys.workers, *within)
            names = [name for name in page if name not in busy]
            calls = [([self._keys.worker(name), self._keys.workers], [name, before_ms]) for name in names]
            answers = self._wire.run_many(loader.load("forget_worker"), calls)
            forgotten = [name for name, answer in zip(names, answers, strict=True) if answer == 1]
            gone.update(forgotten)
            skipped += len(page) - len(forgotten)
            if len(page) < _BATCH:
                break
        return Swept(forgotten_workers=len(gone))

    def _forget_consumers(self, lanes: Sequence[str], gone: set[str], busy: set[str]) -> None:
        """Remove those of these lanes; note who is gone from one, and who has a job in hand."""
        answers = self._wire.try_many([("XINFO", "CONSUMERS", self._keys.lane(lane), GROUP) for lane in lanes])
        calls: list[ScriptCall] = []
        for lane, answer in zip(lanes, answers, strict=True):
            # A lane may have no group yet; of one that can't be read, recovery tells.
            for found in [] if isinstance(answer, errors.ScriptFailed) else answer:
                consumer = dict(zip(found[::2], found[1::2], strict=True))
                if consumer["name"] == RECOVERY_CONSUMER:
                    continue
                if consumer["pending"]:
                    busy.add(consumer["name"])
                elif consumer["idle"] >= self._silent_ms:
                    name = consumer["name"]
                    calls.append(([self._keys.worker(name), self._keys.lane(lane)], [name]))
        for start in range(0, len(calls), _BATCH):
            page = calls[start : start + _BATCH]
            answers = self._wire.run_many(loader.load("forget_consumer"), page)
            gone.update(str(args[0]) for (_, args), answer in zip(page, answers, strict=True) if answer == 1)
