"""Watching an account that stands by, until it may go on."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from worker.errors import WorkerError
from worker.service.errors import StaleEpoch
from worker.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.account.account import Account


_logger = logging.getLogger(__name__)


class StandbyWatcher:
    """Asks, while the account stands by and only then, whether it may go on; then it wakes the worker.

    A thread of its own, because an idle worker sleeps in the queue.
    """

    def __init__(
        self, account: Account, *, interval_s: float, on_change: Callable[[], None], on_stale: Callable[[], None]
    ) -> None:
        self._account = account
        self._interval_s = interval_s
        self._on_change = on_change
        self._on_stale = on_stale
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby-watcher", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, and return once the thread is gone or a call of its is still in the air."""
        self._is_stopping.set()
        self._account.notify()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._account.wait_for_standby(self._is_stopping)
            if not self._is_stopping.wait(self._interval_s):
                self._look()

    def _look(self) -> None:
        try:
            self._account.refresh(_stoppable_sleep(self._is_stopping))
        except Stopping:
            return
        except StaleEpoch:
            self._on_stale()
        except WorkerError as exc:
            _logger.warning("can't ask how the account stands", extra={"event": "account_unread", "error": str(exc)})
        else:
            if self._account.can_take_new:
                self._on_change()


def _stoppable_sleep(is_stopping: threading.Event) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        if is_stopping.wait(seconds):
            raise Stopping

    return sleep
