"""How the processes of a contender are started, and what is noted of what they did."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from benchmarks.process import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.contender import Contender
    from benchmarks.server import Counters, Server

#: 100 bytes of compact JSON.
PAYLOAD = {"payload": "x" * 86}
POINTER = {"order_id": 123456}
#: No call of a contender may take longer.
PATIENCE_S = 60.0
_numbers = itertools.count(1)
#: What is asked for in one call while a queue is filled.
_PART = 20_000
#: And by those that have no call for many.
_PART_ONE_BY_ONE = 5_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How a contender's processes are started, and on which server they meet."""

    contender: Contender
    command: list[str]
    environment: dict[str, str]
    server: Server
    #: Further ones, for what is kept beside it to be compared in turns. Empty while they aren't used.
    others: tuple[Server, ...] = ()
    #: Where its processes find the server, when not directly.
    far_url: str = ""

    def list_servers(self, count: int) -> list[Runner]:
        """The same contender on so many servers, this one's first."""
        servers = (self.server, *self.others)[:count]
        return [dataclasses.replace(self, server=server, others=()) for server in servers]

    @contextlib.contextmanager
    def producer(self) -> Iterator[Side]:
        """A producer that is connected, on an empty server."""
        self.server.empty()
        with self._start("produce") as side:
            side.wait_ready()
            yield side

    @contextlib.contextmanager
    def warm_producer(self) -> Iterator[Side]:
        """The same, after a few jobs: as many as a worker warms up with."""
        with self.producer() as side:
            side.ask(PATIENCE_S, do="one", count=self.contender.warm_up, data=PAYLOAD)
            yield side

    @contextlib.contextmanager
    def worker(self, **order: Any) -> Iterator[Side]:
        """A worker that is connected; it has begun to work."""
        # The last worker was killed: its name is its own until its lease runs out.
        order.setdefault("name", f"w{next(_numbers)}")
        with self._start("work") as side:
            side.say(**order)
            side.wait_ready()
            yield side

    def fill(self, producer: Side, count: int, *, delay_s: float | None = None) -> float:
        """Enqueue so many jobs as fast as it goes; return the seconds that it took."""
        has_bulk = self.contender.has_bulk
        seconds, left = 0.0, count
        while left > 0:
            part = min(left, _PART if has_bulk else _PART_ONE_BY_ONE)
            if delay_s is not None:
                told = producer.ask(PATIENCE_S, do="many_delayed", count=part, delay_s=delay_s, data=PAYLOAD)
            else:
                told = producer.ask(PATIENCE_S, do="many" if has_bulk else "one", count=part, data=PAYLOAD)
            seconds += told["seconds"]
            left -= part
        return seconds

    def _start(self, role: str) -> Side:
        command = [*self.command, role, self.far_url or self.server.url]
        return Side(f"{self.contender.name} ({role})", command, self.environment)


def list_figures(name: str, jobs: int, told: dict[str, Any], spent: Counters) -> dict[str, float]:
    """What so many jobs cost, under names that begin with `name`."""
    return {
        f"{name}_per_s": jobs / told["seconds"],
        f"{name}_client_us": told["cpu_s"] / jobs * 1e6,
        f"{name}_server_us": spent.cpu_s / jobs * 1e6,
        f"{name}_commands": spent.commands / jobs,
        f"{name}_round_trips": spent.round_trips / jobs,
        f"{name}_bytes": spent.bytes / jobs,
    }
