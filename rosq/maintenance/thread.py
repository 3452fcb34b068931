"""The thread in which a worker does its share of the queue's maintenance, over a connection of its own.

Nobody waits for it: neither a handler, nor the heartbeat, nor a stop.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from rosq import errors, facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.connection.wire import Wire
    from rosq.maintenance.recovery import Recovery, Swept
    from rosq.settings import WorkerSettings

log = logging.getLogger(__name__)

#: Seconds that a stop waits for the step under way; longer it takes only where Redis doesn't answer.
_LAST_STEP_S = 1.0
#: Of a lease, the part to wait after a round that got no answer.
_AGAIN_AFTER = 1 / 15


class MaintenanceThread:
    """Asks each third of a lease whether it is this worker's turn, and makes the pass if it is.

    Args:
        wire: For this thread alone, which closes it.
        worker_facts: Which worker it is, for the log.
        tell: Called in this thread with what a pass did.
    """

    def __init__(
        self,
        *,
        wire: Wire,
        recovery: Recovery,
        settings: WorkerSettings,
        worker_facts: dict[str, object],
        tell: Callable[[Swept], None],
    ) -> None:
        self._wire = wire
        self._recovery = recovery
        self._beat_s = settings.beat_s
        self._again_after_s = settings.lease_s * _AGAIN_AFTER
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
            while not self._is_ending.is_set():
                self._is_ending.wait(self._beat_s if self._make_round() else self._again_after_s)
        finally:
            self._wire.close()

    def _make_round(self) -> bool:
        """Make a pass if it is this worker's turn; False if Redis gave no answer."""
        try:
            if self._recovery.is_due():
                self._tell(self._recovery.run_once())
        except errors.ServerUnreachable as error:
            log.warning(
                "Maintenance got no answer",
                extra={"event": "maintenance_failed", **self._facts, **facts.of_error(error)},
            )
            return False
        except Exception as error:
            # The thread must live on: who dies next is looked for by it.
            told = {"event": "maintenance_failed", **self._facts, **facts.of_error(error)}
            log.exception("Maintenance failed", extra=told)
            self._wire.close()
            return False
        return True
