"""The bare line to Redis: a connected socket, and hiredis to read what comes over it.

redis-py opens the connection, with all that belongs to it (password, user, TLS, database). From then on its reading and
writing is passed by: that takes more of Python's time than all the rest of a call, and each of its waits for an answer
costs the system two calls more.

Where the server is on this machine, an answer is watched for before the thread goes to sleep for it
(`rosq.connection.watching`). Most come within a tenth of a millisecond, about as long as falling asleep and being woken
takes; and it is the server, which does one thing at a time, that has to do the waking.
"""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import time
import weakref
from typing import Any, Protocol

import hiredis
from redis import exceptions as redis_errors

from rosq.clock import boot_time_s
from rosq.connection.watching import is_worth_watching

#: What is read at once: most answers are much shorter. No less than a record of TLS may hold: what stayed behind in the
#: library no poll would see.
_CHUNK_BYTES = 16_384
#: Seconds for which an answer is watched for before the thread sleeps: so long that it suffices where to wake a core
#: takes the twentieth part of it, and for a call of a hundred jobs.
_WATCH_S = 0.001
#: Answers that are slept for at once after one that took longer: the server is far away, or others want the processors.
#: Twice as many after each further one, up to the second number, until one comes while it is watched for.
_UNWATCHED, _UNWATCHED_MAX = 32, 2048
#: An answer that comes later costs more to watch for than it saves; after so many of them in a row the next are slept
#: for too. What listens here may be a tunnel, or what stands before a server elsewhere.
_LATE_S = 0.0004
_LATE_MAX = 8


class _Parser(Protocol):
    def parse_error(self, response: str) -> Exception: ...


class Connection(Protocol):
    """What is used of `redis.Connection`, whose own methods carry no types. No public method gives its socket."""

    _sock: socket.socket
    _parser: _Parser

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...


def _spell_time(seconds: float) -> bytes:
    """A time as the system reads it, `struct timeval`; never 0, which would mean no end."""
    return struct.pack("@ll", *divmod(max(math.ceil(seconds * 1e6), 1), 1_000_000))


class Line:
    """One connection, for one thread. After any error but an error answer it is to be closed: nobody knows what comes
    next on it. In a child that is forked off it is closed, so that the first call over it fails."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._socket = connection._sock
        #: When it was opened, by `boot_time_s`.
        self.opened_s = boot_time_s()
        #: Whether it is another process's: that of which this one was forked off.
        self.is_parents = False
        _open_lines.add(self)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN)
        self._reader = hiredis.Reader(
            protocolError=redis_errors.InvalidResponse,
            replyError=connection._parser.parse_error,
            encoding="utf-8",
            # What isn't UTF-8 must be read too: it is one job's, and names its key.
            errors="surrogateescape",
        )
        #: Answers to come that are not watched for.
        self._unwatched: float = 0 if is_worth_watching(self._socket) else math.inf
        #: Of those that were watched for, how many came late in a row; and how many are slept for when it is too many.
        self._late = 0
        self._to_sleep_for = _UNWATCHED
        timeout_s = self._socket.gettimeout()
        if timeout_s and type(self._socket) is socket.socket:
            self._leave_waits_to_system(timeout_s)

    def _leave_waits_to_system(self, timeout_s: float) -> None:
        """Let the system itself end a wait that is too long. Python's way is to ask poll() before each call."""
        limit = _spell_time(timeout_s)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        except OSError:
            # A system that spells times in another way. Python's way does the same.
            return
        self._socket.settimeout(None)

    def send(self, packed: bytes) -> None:
        """Send what `rosq.connection.packing` made.

        Raises:
            OSError: The connection broke, or took nothing for too long.
        """
        try:
            self._socket.sendall(packed)
        except BlockingIOError as error:
            raise TimeoutError("it took no command in time") from error

    def read(self) -> Any:
        """Return the next answer; text comes decoded.

        Raises:
            redis.ResponseError: It is an error.
            redis.RedisError: It can't be read.
            OSError: The connection broke, or nothing came for too long.
        """
        reader = self._reader
        answer = reader.gets()
        self._unwatched -= 1
        while answer is False:
            try:
                if self._unwatched < 0:
                    self._watch()
                received = self._socket.recv(_CHUNK_BYTES)
            except BlockingIOError as error:
                raise TimeoutError("it gave no answer in time") from error
            if not received:
                raise ConnectionError("it closed the connection")
            reader.feed(received)
            answer = reader.gets()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _watch(self) -> None:
        """Return when something has come, or the thread should sleep for it."""
        # To ask whether there is something takes half as long as to try to receive nothing.
        look = self._poller.poll
        began_s = now_s = time.monotonic()
        while not look(0):
            # Whoever else wants this processor, maybe the server itself, goes first.
            os.sched_yield()
            now_s = time.monotonic()
            if now_s - began_s >= _WATCH_S:
                self._leave_off()
                return
        if now_s - began_s < _LATE_S:
            self._late, self._to_sleep_for = 0, _UNWATCHED
            return
        self._late += 1
        if self._late >= _LATE_MAX:
            self._leave_off()

    def _leave_off(self) -> None:
        """It doesn't pay at present. To find out again costs up to a slice of the processor's time, where others want
        it: so that is done the more seldom the longer it has been so."""
        self._unwatched, self._to_sleep_for = self._to_sleep_for, min(self._to_sleep_for * 2, _UNWATCHED_MAX)

    def is_readable(self) -> bool:
        """Whether something is there to be read at this moment."""
        return bool(self._poller.poll(0))

    def fileno(self) -> int:
        """The socket's, to wait for it together with other things."""
        return self._socket.fileno()

    def close(self) -> None:
        """Drop the connection."""
        self._connection.disconnect()

    def leave_to_parent(self) -> None:
        """In a child: have nothing to do with it any more. Two processes would read each other's answers."""
        self.is_parents = True
        # No more than this end of it: the connection itself goes on.
        self._socket.close()


#: All that this process has open, the one over which a call is under way while it forks among them.
_open_lines: weakref.WeakSet[Line] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for line in list(_open_lines):
        line.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
