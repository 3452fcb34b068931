"""Looks at the queue again and again, in a thread of its own: a server that hangs must not hold up the keys."""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.top import pages
from rosq.top.examiner import Examiner

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.inspect.inspector import Inspector
    from rosq.top.glance import Glance, Wanted

log = logging.getLogger(__name__)


class Poller:
    """Tells what each look found, or why it failed. Start once; stop any time, also before start and twice.

    Args:
        tell: Called from the poller's thread.
        every_s: Seconds between two looks.
    """

    def __init__(
        self,
        inspector: Inspector,
        wanted: Wanted,
        tell: Callable[[Wanted, Glance | errors.RosqError], None],
        *,
        every_s: float,
    ) -> None:
        self._inspector = inspector
        self._examiner = Examiner(inspector)
        self._wanted = wanted
        self._tell = tell
        self._every_s = every_s
        self._is_idle = False
        self._is_asked = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        # A daemon: a look that hangs, for as long as the answer's timeout, doesn't hold up the end of the process.
        # It says times in the zone that was asked for, which is a matter of the context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="rosq-top-poller", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and tell nothing more."""
        self._stop.set()
        self._wake.set()

    def look_at(self, wanted: Wanted) -> None:
        """Look at this from now on, and at once."""
        self._wanted = wanted
        self._is_asked = True
        self._wake.set()

    def set_pace(self, every_s: float, *, is_idle: bool) -> None:
        """Look every so many seconds; or, while idle, only when asked."""
        self._every_s, self._is_idle = every_s, is_idle
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._is_asked = False
            wanted = self._wanted
            found: Glance | errors.RosqError
            try:
                found = pages.look(self._inspector, self._examiner, wanted)
            except errors.RosqError as error:
                found = error
            except Exception as error:
                # Whatever it is: without this thread the screen would show for ever what was seen last.
                told = {"event": "look_failed", "queue": wanted.queue, **facts.of_error(error)}
                log.exception("A look at the queue failed", extra=told)
                found = errors.RosqError(f"This look failed ({facts.describe(error)}): the log says where.")
            if not self._stop.is_set():
                self._tell(wanted, found)
            self._rest()

    def _rest(self) -> None:
        """Return when it is time for the next look, or when one was asked for. A change of pace alone asks for none."""
        while not self._stop.is_set():
            is_woken = self._wake.wait(None if self._is_idle else self._every_s)
            self._wake.clear()
            if not is_woken or self._is_asked:
                return
