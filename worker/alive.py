"""A file that is touched while the worker is well: what a container's health check looks at.

Well means that the read loop finished a round not long ago, or has an order in hand whose lease holds. That the process
exists means nothing.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_logger = logging.getLogger(__name__)

INTERVAL_S: Final = 5.0


class AliveFile:
    """Touches a file every few seconds for as long as `is_well` says so.

    Args:
        is_well: Asked each time, from a thread of its own.
    """

    def __init__(self, path: Path, is_well: Callable[[], bool], *, interval_s: float = INTERVAL_S) -> None:
        self._path = path
        self._is_well = is_well
        self._interval_s = interval_s
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alive-file", daemon=True)

    def start(self) -> None:
        """Begin to touch the file. One that a former process left is taken away first."""
        self._path.unlink(missing_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the file away: nobody is alive any more."""
        self._is_stopping.set()
        self._thread.join(timeout=1.0)
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            try:
                if self._is_well():
                    self._path.touch()
            except OSError as exc:
                # A full disk must not end the worker; that the file grows old says enough.
                _logger.warning(
                    "the alive file can't be touched", extra={"event": "alive_file_failed", "error": str(exc)}
                )
            if self._is_stopping.wait(self._interval_s):
                return
