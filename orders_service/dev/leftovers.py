"""Ending what a killed run left behind in its folder, before anything new starts on the same files.

The kernel ends the children of a killed run (see `launcher`), but not on every system, and not at once: PostgreSQL
writes a checkpoint first. Two Valkeys on one log would spoil it.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil

from orders_service.dev import errors
from orders_service.dev.children import Rank
from orders_service.dev.process import find_child_of_folder, wait_gone

if TYPE_CHECKING:
    from pathlib import Path

GRACE_S = 5.0
SERVER_GRACE_S = 20.0


def end_leftovers(run_dir: Path, folder: Path) -> list[str]:
    """End every process that an earlier run on this folder left, clients before servers; return their names.

    Only for the holder of the folder's lock. Ends nothing whose identity isn't certain. Safe to repeat.

    Raises:
        DevError: One of them can't be ended.
    """
    ended: list[str] = []
    for rank in Rank:
        found: dict[str, psutil.Process] = {}
        for pid_path in sorted(run_dir.glob(f"{rank.value}-*.pid")):
            process = find_child_of_folder(pid_path, folder)
            if process is not None:
                found[pid_path.stem.partition("-")[2]] = process
        _end(found, rank)
        ended += found
    for path in run_dir.iterdir():
        path.unlink()
    return ended


def _end(found: dict[str, psutil.Process], rank: Rank) -> None:
    is_server = rank is Rank.SERVER
    everybody = list(found.values())
    for process in found.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            # A server's helpers must be gone too: as long as one lives, a new server is refused.
            everybody += process.children(recursive=True)
            # PostgreSQL ends its sessions on SIGINT only; on SIGTERM it would wait for them.
            process.send_signal(signal.SIGINT if is_server else signal.SIGTERM)
    for process in wait_gone(everybody, SERVER_GRACE_S if is_server else GRACE_S):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if rest := wait_gone(everybody, GRACE_S):
        pids = ", ".join(str(process.pid) for process in rest)
        raise errors.DevError(f"An earlier run left processes that don't end ({pids}): end them and start again.")
