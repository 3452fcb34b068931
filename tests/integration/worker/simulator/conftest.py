"""One simulator for most tests, an account of its own for each; who needs other options starts another."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.process import SimulatorProcess
from tests.integration.worker.simulator.thread import SimulatorThread
from tests.integration.worker.simulator.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.worker.simulator.control import Control

    StartProcess = Callable[..., SimulatorProcess]
    StartSimulator = Callable[..., SimulatorThread]

_ACCOUNTS = 1000
#: Accounts that a test names itself, so that no other one is given them.
_VISITORS = ("visitor_1", "visitor_2", "visitor_3")
_serial = itertools.count()


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorThread]:
    names = [*_VISITORS, *(f"user_{n}" for n in range(_ACCOUNTS))]
    thread = SimulatorThread(*names, ready_after=0)
    yield thread
    thread.close()


@pytest.fixture
def portal(_shared: SimulatorThread) -> Iterator[SimulatorThread]:
    """The shared simulator: orders are ready at once, no latency, no faults standing."""
    yield _shared
    _shared.delete("/faults")


@pytest.fixture
def new_user(portal: SimulatorThread) -> Iterator[Callable[[], User]]:
    """Makes people with accounts that nobody used before, logged in and bound to their role."""
    made: list[User] = []

    def make() -> User:
        user = User(portal.url, f"user_{next(_serial)}")
        made.append(user)
        return user.log_in().bind()

    yield make
    for user in made:
        user.http.close()


@pytest.fixture
def user(new_user: Callable[[], User]) -> User:
    """One of them."""
    return new_user()


_TWO = ("--account", "anna:secret", "--account", "boris:secret")


def _with_accounts(options: tuple[str, ...]) -> tuple[str, ...]:
    return options if {"--account", "--accounts", "--scenario"} & set(options) else (*_TWO, *options)


@pytest.fixture
def start_simulator() -> Iterator[StartSimulator]:
    """Starts simulators with options of the test's own, each in a thread; each is ended after the test."""
    started: list[SimulatorThread] = []

    def start(*options: str) -> SimulatorThread:
        started.append(SimulatorThread.of_options(*_with_accounts(options)))
        return started[-1]

    yield start
    for thread in started:
        thread.close()


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[StartProcess]:
    """The same as a process, for what only one shows: signals, log lines, a death."""
    started: list[SimulatorProcess] = []

    def start(*options: str, env: dict[str, str] | None = None) -> SimulatorProcess:
        log = tmp_path / f"simulator-{len(started)}.log"
        started.append(SimulatorProcess(log, *(options if env is not None else _with_accounts(options)), env=env))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def bound() -> Iterator[Callable[..., User]]:
    """Logs a person in at a simulator of the test's own."""
    made: list[User] = []

    def log_in(process: Control, username: str = "anna", password: str = "secret") -> User:
        user = User(process.url, username, password)
        made.append(user)
        return user.log_in().bind()

    yield log_in
    for user in made:
        user.http.close()
