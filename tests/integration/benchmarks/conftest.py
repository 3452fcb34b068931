"""A server and runners for the benchmark's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.contender import CONTENDERS
from benchmarks.install import command_of, environment_of
from benchmarks.runner import Runner
from benchmarks.server import Server, embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with embedded(is_logging=False) as url:
        made = Server(url)
        made.check()
        yield made
        made.close()


@pytest.fixture
def make_runner(server: Server, tmp_path: Path) -> Callable[[str], Runner]:
    def make(name: str) -> Runner:
        contender = next(each for each in CONTENDERS if each.name == name)
        command = command_of(contender, tmp_path, is_installing=False)
        environment = environment_of(contender, tmp_path)
        return Runner(contender=contender, command=command, environment=environment, server=server)

    return make
