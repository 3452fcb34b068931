"""A pass of maintenance, made by a test and not by a worker's thread."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq.maintenance.service import Swept
from rosq.maintenance.thread import make_services
from rosq.store.standing import StandingSettings

if TYPE_CHECKING:
    from rosq import QueueSettings, WorkerSettings
    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys


class Sweep:
    """All services, one after another."""

    def __init__(self, *, keys: Keys, wire: Wire, kept: QueueSettings, settings: WorkerSettings) -> None:
        self._services = make_services(keys, wire, StandingSettings(keys, kept), settings)

    def run_once(self) -> Swept:
        """Make one pass of each, and add up what they did."""
        done = [service.run_once() for service in self._services]
        names = [field.name for field in dataclasses.fields(Swept)]
        return Swept(**{name: sum(getattr(each, name) for each in done) for name in names})
