"""Watches children: when one ends by itself, or a signal asks to stop, all of them are ended in order."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Self

from orders_service.dev import errors
from orders_service.dev.children import ROUND_S, Child, Program, end_in_order, run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Holds all children of a run. A context manager: leaving it, on whatever way, ends them all.

    From `with` on, SIGINT, SIGTERM and SIGHUP raise `StopRequested`, but only out of `pause` and `wait_ready`: no step
    is torn in its middle. A second signal while the children are being ended kills them at once. Main thread only.
    """

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._signals: list[int] = []
        self._is_signalled = threading.Event()
        self._handlers: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._end_all()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def start(self, program: Program) -> Child:
        """Start a program that is to stay until the end."""
        child = Child(program)
        self._children.append(child)
        return child

    def run(self, program: Program, timeout_s: float) -> None:
        """Run a program to its end; see `run_to_end`."""
        run_to_end(program, timeout_s)
        self.check()

    def adopt(self, child: Child) -> Child:
        """Watch and end a child that somebody else started."""
        self._children.append(child)
        return child

    def kill(self, child: Child) -> None:
        """Kill a child on purpose: it is then not missed."""
        self._children.remove(child)
        child.kill()

    def check(self) -> None:
        """Look once at signals and children.

        Raises:
            StopRequested: A signal came.
            ChildEnded: A child ended by itself.
        """
        if self._signals:
            raise errors.StopRequested(self._signals[0])
        for child in self._children:
            code = child.returncode
            if code is not None:
                raise errors.ChildEnded(child.name, code, child.program.log_path, child.log_tail())

    def pause(self, seconds: float) -> None:
        """Let time pass while the children are watched; raises as `check` does."""
        deadline = time.monotonic() + seconds
        self.check()
        while (rest_s := deadline - time.monotonic()) > 0:
            self._is_signalled.wait(min(ROUND_S, rest_s))
            self.check()

    def wait_ready(self, child: Child, is_ready: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until a child really answers.

        Raises:
            NotReady: It didn't in time.
            StopRequested, ChildEnded: As `check` does.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.check()
            if is_ready():
                return
            if time.monotonic() > deadline:
                raise errors.NotReady(child.name, timeout_s, child.program.log_path, child.log_tail())
            self.pause(ROUND_S)

    @contextlib.contextmanager
    def children_in_error(self) -> Iterator[None]:
        """Turn an error of the block into that of the child whose end caused it, where one ended."""
        try:
            yield
        except Exception:
            self.check()
            raise

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signals.append(number)
        self._is_signalled.set()

    def _end_all(self) -> None:
        """End everything; from the second signal on, at once."""
        children, self._children = self._children, []
        end_in_order(children, is_urgent=lambda: len(self._signals) > 1)
