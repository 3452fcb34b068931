"""Signals that ask a process to stop, heard also while its main thread is in C code."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

#: Written by ourselves: no signal has this number, or is this great.
_END, _HANDLED = b"\0", 0x80
#: Those that hear now, the last one at the end: a forked child has to give up its copies.
_hearing: list[StopSignals] = []
#: Of each thread that forks: the signals that it had blocked before.
_forking = threading.local()


class StopSignals:
    """Calls a function for each of these signals, in a thread of its own, for the time of one `with` block.

    A handler of `signal.signal` runs between two steps of the main thread's Python code. While that is inside C code
    that doesn't return (a name being looked up, a hash being computed, a sleep that began in the instant of the
    signal), the handler waits for it, and so would the stop and its deadline. The C part of the handler writes the
    signal's number into a pipe at once (`signal.set_wakeup_fd`); the thread reads it there. Where something has put a
    pipe of its own in the place of that one, as an asyncio loop with signal handlers does, the handler is what the
    thread hears of it by. Nobody hears anything while C code keeps Python's global lock (a regular expression without
    end): only SIGKILL ends such a process.

    Signals that aren't these go where they went before. A child that a handler forks (`multiprocessing`) gets the
    former handlers back: ending the child doesn't stop the worker.

        with StopSignals([signal.SIGTERM, signal.SIGINT], lambda number: worker.request_stop()):
            worker.run()

    Args:
        numbers: The signals. Their former handlers come back with the end of the block.
        on_signal: Given the number; returns soon, and raises nothing. Two signals of one kind that come at once are one
            to the system.
    """

    def __init__(self, numbers: Iterable[int], on_signal: Callable[[int], object]) -> None:
        self._numbers = frozenset(numbers)
        self._on_signal = on_signal
        #: What there was before, by number.
        self._handlers: dict[int, Any] = {}
        self._former_fd = -1
        self._read_fd = self._write_fd = -1
        self._thread = threading.Thread(target=self._run, name="rosq-stop-signals", daemon=True)

    def __enter__(self) -> Self:
        """Begin to hear.

        Raises:
            RuntimeError: This isn't the main thread: Python lets no other one have signals. Or it has heard already.
            OSError, ValueError: Nobody can have one of these signals; nothing was changed.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Only the main thread can have signals: call request_stop() from elsewhere instead.")
        if self._read_fd >= 0:
            raise RuntimeError("It has heard already; make a new one.")
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self._former_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        _hearing.append(self)
        self._thread.start()
        try:
            for number in self._numbers:
                self._handlers[number] = signal.signal(number, self._handle)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more, and give back what was there before. Safe twice."""
        # In a forked child it was given back already, and the pipe is the parent's.
        if self not in _hearing:
            return
        self._give_back()
        os.write(self._write_fd, _END)
        self._thread.join()
        for fd in (self._read_fd, self._write_fd):
            os.close(fd)

    def _give_back(self) -> None:
        _hearing.remove(self)
        for number, handler in self._handlers.items():
            # None is one that wasn't installed from Python, which Python can't give back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        try:
            signal.set_wakeup_fd(self._former_fd)
        except (OSError, ValueError):
            # Whose it was has closed it since.
            signal.set_wakeup_fd(-1)

    def _run(self) -> None:
        # How often each way has brought each signal, and how often it was told: as often as the way that brought more.
        came, handled, told = (collections.Counter[int]() for _ in range(3))
        while True:
            for byte in os.read(self._read_fd, 64):
                number = byte & ~_HANDLED
                if not byte:
                    return
                if number not in self._numbers:
                    self._pass_on(number)
                    continue
                way = handled if byte & _HANDLED else came
                way[number] += 1
                if way[number] > told[number]:
                    told[number] += 1
                    self._on_signal(number)

    def _handle(self, number: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_fd, bytes([number | _HANDLED]))

    def _pass_on(self, number: int) -> None:
        if self._former_fd >= 0:
            # Full, or closed since: as with the system's own writing, nobody is told.
            with contextlib.suppress(OSError):
                os.write(self._former_fd, bytes([number]))


def list_unheard() -> frozenset[signal.Signals]:
    """SIGTERM and SIGINT, each where nobody has a handler of his own for it; none in another than the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return frozenset()
    of_python = (signal.SIG_DFL, signal.default_int_handler)
    return frozenset(number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) in of_python)


def is_ctrl_c(error: BaseException) -> bool:
    """Whether an exception may be how Python tells of a SIGINT, as it does by itself: to end the process is meant."""
    return (
        issubclass(type(error), KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _before_fork() -> None:
    # A signal to the child that comes before it has given up its copies would be heard by the parent: it waits so long.
    numbers = frozenset[int]().union(*(hearing._numbers for hearing in _hearing))
    _forking.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.blocked)


def _after_fork_in_child() -> None:
    try:
        for hearing in reversed(_hearing.copy()):
            hearing._give_back()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.blocked)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
