"""The thread in which a worker does its share of the queue's maintenance, over a connection of its own.

Nobody waits for it: neither a handler, nor the heartbeat, nor a stop.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.clock import boot_time_s
from rosq.maintenance.recovery import Recovery
from rosq.maintenance.retention import Retention
from rosq.maintenance.silent_workers import SilentWorkers
from rosq.maintenance.turns import Turns
from rosq.maintenance.unused_lanes import UnusedLanes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.connection.wire import Wire
    from rosq.maintenance.service import Service, Swept
    from rosq.settings import WorkerSettings
    from rosq.store.keys import Keys
    from rosq.store.standing import StandingSettings

log = logging.getLogger(__name__)

#: Seconds that a stop waits for the step under way; longer it takes only where Redis doesn't answer.
_LAST_STEP_S = 1.0
#: Of a lease, the time between two rounds: short enough that some may fail before that counts as an outage.
_ROUND = 1 / 6


def make_services(keys: Keys, wire: Wire, standing: StandingSettings, settings: WorkerSettings) -> list[Service]:
    """All that is done for a queue, in the order in which it is done."""
    kinds = (Recovery, Retention, SilentWorkers, UnusedLanes)
    return [make(keys=keys, wire=wire, standing=standing, settings=settings) for make in kinds]


class MaintenanceThread:
    """Asks from time to time which services' turn is this worker's, and makes their passes.

    Args:
        wire: For this thread alone, which closes it.
        services: In their order.
        worker_facts: Which worker it is, for the log.
        tell: Called in this thread with what a pass did.
    """

    def __init__(
        self,
        *,
        keys: Keys,
        wire: Wire,
        standing: StandingSettings,
        services: Sequence[Service],
        settings: WorkerSettings,
        worker_facts: dict[str, object],
        tell: Callable[[Swept], None],
    ) -> None:
        self._wire = wire
        self._standing = standing
        self._services = services
        self._turns = Turns(keys=keys, wire=wire, lease_ms=settings.lease_ms)
        self._round_s = settings.lease_s * _ROUND
        self._facts = worker_facts
        self._tell = tell
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rosq-maintenance", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the step under way. Safe twice, and before the start.

        Where Redis doesn't answer that step the thread is left to itself, and ends when its call runs out of time.
        """
        self._is_ending.set()
        if self._thread.ident is not None:
            self._thread.join(_LAST_STEP_S)

    def _run(self) -> None:
        try:
            while not self._is_ending.wait(self._round_s):
                self._make_round()
        finally:
            self._wire.close()

    def _make_round(self) -> None:
        """Look at the queue's settings, for all of the worker, and make the passes whose turn is its own."""
        if not self._attempt("settings", lambda: self._standing.look(self._wire.call)):
            return
        for service in self._services:
            # Where one gets no answer, the others would get none either.
            if self._is_ending.is_set() or not self._attempt(service.name, functools.partial(self._serve, service)):
                return

    def _serve(self, service: Service) -> None:
        if self._turns.take(service):
            self._tell(service.run_once(self._make_go_on(service)))
            self._turns.finish(service)

    def _attempt(self, name: str, make: Callable[[], None]) -> bool:
        """Make a part of a round; False if Redis gave no answer."""
        try:
            make()
        except errors.ServerUnreachable as error:
            told = {"event": "maintenance_failed", **self._facts, "service": name, **facts.of_error(error)}
            log.warning("Maintenance got no answer", extra=told)
            return False
        except Exception as error:
            # One service's fault is no other's, and the thread must live on: who dies next is looked for by it.
            told = {"event": "maintenance_failed", **self._facts, "service": name, **facts.of_error(error)}
            log.exception("Maintenance failed", extra=told)
            self._wire.close()
        return True

    def _make_go_on(self, service: Service) -> Callable[[], bool]:
        """What a pass asks between its steps: whether it may go on. Meanwhile the turn is kept."""
        look_s = boot_time_s() + self._round_s

        def go_on() -> bool:
            nonlocal look_s
            if self._is_ending.is_set():
                return False
            if boot_time_s() < look_s:
                return True
            look_s = boot_time_s() + self._round_s
            return self._turns.keep(service)

        return go_on
