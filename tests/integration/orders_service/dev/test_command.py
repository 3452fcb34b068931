"""`orders-service dev` as people run it: the real command, the whole stack, and every way in which it may end."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from orders_service.dev.children import MARKER_ENV
from orders_service.dev.process import is_alive
from tests.servers import free_port
from tests.waiting import wait_until

UP_TIMEOUT_S = 60.0
NAMES = {"orders-service", "simulator", "worker-rosreestr_user_1", "postgresql", "valkey"}


class Run:
    """One run of the command, with what it said so far."""

    def __init__(self, *arguments, **env):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DB_", "REDIS_", "ROSREESTR_", "ORDERS_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orders_service.cli", "dev", *map(str, arguments)],
            env={**kept, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                self.said += line

    def wait_for(self, text):
        def is_said():
            assert self.process.poll() is None or text in self.said, f"it ended before it said {text!r}:\n{self.said}"
            return text in self.said

        wait_until(is_said, f"it says {text!r}", UP_TIMEOUT_S)

    def end(self, timeout_s=40):
        """Wait for its end; what it ended with."""
        code = self.process.wait(timeout_s)
        self._reader.join()
        return code


def family(folder):
    """All processes that belong to a state folder, the servers' helpers too."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_ours = process.environ().get(MARKER_ENV) == str(folder)
            is_ours = is_ours or any(part.startswith(f"{folder}/") for part in process.cmdline())
            if is_ours and process.pid != os.getpid() and is_alive(process):
                found.append(process)
    return found


def wait_nobody_left(folder):
    wait_until(lambda: not family(folder), "every process of the folder has ended", 30)


def pid_of(folder, name):
    (path,) = (folder / "run").glob(f"*-{name}.pid")
    return int(path.read_text().split()[0])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def up(folder):
    """Start the stack that stays; the test ends it, and nothing of it may be left."""
    runs = []

    def start(*arguments, **env):
        run = Run("--dir", folder, "--workers", "1", *arguments, **env)
        runs.append(run)
        run.wait_for("Ctrl-C ends everything.")
        return run

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.end()
    wait_nobody_left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order_and_is_the_ordinary_end(up, folder, number):
    run = up()
    assert {path.stem.partition("-")[2] for path in (folder / "run").iterdir()} == NAMES
    assert family(folder)

    run.process.send_signal(number)

    assert run.end() == 0, run.said
    assert f"Stopped by {number.name}." in run.said
    assert family(folder) == []
    assert list((folder / "run").iterdir()) == []


def test_sigkill_leaves_nothing_behind_and_the_next_start_has_all_data(up, folder):
    run = up()
    submit = try_lines(run)[0]
    assert subprocess.run(["sh", "-c", submit], capture_output=True, text=True).returncode == 0

    run.process.kill()
    run.end()
    again = up()

    listed = subprocess.run(["sh", "-c", try_lines(again)[1]], capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    assert "77:01:0001001:1001" in listed.stdout
    again.process.terminate()
    assert again.end() == 0


@pytest.mark.parametrize("name", ["worker-rosreestr_user_1", "postgresql"])
def test_the_end_of_one_part_ends_all_and_is_named(up, folder, name):
    run = up()

    os.kill(pid_of(folder, name), signal.SIGKILL)

    assert run.end() == 1
    assert re.search(rf"^Error: {name} ended by itself \(killed by SIGKILL\); its log is ", run.said, re.MULTILINE)
    assert family(folder) == []


def try_lines(run):
    """The three commands that it says to try."""
    lines = run.said.partition("Try, in another terminal:")[2].splitlines()
    commands = [line.strip() for line in lines if line.startswith("  ")]
    assert len(commands) == 3
    return commands


def test_the_commands_to_try_work_as_printed_in_any_folder(up, tmp_path):
    run = up()

    for command in try_lines(run):
        env = {"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        done = subprocess.run(["sh", "-c", command], cwd="/", env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip()

    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0


def test_a_second_run_on_the_folder_is_refused_and_the_first_goes_on(up, folder):
    run = up()

    second = Run("--dir", folder)

    assert second.end() == 1
    assert f"is used by another run (process {run.process.pid})" in second.said
    assert "Traceback" not in second.said
    assert run.process.poll() is None
    run.process.terminate()
    assert run.end() == 0


def test_servers_of_ones_own_are_used_instead_of_embedded_ones(up, folder, postgres_server, own_redis):
    target = postgres_server.database("rosq_dev_own_servers")
    try:
        run = up(**target.env(), **own_redis.env())

        names = {path.stem.partition("-")[2] for path in (folder / "run").iterdir()}
        assert names == NAMES - {"postgresql", "valkey"}
        with own_redis.client() as client:
            assert [key for key in client.scan_iter(match="rosq:{order-processing-dev}:*")]
        run.process.terminate()
        assert run.end() == 0
    finally:
        postgres_server.drop_database(target.name)


@pytest.mark.parametrize("variable", ["DB_PORT", "REDIS_PORT"])
def test_a_server_of_ones_own_that_is_away_is_said_in_one_sentence(folder, variable):
    port = free_port()

    run = Run("--dir", folder, **{variable: str(port)})

    assert run.end() == 3, run.said
    errors = [line for line in run.said.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert str(port) in errors[0]
    assert "Traceback" not in run.said
    assert family(folder) == []


def test_a_proxy_in_the_environment_and_a_poor_terminal_are_no_obstacle(up, tmp_path):
    proxy = f"http://127.0.0.1:{free_port()}"

    run = up(http_proxy=proxy, HTTP_PROXY=proxy, https_proxy=proxy, PYTHONIOENCODING="ascii")

    env = {"PATH": os.defpath, "http_proxy": proxy, "PYTHONIOENCODING": "ascii:replace"}
    done = subprocess.run(["sh", "-c", f"{try_lines(run)[0]} --wait"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run.process.terminate()
    assert run.end() == 0


def test_without_the_packages_the_command_says_what_to_install(folder):
    code = "import sys; sys.modules['psutil'] = None; sys.argv[1:] = ['dev', '--dir', sys.argv[1]]\n"
    code += "from orders_service.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: The package psutil isn't installed: run `pip install 'rosq[embedded]'`")
    assert not folder.exists()


def test_wrong_usage_says_what_is_known(folder):
    run = Run("--dir", folder, "--workers", "0")

    assert run.end() == 2
    assert not folder.exists()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo, to its end."""
    folder = tmp_path_factory.mktemp("demo") / "state"
    run = Run("--demo", "--dir", folder, COLUMNS="200")
    return run, run.end(100), folder


def test_the_demo_shows_every_order_done_and_one_failed_and_ends_well(demo):
    run, code, _ = demo
    result = run.said[run.said.rindex("cadastral number") :]

    assert code == 0, run.said
    assert result.count("Выполнен") == 13
    assert result.count("Ошибка: ") == 1
    assert "13 orders registered, 13 charges at the portal: each exactly once." in result
    assert re.search(r"rosreestr_user_\d killed by SIGKILL in mid-work: order \d+ is «", run.said)
    assert re.search(r"rosreestr_user_\d started again", run.said)


def test_the_demo_leaves_its_extracts_and_no_process(demo):
    run, _, folder = demo

    assert len(list((folder / "extracts").glob("*.zip"))) == 13
    assert str(folder / "extracts") in run.said
    assert family(folder) == []


def test_ctrl_c_during_the_demo_ends_everything(folder):
    run = Run("--demo", "--dir", folder)
    run.wait_for("orders accepted in one call")

    run.process.send_signal(signal.SIGINT)

    assert run.end() == 130, run.said
    assert "Stopped by SIGINT." in run.said
    assert family(folder) == []


def test_shell_words_in_the_folders_name_are_quoted(tmp_path):
    folder = tmp_path / "it's a folder"
    run = Run("--dir", folder, "--workers", "1")
    run.wait_for("Ctrl-C ends everything.")

    command = try_lines(run)[1]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)

    assert shlex.split(command)[1] == str(folder / "env")
    assert done.returncode == 0, done.stderr
    run.process.terminate()
    assert run.end() == 0
