"""Signals that ask a process to stop, heard whatever its main thread is doing."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

#: Written by ourselves: no signal has this number.
_END = b"\0"
#: Those that hear now, the last one at the end: a forked child has to give up its copies.
_hearing: list[StopSignals] = []
#: Of each thread that forks: the signals that it had blocked before.
_forking = threading.local()


class StopSignals:
    """Calls a function for each of these signals, in a thread of its own.

    A handler of `signal.signal` runs between two steps of the main thread's Python code. While that is inside C code
    that doesn't return (a name being looked up, a hash being computed, a sleep that began in the instant of the
    signal), the handler waits for it, and so would the stop and its deadline. The C part of the handler writes the
    signal's number into a pipe at once (`signal.set_wakeup_fd`); a thread reads it there.

    A child that a handler forks (`multiprocessing`) gets the signals' former handlers back: ending the child doesn't
    stop the worker.

        with StopSignals([signal.SIGTERM, signal.SIGINT], lambda number: worker.request_stop()):
            worker.run()

    Args:
        numbers: The signals. Their former handlers come back with the end of the block.
        on_signal: Given the number; what it raises ends the hearing.
    """

    def __init__(self, numbers: Iterable[int], on_signal: Callable[[int], object]) -> None:
        self._numbers = frozenset(numbers)
        self._on_signal = on_signal
        self._handlers: dict[int, Any] = {}
        self._former_fd = -1
        self._read_fd = self._write_fd = -1
        self._thread = threading.Thread(target=self._run, name="rosq-stop-signals", daemon=True)

    def __enter__(self) -> Self:
        """Begin to hear.

        Raises:
            RuntimeError: This isn't the main thread: Python lets no other one have signals.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Only the main thread can have signals: call request_stop() from elsewhere instead.")
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._write_fd, False)
        self._former_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        _hearing.append(self)
        self._thread.start()
        for number in self._numbers:
            self._handlers[number] = signal.signal(number, _leave_to_the_thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()
        os.write(self._write_fd, _END)
        self._thread.join()
        for fd in (self._read_fd, self._write_fd):
            os.close(fd)

    def _give_back(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        _hearing.remove(self)

    def _run(self) -> None:
        while True:
            for number in os.read(self._read_fd, 64):
                if not number:
                    return
                if number in self._numbers:
                    self._on_signal(number)


def _leave_to_the_thread(_number: int, _frame: object) -> None:
    """The handler without which nothing would be written into the pipe; the thread has read it there."""


def _before_fork() -> None:
    # A signal to the child that comes before it has given up its copies would be heard by the parent: it waits so long.
    numbers = frozenset[int]().union(*(hearing._numbers for hearing in _hearing))
    _forking.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.blocked)


def _after_fork_in_child() -> None:
    for hearing in reversed(_hearing.copy()):
        hearing._give_back()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.blocked)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
