from __future__ import annotations

import os
import queue
import signal
import threading

import pytest

from rosq import StopSignals


def test_each_signal_is_told_of_once_and_others_keep_their_handlers() -> None:
    heard: queue.Queue[int] = queue.Queue()
    others: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: others.append(number))
    try:
        with StopSignals([signal.SIGUSR1], heard.put):
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                os.kill(os.getpid(), number)
                # So that the next one of the kind doesn't become one with it.
                assert number == signal.SIGUSR2 or heard.get(timeout=5) == number
            os.kill(os.getpid(), signal.SIGUSR1)
            assert heard.get(timeout=5) == signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (heard.empty(), others) == (True, [signal.SIGUSR2])


def test_with_the_end_handlers_and_the_wakeup_descriptor_are_as_before() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    try:
        with pytest.raises(ZeroDivisionError), StopSignals([signal.SIGUSR1], lambda _: None):
            raise ZeroDivisionError
    finally:
        after_fd = signal.set_wakeup_fd(-1)
        os.close(read_fd)
        os.close(write_fd)
    assert after_fd == write_fd
    assert signal.getsignal(signal.SIGUSR1) is before


def test_another_thread_than_the_main_one_is_told_what_to_do_instead() -> None:
    raised: list[BaseException] = []

    def hear() -> None:
        try:
            StopSignals([signal.SIGUSR1], lambda _: None).__enter__()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=hear)
    thread.start()
    thread.join(5)

    assert "request_stop" in str(raised[0])


def test_signals_of_others_go_where_they_went_before() -> None:
    outer: queue.Queue[int] = queue.Queue()
    with StopSignals([signal.SIGUSR2], outer.put), StopSignals([signal.SIGUSR1], lambda _: None):
        os.kill(os.getpid(), signal.SIGUSR2)

        assert outer.get(timeout=5) == signal.SIGUSR2


def test_where_its_pipe_was_taken_away_it_hears_by_the_handler() -> None:
    heard: queue.Queue[int] = queue.Queue()
    with StopSignals([signal.SIGUSR1], heard.put):
        signal.set_wakeup_fd(-1)
        os.kill(os.getpid(), signal.SIGUSR1)

        assert heard.get(timeout=5) == signal.SIGUSR1
    assert heard.empty()


def test_a_signal_that_nobody_can_have_changes_nothing() -> None:
    before, threads = signal.getsignal(signal.SIGUSR1), threading.active_count()

    with pytest.raises(OSError, match="Invalid argument"):
        StopSignals([signal.SIGUSR1, signal.SIGKILL], lambda _: None).__enter__()

    assert signal.getsignal(signal.SIGUSR1) is before
    assert signal.set_wakeup_fd(-1) == -1
    assert threading.active_count() == threads


def test_a_former_descriptor_that_was_closed_meanwhile_ends_nothing() -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)

    with StopSignals([signal.SIGUSR1], lambda _: None):
        os.close(read_fd)
        os.close(write_fd)

    assert signal.set_wakeup_fd(-1) == -1


def test_it_hears_once_only() -> None:
    signals = StopSignals([signal.SIGUSR1], lambda _: None)
    with signals:
        pass

    with pytest.raises(RuntimeError, match="make a new one"):
        signals.__enter__()
    signals.close()
