"""The tool that stops workers at named points does each deed once, and only there."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.chaos.worker_process import ChaosSignals
from worker.order.points import Point

if TYPE_CHECKING:
    from pathlib import Path


def test_a_worker_waits_at_a_fifo_until_it_is_told_to_go_on_and_only_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    signals = ChaosSignals({"WORKER_WAIT_AT": f"after_upload:{fifo}", "WORKER_CHAOS_DIR": str(tmp_path)})
    went_on = threading.Event()

    def worker() -> None:
        signals.reached(Point.AFTER_INTENT)
        signals.reached(Point.AFTER_UPLOAD)
        went_on.set()
        signals.reached(Point.AFTER_UPLOAD)

    thread = threading.Thread(target=worker)
    thread.start()
    with fifo.open() as told:
        assert told.readline() == "after_upload\n"
    assert not went_on.is_set()
    with fifo.open("w") as go_on:
        go_on.write("go on\n")

    thread.join(timeout=5)
    assert went_on.is_set()
    assert not thread.is_alive()
    assert (tmp_path / "wait.after_upload").read_text() == f"{os.getpid()}\n"


def test_a_deed_without_a_folder_for_its_mark_is_refused() -> None:
    with pytest.raises(SystemExit, match="WORKER_CHAOS_DIR"):
        ChaosSignals({"WORKER_KILL_AT": "after_gate"})


def test_an_unknown_point_is_refused() -> None:
    with pytest.raises(ValueError, match="somewhere"):
        ChaosSignals({"WORKER_KILL_AT": "somewhere", "WORKER_CHAOS_DIR": "/tmp"})
