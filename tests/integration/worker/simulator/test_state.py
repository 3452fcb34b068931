"""What a restart keeps: with --state everything that was paid, also when the end was sudden."""

from __future__ import annotations

import json
import resource
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.worker.simulator.numbers import LAND, ROOM
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.worker.simulator.conftest import StartProcess
    from tests.integration.worker.simulator.user import User


def test_a_killed_simulator_knows_all_it_charged(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    options = ("--state", str(tmp_path / "state"), "--ready-after", "0")
    first = start_process(*options)
    user = bound(first)
    numbers = [user.order(ROOM), user.order(LAND)]
    extract = user.download(user.rows(requestNumber=numbers[0])[0]["id"]).content
    draft = user.draft(ROOM)
    first.post("/orders", account="anna", orders=[{"cad_num": ROOM}])
    before, ledger = user.rows(), first.get("/ledger")
    first.signal(signal.SIGKILL)

    second = start_process(*options)
    user = bound(second)

    assert second.get("/ledger") == ledger
    assert user.rows() == before
    assert user.balance() == 98
    assert user.download(user.rows(requestNumber=numbers[0])[0]["id"]).content == extract
    assert user.finish(draft).text not in numbers
    assert len(second.charges("anna")) == 3


def test_an_order_is_on_disk_before_it_is_answered(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    user = bound(start_process("--state", str(state)))

    number = user.order(ROOM)

    records = [json.loads(line) for line in state.read_text().splitlines()]
    assert records[-1]["request_number"] == number
    assert records[-1]["charge"] is not None
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_a_charge_whose_answer_a_kill_swallowed_is_kept(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first = start_process("--state", str(state))
    user = bound(first)
    body = user.finish_body(user.draft(ROOM))
    first.fault("finish", "delay", seconds=60, after=True)
    with pytest.raises(httpx.ReadTimeout):
        user.http.post("/account-request/statement/finish", json=body, timeout=0.3)
    wait_until(lambda: first.charges("anna"), "the charge")
    first.signal(signal.SIGKILL)

    assert len(start_process("--state", str(state)).charges("anna")) == 1


def test_a_record_that_was_cut_in_the_middle_is_dropped(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    first = start_process("--state", str(state))
    bound(first).order(ROOM)
    first.signal(signal.SIGTERM)
    whole = state.read_bytes()
    state.write_bytes(whole + b'{"record": "order", "id"')

    second = start_process("--state", str(state))

    assert len(second.charges("anna")) == 1
    assert state.read_bytes() == whole
    bound(second).order(LAND)
    second.signal(signal.SIGTERM)
    assert len(start_process("--state", str(state)).charges("anna")) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"garbage\n", "line 1 is not a record"),
        (b'{"record": "format", "format": "other"}\n', "wasn't written by this simulator"),
        (b'{"record": "format", "format": "rosreestr-simulator-1"}\n{"record": "new"}\n', "makes no sense"),
        (b'{"record": "format", "format": "rosreestr-simulator-1"}\n{"record": "order"}\n', "makes no sense"),
    ],
)
def test_a_state_file_that_cannot_be_continued_stops_the_start(tmp_path: Path, content: bytes, why: str) -> None:
    state = tmp_path / "state"
    state.write_bytes(content)

    result = start_in_vain("--state", str(state))

    assert result.returncode == 1
    assert why in result.stderr
    assert "Traceback" not in result.stderr
    assert state.read_bytes() == content


def test_a_state_file_in_use_stops_the_start(start_process: StartProcess, tmp_path: Path) -> None:
    state = tmp_path / "state"
    start_process("--state", str(state))

    result = start_in_vain("--state", str(state))

    assert result.returncode == 1
    assert "in use by another simulator" in result.stderr


def test_numbers_do_not_come_twice_after_a_restart_without_state(
    start_process: StartProcess, bound: Callable[..., User]
) -> None:
    first = bound(start_process("--ready-after", "0"))
    second = bound(start_process("--ready-after", "0"))

    assert second.order(ROOM) != first.order(ROOM)
    assert second.rows()[0]["id"] != first.rows()[0]["id"]


def test_an_order_that_cannot_be_written_is_not_charged(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    # Given a simulator whose files may grow no further than its state file is now
    state = tmp_path / "state"
    process = start_process("--state", str(state))
    user = bound(process)
    guid = user.draft(ROOM)
    size = state.stat().st_size

    # When the disk has no room for the next record
    limits = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
    refused = user.finish(guid)

    # I expect that nothing was charged, nothing is half-written, and that it goes on once there is room again
    assert refused.status_code == 500
    assert process.charges("anna") == []
    assert state.stat().st_size == size
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, limits)
    assert user.finish(guid).status_code == 200
    assert len(process.charges("anna")) == 1


def start_in_vain(*options: str) -> subprocess.CompletedProcess[str]:
    """Start a simulator that must not start."""
    command = [sys.executable, "-m", "worker.simulator.cli", "--port", "0", "--account", "anna:secret", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
