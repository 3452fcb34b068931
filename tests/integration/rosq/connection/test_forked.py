"""A process that was forked off while its parent uses a queue: it has connections of its own, and no other's."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from rosq import ServerUnreachable
from rosq.connection.pool import WirePool
from tests.integration.rosq.connection.test_descriptors import connections_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Queue
    from rosq.connection.wire import Wire
    from tests.servers import EmbeddedRedis


def in_a_child(run: Callable[[], bool]) -> int:
    """Run it in a child that was forked off here, and return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if run() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_no_socket_of_its_parent(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({"number": 1}, job_id="1")
    own_queue.find_job("1")
    with own_redis.client() as client:
        before = connections_of(client)

        def call_all() -> bool:
            found = own_queue.find_job("1")
            own_queue.enqueue({"number": 2}, job_id="2")
            own_queue.ping()
            return found is not None and found.data == {"number": 1}

        assert in_a_child(call_all) == 0

        # The parent's connections are as they were, and serve.
        assert connections_of(client) == before
        job = own_queue.find_job("2")
        assert job is not None
        assert job.data == {"number": 2}
        assert connections_of(client) == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_that_was_forked_off_in_the_middle_of_a_call_reads_nothing_of_it(own_queue: Queue) -> None:
    """As a signal handler does that forks: the call goes on in both processes."""
    own_queue.enqueue({}, job_id="1")
    with own_queue._wires.borrow() as wire:
        line = wire._line or wire._connect()
        line.send(b"*2\r\n$4\r\nECHO\r\n$6\r\nparent\r\n")

        def read() -> bool:
            with pytest.raises(OSError, match="Bad file descriptor"):
                line.read()
            with pytest.raises(ServerUnreachable):
                wire.call("ECHO", "child")
            return bool(wire.call("ECHO", "child") == "child")

        assert in_a_child(read) == 0
        assert line.read() == "parent"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_that_was_forked_off_while_another_thread_opens_a_connection_isnt_stuck(queue: Queue) -> None:
    is_making, may_go_on = threading.Event(), threading.Event()
    slow = threading.current_thread()

    def make() -> Wire:
        if threading.current_thread() is not slow:
            is_making.set()
            assert may_go_on.wait(30)
        return queue.make_wire("test")

    pool = WirePool(make)

    def call() -> bool:
        with pool.borrow() as wire:
            return bool(wire.call("PING") == "PONG")

    thread = threading.Thread(target=call)
    thread.start()
    assert is_making.wait(10)
    try:
        assert in_a_child_with_an_end(call) == 0
    finally:
        may_go_on.set()
        thread.join(10)
        pool.close()


def in_a_child_with_an_end(run: Callable[[], bool]) -> int:
    """The same, for one that may hang: the system ends it after five seconds."""

    def run_within_five_seconds() -> bool:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        return run()

    return in_a_child(run_within_five_seconds)
