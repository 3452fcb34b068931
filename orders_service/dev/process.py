"""Processes that aren't our children any more: telling who they are, and waiting until they are gone."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psutil

from orders_service.dev.children import MARKER_ENV, ROUND_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def wait_gone(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until these have ended; return those that haven't after all.

    A zombie has ended: it only waits for whoever adopted it, which may take its time.
    """
    deadline = time.monotonic() + timeout_s
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(ROUND_S / 5)
        alive = [process for process in alive if is_alive(process)]
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Whether the very process runs: not another one with its number, and not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find_child_of_folder(pid_path: Path, folder: Path) -> psutil.Process | None:
    """Find the running process that a pid file names, if it surely is one that a run on this folder started.

    The number alone proves nothing, since numbers are used again: the start time that the launcher noted must agree (on
    Linux, to the clock tick), and command line or environment must name the folder.
    """
    try:
        pid, start_ticks = (int(part) for part in pid_path.read_text(encoding="ascii").split())
        process = psutil.Process(pid)
        if _start_ticks(pid) != start_ticks or not is_alive(process):
            return None
        return process if _names_folder(process, folder) else None
    except (ValueError, OSError, psutil.NoSuchProcess):
        return None  # a torn or foreign file, or a process that ended meanwhile: nobody to end


def _start_ticks(pid: int) -> int:
    if not psutil.LINUX:
        return 0
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - /proc is no file tree
        return int(file.read().rpartition(")")[2].split()[19])


def _names_folder(process: psutil.Process, folder: Path) -> bool:
    if any(part == str(folder) or part.startswith(f"{folder}/") for part in process.cmdline()):
        return True
    # The environment of another user's process is closed even to root in some containers; its command line never is.
    with contextlib.suppress(psutil.AccessDenied):
        return process.environ().get(MARKER_ENV) == str(folder)
    return False
