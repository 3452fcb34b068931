"""One simulator for most tests, an account of its own for each; who needs other options starts another."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.simulator.process import SimulatorProcess
from tests.integration.worker.simulator.user import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    StartSimulator = Callable[..., SimulatorProcess]

_ACCOUNTS = 1000
#: Accounts that a test names itself, so that no other one is given them.
_VISITORS = ("visitor_1", "visitor_2", "visitor_3")
_serial = itertools.count()


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    folder = tmp_path_factory.mktemp("simulator")
    accounts = folder / "accounts.json"
    names = [*_VISITORS, *(f"user_{n}" for n in range(_ACCOUNTS))]
    accounts.write_text(json.dumps([{"username": name, "password": "secret"} for name in names]))
    process = SimulatorProcess(folder / "log", "--accounts", str(accounts), "--ready-after", "0")
    yield process
    process.close()


@pytest.fixture
def portal(_shared: SimulatorProcess) -> Iterator[SimulatorProcess]:
    """The shared simulator: orders are ready at once, no latency, no faults standing."""
    yield _shared
    _shared.delete("/faults")


@pytest.fixture
def new_user(portal: SimulatorProcess) -> Iterator[Callable[[], User]]:
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


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[StartSimulator]:
    """Starts simulators with options of the test's own; each is ended after the test."""
    started: list[SimulatorProcess] = []

    def start(*options: str, env: dict[str, str] | None = None) -> SimulatorProcess:
        named = (
            ()
            if env is not None or {"--account", "--accounts"} & set(options)
            else ("--account", "anna:secret", "--account", "boris:secret")
        )
        process = SimulatorProcess(tmp_path / f"simulator-{len(started)}.log", *named, *options, env=env)
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()


@pytest.fixture
def bound(start_simulator: StartSimulator) -> Iterator[Callable[..., User]]:
    """Logs a person in at a simulator of the test's own."""
    made: list[User] = []

    def log_in(process: SimulatorProcess, username: str = "anna", password: str = "secret") -> User:
        user = User(process.url, username, password)
        made.append(user)
        return user.log_in().bind()

    yield log_in
    for user in made:
        user.http.close()
