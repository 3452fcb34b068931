"""The very worker that people run, under tests that know where it is.

`python -m tests.chaos.worker_process --account a1 ...` is `rosq-worker --account a1 ...`; on top, the environment may
say what happens at a named point of an order's way (`worker.order.points.Point`: after_claim, after_intent,
after_upload, before_gate, after_gate, after_finish, after_number, during_download):

    WORKER_KILL_AT=after_gate          SIGKILL itself there
    WORKER_STOP_AT=before_gate         SIGSTOP itself there; somebody sends SIGCONT
    WORKER_WAIT_AT=after_upload:/fifo  write "after_upload\\n" to the fifo there, then read one line from it and go on
    WORKER_CHAOS_DIR=/folder           required with any of them: holds a mark for each that happened

Several points in one variable are separated by commas. Each happens once per folder, whichever process it meets, so a
restarted worker goes its way: the mark (`kill.after_gate`, with the process id in it) is on disk before the deed.

    WORKER_DELIVER_TWICE=1             the queue hands every job to two workers at once (rosq.testing)
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rosq import Queue
from worker.cli import cli
from worker.order.points import Point
from worker.run import Wiring

if TYPE_CHECKING:
    from collections.abc import Mapping


class ChaosSignals:
    """Does at each point what the environment says, once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._kill_at = _points(environ.get("WORKER_KILL_AT", ""))
        self._stop_at = _points(environ.get("WORKER_STOP_AT", ""))
        self._wait_at = _fifos(environ.get("WORKER_WAIT_AT", ""))
        folder = environ.get("WORKER_CHAOS_DIR", "")
        if (self._kill_at or self._stop_at or self._wait_at) and not folder:
            sys.exit("WORKER_CHAOS_DIR must name a folder for the marks of what happened.")
        self._folder = Path(folder or ".")

    def reached(self, point: Point) -> None:
        """Called by the worker."""
        if point in self._wait_at and self._is_first("wait", point):
            fifo = self._wait_at[point]
            # Opening blocks until the test reads, and then until it writes: no polling on either side.
            with fifo.open("w") as told:
                told.write(f"{point.value}\n")
            with fifo.open() as answer:
                answer.readline()
        if point in self._stop_at and self._is_first("stop", point):
            os.kill(os.getpid(), signal.SIGSTOP)
        if point in self._kill_at and self._is_first("kill", point):
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_first(self, deed: str, point: Point) -> bool:
        try:
            with (self._folder / f"{deed}.{point.value}").open("x") as mark:
                mark.write(f"{os.getpid()}\n")
                mark.flush()
                os.fsync(mark.fileno())
        except FileExistsError:
            return False
        return True


def _points(text: str) -> frozenset[Point]:
    return frozenset(Point(name.strip()) for name in text.split(",") if name.strip())


def _fifos(text: str) -> dict[Point, Path]:
    pairs = (part.strip().partition(":") for part in text.split(",") if part.strip())
    return {Point(name): Path(path) for name, _, path in pairs}


def main() -> None:
    """Run the worker with the environment's signals."""
    make_queue: type[Queue] = Queue
    if os.environ.get("WORKER_DELIVER_TWICE") == "1":
        from rosq.testing import TwiceDeliveringQueue

        make_queue = TwiceDeliveringQueue
    cli.main(obj=Wiring(signals=ChaosSignals(os.environ), make_queue=make_queue))


if __name__ == "__main__":
    main()
