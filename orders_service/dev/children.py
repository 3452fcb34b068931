"""Child processes: each with a process group, a log and a pid file of its own, and none that outlives its starter."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from orders_service.dev import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orders_service.dev.privileges import LessUser

LAUNCHER = Path(__file__).with_name("launcher.py")

#: In every child's environment: the state folder whose run it belongs to.
MARKER_ENV = "ROSQ_DEV_FOLDER"


# How often children are looked at.
ROUND_S = 0.05


class Rank(enum.IntEnum):
    """When a child is ended: lower ranks first, so that nobody loses a server that it still needs."""

    WORKER = 1
    SERVICE = 2
    SIMULATOR = 3
    SERVER = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run as a child, and how it is ended."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log_path: Path
    #: Where its pid files go.
    run_dir: Path
    rank: Rank
    #: What asks it to end in order.
    stop_signal: signal.Signals = signal.SIGTERM
    #: How long that may take before SIGKILL.
    grace_s: float = 10.0
    #: What the kernel sends it when its starter dies.
    death_signal: signal.Signals = signal.SIGKILL
    #: Whom to run it as; None: as who we are.
    less_user: LessUser | None = None

    @property
    def pid_path(self) -> Path:
        """Where the launcher notes the pid; the name says in which order leftovers are ended."""
        return self.run_dir / f"{self.rank.value}-{self.name}.pid"


class Child:
    """One running program. Start it from the main thread: the kernel ends it when the thread that started it ends."""

    def __init__(self, program: Program) -> None:
        self.program = program
        plan = {
            "parent": os.getpid(),
            "pid_file": str(program.pid_path),
            "death_signal": program.death_signal,
            "uid": program.less_user.uid if program.less_user else None,
            "gid": program.less_user.gid if program.less_user else None,
            "keeps_path_access": program.less_user.keeps_path_access if program.less_user else False,
        }
        argv = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(plan), *program.argv]
        with program.log_path.open("ab") as log:
            # A group of its own: Ctrl-C in the terminal reaches the supervisor only, which ends the children in order.
            self._process = subprocess.Popen(
                argv,
                env=dict(program.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def name(self) -> str:
        """What people call it."""
        return self.program.name

    @property
    def pid(self) -> int:
        """Its process id, also after its end."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As `Popen.returncode`; None while it runs."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether it hasn't ended."""
        return self._process.poll() is None

    def request_stop(self) -> None:
        """Ask it to end in order; returns at once."""
        if self.is_running:
            self._process.send_signal(self.program.stop_signal)
            self._process.send_signal(signal.SIGCONT)  # a stopped process hears nothing before it goes on

    def kill(self) -> None:
        """End it and all of its group with SIGKILL, and wait for that."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            # Its launcher may not be in the group of that number yet.
            self._process.kill()
        self._process.wait()
        self.program.pid_path.unlink(missing_ok=True)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when the time was over first."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        self.program.pid_path.unlink(missing_ok=True)
        return True

    def log_tail(self, lines: int = 12) -> str:
        """The end of its log, for an error."""
        return tail(self.program.log_path, lines)


def run_to_end(program: Program, timeout_s: float) -> None:
    """Run a program that ends by itself.

    Raises:
        ProgramFailed: It ended with another code than 0.
        NotReady: It was still running after `timeout_s`, and was killed.
    """
    child = Child(program)
    try:
        is_ended = child.wait(timeout_s)
    finally:
        child.kill()
    if not is_ended:
        raise errors.NotReady(program.name, timeout_s, program.log_path, child.log_tail())
    if child.returncode:
        raise errors.ProgramFailed(program.name, child.returncode, program.log_path, child.log_tail())


def end_in_order(children: Sequence[Child], is_urgent: Callable[[], bool] = lambda: False) -> list[str]:
    """End these children, those of one rank side by side; return the names of those that had to be killed.

    Args:
        is_urgent: Asked again and again: once true, the rest is killed. What the servers keep is durable: they recover
            at their next start.
    """
    killed = []
    for rank in sorted({child.program.rank for child in children}):
        of_rank = [child for child in children if child.program.rank == rank]
        for child in of_rank:
            child.request_stop()
        deadline = time.monotonic() + max(child.program.grace_s for child in of_rank)
        for child in of_rank:
            while not child.wait(ROUND_S):
                if is_urgent() or time.monotonic() > deadline:
                    child.kill()
                    killed.append(child.name)
    return killed


def tail(path: Path, lines: int) -> str:
    """The last lines of a log; empty where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=lines)).rstrip()
    except FileNotFoundError:
        return ""
