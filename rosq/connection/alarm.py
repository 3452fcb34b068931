"""A wake-up that any thread or signal handler may ring and one thread waits for, together with a socket if need be."""

from __future__ import annotations

import contextlib
import enum
import os
import select
import threading

from rosq.clock import boot_time_s


class Woken(enum.Enum):
    """What ended a wait."""

    RUNG = enum.auto()
    READABLE = enum.auto()
    TIME_IS_OVER = enum.auto()


class Alarm:
    """A pipe to oneself, opened by the first wait.

    `threading.Event` won't do: its lock isn't reentrant, so a signal handler that interrupts a waiter of the same
    thread could hang; and nobody can wait for an event and a socket at once.
    """

    def __init__(self) -> None:
        self._read_fd = self._write_fd = -1
        self._is_closed = False
        #: Whether the pipe may have something; spares the look at one that hasn't.
        self._may_ring = False
        #: Between ringing, opening and closing: what is written must not reach whoever has the descriptor next.
        #: Reentrant, since a signal handler may ring in a thread that is doing one of them.
        self._lock = threading.RLock()

    def ring(self) -> None:
        """Wake the waiter, now or as soon as it waits. Safe in signal handlers; ringing twice is ringing once."""
        # Said before it is done: whoever clears in between leaves a byte behind, which wakes once too often, never once
        # too seldom.
        self._may_ring = True
        with self._lock:
            self._write()

    def _write(self) -> None:
        # Without a pipe nobody waits: not yet, or not any more. A full one means that it rings already.
        if self._write_fd >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._write_fd, b"!")

    def _open(self) -> None:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("This alarm is closed: nobody may wait for it any more.")
            if self._read_fd >= 0:
                return
            read_fd, write_fd = os.pipe()
            os.set_blocking(read_fd, False)
            os.set_blocking(write_fd, False)
            self._read_fd, self._write_fd = read_fd, write_fd
            if self._may_ring:
                # It rang while there was no pipe.
                self._write()

    def clear(self) -> None:
        """Silence the alarm: what it rang for is going to be looked at now."""
        if self._may_ring:
            self._silence()

    def _silence(self) -> None:
        self._may_ring = False
        if self._read_fd >= 0:
            with contextlib.suppress(BlockingIOError):
                os.read(self._read_fd, 4096)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the alarm or for the time to pass.

        Args:
            timeout_s: Seconds by CLOCK_BOOTTIME; None waits without end.

        Returns:
            Whether the alarm rang; it is silent again then.
        """
        return self.wait_with(None, timeout_s) is Woken.RUNG

    def wait_with(self, fd: int | None, timeout_s: float | None) -> Woken:
        """Wait for the alarm, for `fd` to become readable, or for the time to pass; see `wait`.

        Returns:
            What came; RUNG where several did.
        """
        if self._read_fd < 0:
            self._open()
        poller = select.poll()
        poller.register(self._read_fd, select.POLLIN)
        if fd is not None:
            poller.register(fd, select.POLLIN)
        deadline = None if timeout_s is None else boot_time_s() + timeout_s
        while True:
            left_s = None if deadline is None else max(deadline - boot_time_s(), 0.0)
            ready = dict(poller.poll(None if left_s is None else left_s * 1000))
            if self._read_fd in ready:
                self._silence()
                return Woken.RUNG
            if ready:
                return Woken.READABLE
            if left_s is not None and left_s <= 0:
                return Woken.TIME_IS_OVER

    def close(self) -> None:
        """Free the pipe. Nobody may wait any more; ringing stays harmless. Safe twice."""
        with self._lock:
            self._is_closed = True
            # First forgotten, then closed, for whoever rings in the midst of it.
            read_fd, write_fd = self._read_fd, self._write_fd
            self._read_fd = self._write_fd = -1
            for fd in (write_fd, read_fd):
                if fd >= 0:
                    os.close(fd)
