"""The alarm, the lease, the stop clock and the lock file: what a holder relies on without a server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rosq.clock import boot_time_s
from rosq.connection.alarm import Alarm, Woken
from rosq.errors import LeaseLost
from rosq.execution.lease import Lease
from rosq.execution.lock_file import LockFile
from rosq.execution.stop import ExitWatch, StopClock
from rosq.signals import Release
from tests.deliveries import make_delivery
from tests.waiting import wait_until


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# -- alarm ------------------------------------------------------------------


def test_an_alarm_that_rang_before_the_wait_ends_it_at_once_and_is_silent_then() -> None:
    alarm = Alarm()
    alarm.ring()
    alarm.ring()

    assert alarm.wait(10) is True
    assert alarm.wait(0.01) is False
    alarm.close()


def test_an_alarm_wakes_a_waiter_in_another_thread() -> None:
    alarm = Alarm()
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(alarm.wait(10)))
    thread.start()

    alarm.ring()
    thread.join(5)

    assert woken == [True]
    alarm.close()


def test_an_alarm_may_ring_in_a_signal_handler_that_interrupts_its_own_waiter() -> None:
    alarm = Alarm()
    before = signal.signal(signal.SIGUSR1, lambda *_: alarm.ring())
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        assert alarm.wait(5) is True
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
        alarm.close()


def test_a_readable_socket_ends_the_wait_without_ringing() -> None:
    alarm = Alarm()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")

        assert alarm.wait_with(ours.fileno(), 10) is Woken.READABLE
    alarm.close()


@pytest.mark.parametrize("has_waited", [False, True])
def test_ringing_a_closed_or_overfull_alarm_is_harmless(has_waited: bool) -> None:
    alarm = Alarm()
    if has_waited:
        assert alarm.wait(0) is False
    for _ in range(70_000):
        alarm.ring()
    assert alarm.wait(0) is True
    alarm.close()
    alarm.close()

    alarm.ring()
    alarm.clear()
    with pytest.raises(RuntimeError):
        alarm.wait(0)


def open_descriptors() -> list[Path]:
    return sorted(Path("/dev/fd").iterdir())


def test_an_alarm_that_nobody_waits_for_opens_nothing() -> None:
    before = open_descriptors()
    alarms = [Alarm() for _ in range(20)]
    for alarm in alarms:
        alarm.ring()
        alarm.clear()

    assert open_descriptors() == before
    assert [alarm.wait(0) for alarm in alarms] == [False] * 20
    for alarm in alarms:
        alarm.close()


# -- lease ------------------------------------------------------------------


def test_a_lease_is_held_until_its_time_and_a_heartbeat_extends_it() -> None:
    clock = Clock()
    lease = Lease("1", 1030.0, clock)
    clock.now_s = 1029.0
    lease.renew(1059.0)
    clock.now_s = 1058.0

    assert lease.is_held()
    assert lease.remaining_s() == 1.0
    lease.check()


def test_a_lease_that_ran_out_is_in_doubt_until_a_heartbeat_gets_through() -> None:
    clock = Clock()
    lease = Lease("1", 1030.0, clock)
    clock.now_s = 1031.0
    assert not lease.is_held()
    assert lease.lost_reason is None
    lease.check_not_lost()

    lease.renew(1090.0)

    assert lease.is_held()
    lease.check()


def test_whoever_was_told_that_a_lease_may_be_lost_was_told_for_good() -> None:
    clock = Clock()
    lease = Lease("1", 1030.0, clock)
    clock.now_s = 1031.0
    with pytest.raises(LeaseLost, match="no heartbeat") as caught:
        lease.check()
    assert caught.value.job_id == "1"

    lease.renew(1090.0)

    assert not lease.is_held()
    for look in (lease.check, lease.check_not_lost):
        with pytest.raises(LeaseLost, match="no heartbeat"):
            look()


def test_a_heartbeat_whose_answer_came_too_late_leaves_a_lease_in_doubt() -> None:
    clock = Clock()
    lease = Lease("1", 1030.0, clock)
    clock.now_s = 1070.0

    lease.renew(1065.0)

    assert not lease.is_held()
    assert lease.lost_reason is None


def test_a_lost_lease_keeps_its_first_reason() -> None:
    lease = Lease("1", 1030.0, Clock())
    lease.lose("taken over")
    lease.lose("something else")

    assert lease.lost_reason == "taken over"
    assert lease.remaining_s() == 0.0


def test_a_heartbeat_never_shortens_a_lease() -> None:
    lease = Lease("1", 1030.0, Clock())
    lease.renew(1010.0)

    assert lease.remaining_s() == 30.0


# -- stop ------------------------------------------------------------------


def test_the_first_request_grants_the_grace_and_the_second_ends_it() -> None:
    stop = StopClock(grace_s=60, exit_s=5)
    assert not stop.is_requested
    assert stop.grace_left_s() == float("inf")

    stop.request()
    assert 59 < stop.grace_left_s() <= 60
    assert 64 < stop.time_left_s() <= 65

    stop.request()
    assert stop.grace_left_s() <= 0


def test_a_request_after_the_grace_doesnt_prolong_it() -> None:
    stop = StopClock(grace_s=0, exit_s=5)
    stop.request()
    left_s = stop.time_left_s()

    stop.request()

    assert stop.time_left_s() <= left_s


def test_the_exit_watch_acts_once_the_deadline_has_passed() -> None:
    stop, left = StopClock(grace_s=0, exit_s=0.05), threading.Event()
    watch = ExitWatch(stop, left.set)
    watch.start()
    assert not left.is_set()

    stop.request()
    watch.nudge()

    assert left.wait(5)
    watch.close()


def test_the_exit_watch_does_nothing_when_the_worker_ends_in_time() -> None:
    stop, left = StopClock(grace_s=0, exit_s=30), threading.Event()
    watch = ExitWatch(stop, left.set)
    watch.start()
    stop.request()
    watch.nudge()

    watch.close()

    assert not left.is_set()
    ExitWatch(stop, left.set).close()


# -- delivery ------------------------------------------------------------------


def test_a_sleep_lasts_as_long_as_asked_if_nothing_happens() -> None:
    alarm = Alarm()
    delivery = make_delivery(lease=Lease("1", float("inf")), stop=StopClock(10, 1), alarm=alarm)
    began_s = boot_time_s()

    delivery.sleep(0.05)

    assert boot_time_s() - began_s >= 0.05
    alarm.close()


def test_a_sleep_outlives_the_doubt_about_its_lease_and_ends_only_when_it_is_over() -> None:
    alarm = Alarm()
    lease = Lease("1", boot_time_s() + 0.05)
    delivery = make_delivery(lease=lease, stop=StopClock(10, 1), alarm=alarm)

    def get_through() -> None:
        lease.renew(boot_time_s() + 100)
        alarm.ring()

    began_s = boot_time_s()
    timer = threading.Timer(0.3, get_through)
    timer.start()
    delivery.sleep(0.1)
    timer.join()

    assert boot_time_s() - began_s >= 0.3
    delivery.check()
    alarm.close()


@pytest.mark.parametrize("until_s", [0.0, 100.0], ids=["in doubt", "held"])
def test_a_sleep_ends_with_lease_lost_as_soon_as_the_job_is_known_to_be_anothers(until_s: float) -> None:
    alarm = Alarm()
    lease = Lease("1", boot_time_s() + until_s)

    def take_over() -> None:
        lease.lose("taken over")
        alarm.ring()

    timer = threading.Timer(0.05, take_over)
    timer.start()
    with pytest.raises(LeaseLost, match="taken over"):
        make_delivery(lease=lease, stop=StopClock(10, 1), alarm=alarm).sleep(30)
    timer.join()
    alarm.close()


@pytest.mark.parametrize("lease", [Lease("1", float("inf")), Lease("1", 0.0)], ids=["held", "in doubt"])
def test_a_sleep_ends_with_release_when_the_grace_of_a_stop_is_over(lease: Lease) -> None:
    alarm, stop = Alarm(), StopClock(grace_s=0.05, exit_s=1)
    delivery = make_delivery(lease=lease, stop=stop, alarm=alarm)

    def request() -> None:
        stop.request()
        alarm.ring()

    timer = threading.Timer(0.05, request)
    timer.start()
    with pytest.raises(Release):
        delivery.sleep(30)
    timer.join()
    assert delivery.is_stop_requested
    alarm.close()


# -- lock file ------------------------------------------------------------------


def test_who_has_the_file_learns_the_tokens_of_those_that_are_gone(tmp_path: Path) -> None:
    first = LockFile(tmp_path / "deep" / "w.lock")
    assert first.lock("one") == []
    first.release()
    second = LockFile(tmp_path / "deep" / "w.lock")

    assert second.lock("two") == ["one"]
    second.release()
    second.release()


def test_a_file_that_a_living_process_has_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w.lock"
    code = (
        "import sys; from pathlib import Path; from rosq.execution.lock_file import LockFile\n"
        "LockFile(Path(sys.argv[1])).lock('theirs'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        ours = LockFile(path)
        assert ours.lock("ours") == []

        holder.kill()
        holder.wait(5)

        # Killed, not closed: the kernel gives the lock back.
        assert wait_until(lambda: ours.lock("ours"), "the dead process's token") == ["theirs"]
    ours.release()


def test_tokens_of_processes_that_died_before_they_took_the_name_are_kept(tmp_path: Path) -> None:
    for token in ("one", "two", "three"):
        lock = LockFile(tmp_path / "w.lock")
        lock.lock(token)
        lock.release()
    last = LockFile(tmp_path / "w.lock")

    assert last.lock("four") == ["three", "two", "one"]
    assert last.lock("four") == ["three", "two", "one"]
    last.release()
