"""Children end with their starter, in order, and leftovers of a killed run are found; strangers are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from orders_service.dev import errors
from orders_service.dev.children import MARKER_ENV, Child, Program, Rank, end_in_order, run_to_end
from orders_service.dev.folder import StateFolder
from orders_service.dev.leftovers import end_leftovers
from orders_service.dev.process import is_alive
from orders_service.dev.supervisor import Supervisor
from tests.waiting import wait_until

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
# Writes its name when asked to stop, and takes a while over it.
POLITE = """
import signal, sys, time
def stop(*_):
    time.sleep(0.2)
    with open(sys.argv[1], 'a') as f: f.write(sys.argv[2] + '\\n')
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print('up', flush=True)
time.sleep(600)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


@pytest.fixture
def folder(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        yield folder


@pytest.fixture
def program(folder):
    """Make a program of Python text."""

    def make(name, text=SLEEPER, *arguments, rank=Rank.WORKER, grace_s=5.0, marker=None, death_signal=signal.SIGKILL):
        return Program(
            name=name,
            argv=(sys.executable, "-I", "-c", text, *map(str, arguments)),
            env={**os.environ, MARKER_ENV: str(marker or folder.path)},
            log_path=folder.log_path(name),
            run_dir=folder.run_dir,
            rank=rank,
            grace_s=grace_s,
            death_signal=death_signal,
        )

    return make


def wait_up(child):
    wait_until(lambda: child.program.log_path.exists() and "up" in child.log_tail(), f"{child.name} is up")


def wait_dead(pid):
    def is_dead():
        try:
            return not is_alive(psutil.Process(pid))
        except psutil.NoSuchProcess:
            return True

    wait_until(is_dead, f"process {pid} has ended")


def test_a_child_has_its_own_group_and_a_pid_file_before_it_runs(program):
    child = Child(program("a"))
    try:
        wait_up(child)

        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
        assert child.program.pid_path.read_text().split()[0] == str(child.pid)
    finally:
        child.kill()
    assert not child.program.pid_path.exists()
    assert child.returncode == -signal.SIGKILL


def test_children_are_ended_by_rank_clients_before_servers(program, tmp_path):
    order = tmp_path / "order"
    children = [
        Child(program(name, POLITE, order, name, rank=rank))
        for name, rank in [("server", Rank.SERVER), ("service", Rank.SERVICE), ("worker", Rank.WORKER)]
    ]
    for child in children:
        wait_up(child)

    killed = end_in_order(children)

    assert killed == []
    assert order.read_text().split() == ["worker", "service", "server"]
    assert [child.returncode for child in children] == [0, 0, 0]


def test_a_child_that_does_not_end_in_time_is_killed_and_named(program):
    child = Child(program("stubborn", STUBBORN, grace_s=0.2))
    wait_up(child)

    assert end_in_order([child]) == ["stubborn"]
    assert child.returncode == -signal.SIGKILL


def test_a_stopped_child_is_woken_to_hear_that_it_is_to_end(program):
    child = Child(program("a", grace_s=60))
    wait_up(child)
    os.kill(child.pid, signal.SIGSTOP)

    assert end_in_order([child]) == []
    assert child.returncode == -signal.SIGTERM


def test_in_a_hurry_children_are_killed_before_their_grace_is_over(program):
    child = Child(program("stubborn", STUBBORN, grace_s=60))
    wait_up(child)
    started_s = time.monotonic()

    end_in_order([child], is_urgent=lambda: True)

    assert time.monotonic() - started_s < 5


def test_a_failed_program_is_named_with_the_end_of_its_log(program):
    with pytest.raises(errors.ProgramFailed, match=r"breaks failed \(exit code 7\); its log is .*breaks.log") as caught:
        run_to_end(program("breaks", "import sys; print('the reason'); sys.exit(7)"), timeout_s=10)

    assert caught.value.detail == "the reason"


def test_a_program_that_hangs_is_ended_and_named(program):
    with pytest.raises(errors.NotReady, match=r"hangs wasn't ready within 0\.3 s"):
        run_to_end(program("hangs"), timeout_s=0.3)


def test_a_child_that_ends_by_itself_stops_all_and_is_named(program):
    said = r"dies ended by itself \(killed by SIGKILL\)"
    with pytest.raises(errors.ChildEnded, match=said), Supervisor() as supervisor:
        other = supervisor.start(program("other"))
        dies = supervisor.start(program("dies"))
        wait_up(dies)
        os.kill(dies.pid, signal.SIGKILL)
        supervisor.pause(10)

    assert other.returncode == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_children_and_says_which_it_was(program, number):
    before = signal.getsignal(number)

    with pytest.raises(errors.StopRequested) as caught, Supervisor() as supervisor:
        child = supervisor.start(program("a"))
        wait_up(child)
        os.kill(os.getpid(), number)
        supervisor.pause(10)

    assert caught.value.signal_number == number
    assert child.returncode == -signal.SIGTERM
    assert signal.getsignal(number) == before


def test_any_error_in_the_block_ends_all_children(program):
    with pytest.raises(ZeroDivisionError), Supervisor() as supervisor:
        child = supervisor.start(program("a"))
        wait_up(child)
        raise ZeroDivisionError

    assert not child.is_running


def test_a_child_killed_on_purpose_is_not_missed(program):
    with Supervisor() as supervisor:
        child = supervisor.start(program("a"))
        wait_up(child)
        supervisor.kill(child)
        supervisor.pause(0.2)


def test_readiness_that_never_comes_is_named(program):
    with pytest.raises(errors.NotReady, match="a wasn't ready"), Supervisor() as supervisor:
        supervisor.wait_ready(supervisor.start(program("a")), lambda: False, timeout_s=0.2)


RUN = """
import sys, signal
from pathlib import Path
from orders_service.dev.children import Program, Rank, MARKER_ENV
from orders_service.dev.folder import StateFolder
from orders_service.dev.supervisor import Supervisor
import os
path, death = Path(sys.argv[1]), int(sys.argv[2])
with StateFolder(path) as folder, Supervisor() as supervisor:
    for name, rank in (("worker", Rank.WORKER), ("server", Rank.SERVER)):
        child = supervisor.start(Program(name=name, argv=(sys.executable, "-I", "-c", sys.argv[3]),
            env={**os.environ, MARKER_ENV: str(folder.path)}, log_path=folder.log_path(name), run_dir=folder.run_dir,
            rank=rank, death_signal=signal.Signals(death)))
        supervisor.wait_ready(child, lambda: "up" in child.log_tail())
        print(child.pid, flush=True)
    supervisor.pause(600)
"""


def start_run(path, death_signal=signal.SIGKILL):
    """Start a run of its own on a folder; it and the pids of its children."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(path), str(int(death_signal)), SLEEPER], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    with run.stdout:
        return run, [int(run.stdout.readline()) for _ in range(2)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its starter died")
def test_the_kernel_ends_the_children_of_a_killed_run(tmp_path):
    run, pids = start_run(tmp_path / "state")

    run.kill()
    run.wait(10)

    for pid in pids:
        wait_dead(pid)


def test_what_a_killed_run_left_is_ended_by_the_next(tmp_path):
    # SIGCONT does nothing to a running process: so the children outlive their starter, as they do where the kernel
    # can't help.
    run, pids = start_run(tmp_path / "state", signal.SIGCONT)
    run.kill()
    run.wait(10)
    assert all(is_alive(psutil.Process(pid)) for pid in pids)

    with StateFolder(tmp_path / "state") as folder:
        names = end_leftovers(folder.run_dir, folder.path)

        assert names == ["worker", "server"]
        assert list(folder.run_dir.iterdir()) == []
        assert end_leftovers(folder.run_dir, folder.path) == []
    for pid in pids:
        wait_dead(pid)


def test_a_stranger_with_the_number_of_a_leftover_is_left_alone(program, folder):
    child = Child(program("a"))
    try:
        wait_up(child)
        pid, ticks = child.program.pid_path.read_text().split()
        child.program.pid_path.write_text(f"{pid} {int(ticks) - 1}\n")  # the number was used again since

        assert end_leftovers(folder.run_dir, folder.path) == []

        assert child.is_running
    finally:
        child.kill()


def test_a_process_of_another_folder_is_left_alone(program, folder, tmp_path):
    child = Child(program("a", marker=tmp_path / "elsewhere"))
    try:
        wait_up(child)

        assert end_leftovers(folder.run_dir, folder.path) == []

        assert child.is_running
    finally:
        child.kill()


def test_torn_and_foreign_pid_files_are_no_obstacle(folder):
    (folder.run_dir / "1-torn.pid").write_text("12")
    (folder.run_dir / "4-foreign.pid").write_text("not a number")
    (folder.run_dir / "4-gone.pid").write_text("4194300 1")

    assert end_leftovers(folder.run_dir, folder.path) == []


def test_a_folder_in_use_is_refused_naming_its_holder(tmp_path):
    run, _ = start_run(tmp_path / "state")
    try:
        with pytest.raises(errors.FolderInUse, match=rf"used by another run \(process {run.pid}\)"):
            StateFolder(tmp_path / "state").__enter__()
    finally:
        run.terminate()
        run.wait(10)


def test_a_second_signal_ends_a_stubborn_run_at_once(tmp_path):
    text = textwrap.dedent(RUN).replace("rank=rank,", "rank=rank, grace_s=60,")
    run = subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path / "state"), "9", STUBBORN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None
    assert run.stderr is not None
    pids = [int(run.stdout.readline()) for _ in range(2)]

    run.send_signal(signal.SIGINT)
    # The first child ignores SIGTERM; that it was asked shows in nothing, so the second signal may come at any time.
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=20)

    assert b"StopRequested" in said
    for pid in pids:
        wait_dead(pid)
