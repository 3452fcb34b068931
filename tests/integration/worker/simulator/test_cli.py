"""The command: what it says, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.certificates import Authority
from tests.integration.worker.simulator.numbers import ROOM
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.worker.simulator.conftest import StartProcess
    from tests.integration.worker.simulator.user import User

ANNA = ("--account", "anna:secret")


def run(*options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A run that must end by itself."""
    command = [sys.executable, "-m", "worker.simulator.cli", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=env)


def test_a_free_port_is_told_on_stdout_and_in_a_file(start_process: StartProcess, tmp_path: Path) -> None:
    port_file = tmp_path / "port"

    process = start_process("--port-file", str(port_file))

    assert process.announced == {
        "event": "listening",
        "url": f"http://127.0.0.1:{process.port}",
        "port": process.port,
        "pid": process.process.pid,
    }
    wait_until(port_file.exists, "the port file")
    assert port_file.read_text() == f"{process.port}\n"
    assert httpx.get(f"{process.url}/_simulator/health").json() == {"status": "ok", "accounts": 2}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(start_process: StartProcess, number: signal.Signals) -> None:
    process = start_process()
    with socket.create_connection(("127.0.0.1", process.port)):
        assert process.signal(number) == 0
    assert "Traceback" not in process.log.read_text()


def test_a_call_in_hand_is_answered_before_it_ends(start_process: StartProcess, bound: Callable[..., User]) -> None:
    process = start_process()
    user = bound(process)
    process.fault("search", "delay", seconds=0.5)
    answers: list[httpx.Response] = []
    caller = threading.Thread(target=lambda: answers.append(user.search(ROOM)))

    caller.start()
    wait_until(lambda: process.requests("anna", "search"), "the call to be in hand")
    code = process.signal(signal.SIGTERM)
    caller.join(10)

    assert code == 0
    assert [answer.status_code for answer in answers] == [200]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_it_serves_ends_it_too(number: signal.Signals) -> None:
    code = (
        "import os, sys\n"
        "from worker.simulator import server\n"
        "from worker.simulator.cli import main\n"
        "serve = server.serve\n"
        f"server.serve = lambda *arguments: (os.kill(os.getpid(), {int(number)}), serve(*arguments))\n"
        "main(['--port', '0', '--account', 'anna:secret'], prog_name='rosreestr-simulator')\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_call_that_hangs_does_not_keep_it_from_ending(
    start_process: StartProcess, bound: Callable[..., User]
) -> None:
    process = start_process()
    user = bound(process)
    process.fault("search", "delay", seconds=600)

    def ask() -> None:
        with pytest.raises(httpx.TransportError):
            user.search(ROOM)

    caller = threading.Thread(target=ask)
    caller.start()
    wait_until(lambda: process.requests("anna", "search"), "the call to be in hand")

    assert process.signal(signal.SIGTERM) == 0
    caller.join(10)
    assert not caller.is_alive()
    assert "Traceback" not in process.log.read_text()


def test_a_port_in_use_is_one_sentence_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = run(*ANNA, "--port", str(port))

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert f"Port {port} on 127.0.0.1 is in use" in result.stderr
    assert "--port" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "--account"),
        (("--account", "anna"), 2, "USERNAME:PASSWORD"),
        (("--account", "anna:a:b:c"), 2, "--accounts"),
        (("--account", "anna:secret:not base32!"), 2, "base32"),
        ((*ANNA, *ANNA), 2, "anna is given twice"),
        ((*ANNA, "--latency", "2:1"), 2, "--latency"),
        ((*ANNA, "--latency", "fast"), 2, "MIN:MAX"),
        ((*ANNA, "--idle-limit", "0"), 2, "--idle-limit"),
        ((*ANNA, "--ready-after", "-1"), 2, "--ready-after"),
        ((*ANNA, "--maintenance", "25:00-26:00"), 2, "HH:MM-HH:MM"),
        ((*ANNA, "--unknown", "77:01"), 2, "--unknown"),
        ((*ANNA, "--finish-answer", "xml"), 2, "text"),
        ((*ANNA, "--colour"), 2, "--colour"),
        ((*ANNA, "--port", "70000"), 2, "65535"),
        ((*ANNA, "--tls-cert", "cert.pem"), 2, "--tls-key"),
        ((*ANNA, "--host", "no.such.host.invalid"), 1, "no.such.host.invalid"),
        ((*ANNA, "--port", "0", "--port-file", "/nowhere/port"), 1, "--port-file"),
        ((*ANNA, "--port", "0", "--state", "/nowhere/state"), 1, "/nowhere/state"),
        (("--accounts", "/nowhere/accounts.json"), 2, "/nowhere/accounts.json"),
    ],
)
def test_a_wrong_option_is_said_in_a_sentence(options: tuple[str, ...], code: int, said: str) -> None:
    result = run(*options)

    assert result.returncode == code, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("{}", "list"),
        ("[]", "--account"),
        ("[1]", "accounts[0] must be an object"),
        ('[{"username": "anna"}]', "password is missing"),
        ('[{"username": "anna", "password": "x", "balance": "many"}]', "balance must be a whole number"),
        ('[{"username": "anna", "password": "x", "balance": -1}]', "balance"),
        ('[{"username": "anna", "password": "x", "colour": 1}]', "unknown field 'colour'"),
        ('[{"username": "anna", "password": "x", "roles": []}]', "at least one role"),
        ('[{"username": "anna", "password": "x", "oid": "12a"}]', "digits"),
    ],
)
def test_a_wrong_accounts_file_is_said_in_a_sentence(tmp_path: Path, content: str, said: str) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text(content)

    result = run("--port", "0", "--accounts", str(accounts))

    assert (result.returncode, said in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


def test_options_can_come_from_the_environment(start_process: StartProcess, bound: Callable[..., User]) -> None:
    env = {
        **os.environ,
        "ROSREESTR_SIMULATOR_ACCOUNT": "vera:secret zoya:secret",
        "ROSREESTR_SIMULATOR_UNKNOWN": f"{ROOM} 77:01:0001001:1",
    }

    process = start_process("--seed", "1", env=env)

    for name in ("vera", "zoya"):
        assert bound(process, name).search(ROOM).json()["count"] == 0


def test_help_names_every_option_its_variable_and_the_exit_codes() -> None:
    result = run("--help")

    assert result.returncode == 0
    for word in ("--account", "--state", "--idle-limit", "ROSREESTR_SIMULATOR_IDLE_LIMIT", "Exit codes", "ledger"):
        assert word in result.stdout


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from worker.simulator.__main__ import main; main()"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"needs {missing}" in result.stderr
    assert "rosq[simulator]" in result.stderr


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("warning", 0)])
def test_one_line_a_call_goes_to_stderr(start_process: StartProcess, level: str, lines: int) -> None:
    process = start_process("--log-level", level)

    httpx.get(f"{process.url}/account-back/config")
    process.signal(signal.SIGTERM)

    logged = [line for line in process.log.read_text().splitlines() if "path=/account-back/config" in line]
    assert len(logged) == lines
    assert all("status=200" in line and "method=GET" in line for line in logged)


def test_secrets_are_in_no_log_line(start_process: StartProcess, bound: Callable[..., User]) -> None:
    process = start_process("--log-level", "debug", "--account", "anna:very-secret")
    user = bound(process, "anna", "very-secret")
    user.order(ROOM)
    token = user.http.cookies["AUTH_TOKEN"]
    log = process.log.read_text()

    assert "very-secret" not in log
    assert token not in log
    assert user.profile()["attributesOauth"]["lastName"] not in log


def test_the_balance_and_oid_of_an_accounts_file_count(
    start_process: StartProcess, bound: Callable[..., User], tmp_path: Path
) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"username": "anna", "password": "secret", "balance": 3, "oid": "1000000007"}]))

    user = bound(start_process("--accounts", str(accounts)))

    assert user.oid == "1000000007"
    assert user.balance() == 3


def test_it_can_serve_https_with_a_certificate_of_the_testers_own(start_process: StartProcess, tmp_path: Path) -> None:
    files = Authority(tmp_path).equip("127.0.0.1")
    process = start_process("--tls-cert", str(files.cert_file), "--tls-key", str(files.key_file))
    trusting = ssl.create_default_context(cafile=files.ca_file)

    answer = httpx.get(f"{process.url}/account-back/auth/login", verify=trusting)

    assert process.url.startswith("https://")
    assert answer.headers["location"].startswith(f"{process.url}/aas/oauth2/ac")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{process.url}/account-back/config")
