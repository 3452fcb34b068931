"""The commands of a worker's read loop: which script, with which keys and arguments (`scripts/shared/worker_args.lua`).

Nothing is sent from here, and nothing remembered but what most commands of a worker begin with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rosq.connection.packing import Stem
from rosq.delays import to_ms
from rosq.execution.settlement import ERROR_MAX_LENGTH, Outcome
from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.execution.settlement import Settlement
    from rosq.settings import QueueSettings, WorkerSettings
    from rosq.store.keys import Keys


#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_COMPLETED = Outcome.COMPLETE


class Command(NamedTuple):
    """A script's call."""

    step: loader.Script
    keys: list[str]
    args: list[str | int]
    #: The EVALSHA of these three.
    packed: bytes
    #: How many keys stand before those of the lanes.
    first: int


class _Frame(NamedTuple):
    """What calls of one script with the same lanes have in common."""

    step: loader.Script
    #: All but that of the settled job.
    keys: list[str]
    first: int
    stem: Stem


def load_step(name: str, kept: QueueSettings, settings: WorkerSettings) -> loader.Script:
    """Return a script of the read loop, with a worker's settings as its constants."""
    return loader.load(
        name,
        LEASE_MS=settings.lease_ms,
        MAX_EVENTS=kept.max_events,
        MAX_CRASHES=kept.max_crashes,
        KEEP_COMPLETED=kept.keep_completed,
        KEEP_COMPLETED_MS=int(kept.keep_completed_s * 1000),
        KEEP_FAILED=kept.keep_failed,
        KEEP_FAILED_MS=int(kept.keep_failed_s * 1000),
        KEEP_DELIVERIES=kept.keep_deliveries,
        REMEMBER_MS=kept.remember_ms,
        KEEP_CANCELLED=kept.keep_cancelled,
        KEEP_CANCELLED_MS=int(kept.keep_cancelled_s * 1000),
    )


class Steps:
    """Puts the commands of one consumer together; for one thread, but for `settle`.

    Args:
        name: The worker's, which is its consumer's too.
        instance: Random; tells this process's hold on the name from any other's.
    """

    def __init__(
        self, *, keys: Keys, name: str, instance: str, queue_settings: QueueSettings, settings: WorkerSettings
    ) -> None:
        self._keys = keys
        self._name = name
        self._instance = instance
        self._queue_settings = queue_settings
        self._settings = settings
        self._loop_keys = (keys.worker(name), keys.events, keys.meta, keys.delayed, keys.timer_bell, keys.failed)
        self._scripts: dict[str, loader.Script] = {}
        #: Of completing a job of this lane, and fetching from the lanes below.
        self._completing: dict[str, _Frame] = {}
        self._lanes: Sequence[str] = ()

    def settle(self, settlement: Settlement | None) -> Command:
        """What settles and fetches nothing; touches nothing here, so that any thread may ask for it."""
        return self._fill(self._make_frame(settlement, (), ()), settlement, "", "n")

    def fetch(
        self, settlement: Settlement | None, lanes: Sequence[str], own_lanes: Sequence[str], token: str, hints: str
    ) -> Command:
        """What settles and fetches.

        Args:
            settlement: How the last delivery ended, if one did.
            lanes: The lanes to read, in this order.
            own_lanes: Those in which a job may be pending with the caller besides.
            token: Of the delivery that it may bring.
            hints: See ARGV[4] of `scripts/shared/worker_args.lua`.
        """
        if settlement is None or settlement.outcome is not _COMPLETED or own_lanes:
            return self._fill(self._make_frame(settlement, lanes, own_lanes), settlement, token, hints)
        if lanes != self._lanes:
            self._lanes = list(lanes)
            self._completing.clear()
        lane = settlement.delivery.lane
        frame = self._completing.get(lane)
        if frame is None:
            frame = self._completing[lane] = self._make_frame(settlement, lanes, ())
        return self._fill(frame, settlement, token, hints)

    def _make_frame(self, settlement: Settlement | None, lanes: Sequence[str], own_lanes: Sequence[str]) -> _Frame:
        keys, name = [*self._loop_keys], "fetch"
        if settlement is not None:
            lane, outcome = settlement.delivery.lane, settlement.outcome
            keys.append(self._keys.lane(lane))
            name = outcome.script
            if outcome is Outcome.COMPLETE:
                keys.append(self._keys.completed)
            elif outcome is Outcome.CANCEL:
                keys.append(self._keys.cancelled)
            elif outcome is not Outcome.FAIL:
                target = settlement.lane or lane
                keys += (self._keys.lane(target), self._keys.lane_bell(target), self._keys.lanes, self._keys.cancelled)
        first = len(keys)
        keys += [key for lane in lanes for key in (self._keys.lane(lane), self._keys.lane_bell(lane))]
        keys += [self._keys.lane(lane) for lane in own_lanes]
        step = self._scripts.get(name)
        if step is None:
            step = self._scripts[name] = load_step(name, self._queue_settings, self._settings)
        count = len(keys) + (settlement is not None)
        return _Frame(step, keys, first, Stem(("EVALSHA", step.sha, count, *keys)))

    def _fill(self, frame: _Frame, settlement: Settlement | None, token: str, hints: str) -> Command:
        # Text as far as the common ones go: a number is spelled before it is packed.
        args: list[str | int] = [self._name, self._instance, token, hints]
        if settlement is None:
            return Command(frame.step, frame.keys, args, frame.stem.grow(tuple(args)), frame.first)
        delivery, outcome = settlement.delivery, settlement.outcome
        args += (delivery.job_id, str(delivery.fence), delivery.token, delivery.entry_id)
        if outcome is _COMPLETED:
            if delivery.crashes:
                args.append(1)
        elif outcome is Outcome.FAIL:
            args += settlement.tell_error()
        elif outcome is Outcome.CANCEL:
            args += (settlement.reason[:ERROR_MAX_LENGTH], *settlement.tell_error())
        else:
            args.append(settlement.lane or delivery.lane)
            if outcome is not Outcome.RELEASE:
                args.append(to_ms(settlement.delay_s))
            if outcome is Outcome.RETRY:
                args += settlement.tell_error()
        job = self._keys.job_prefix + delivery.job_id
        return Command(frame.step, [*frame.keys, job], args, frame.stem.grow((job, *args)), frame.first)
