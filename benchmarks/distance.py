"""What a job costs where the server is away: with a round trip put in between, by a proxy of the benchmark's own.

There the round trips of a job are nearly all of its time, and a queue that needs one a job runs nearly one a round
trip. How long one takes is measured, by `PING` over a bare socket through the same proxy just before: that is the floor
under everything, and rates are told as parts of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.errors import ServerUnfit
from benchmarks.process import Side
from benchmarks.rates import drain
from benchmarks.runner import PATIENCE_S, PAYLOAD, list_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.runner import Runner

_PROXY = Path(__file__).parent / "delay_proxy.py"
_START_S = 10.0
_PINGS = 300
_PING_TIMEOUT_S = 10.0


def measure_distance(runner: Runner, round_trip_ms: float, jobs: int) -> dict[str, float]:
    """Enqueue so many jobs one by one and run them, by processes that reach the server through the proxy.

    The server's counters are read without it.

    Returns:
        The figures of `enqueue_over_…` and `drain_over_…`, and `…_of_wire`: the rate as a part of what one round trip
        after the other would be. `ping_over_…_ms` is the half, `…_p99_ms` the hundredth of the round trips that were
        measured; `ping_direct_ms` one without the proxy.
    """
    name = name_distance(round_trip_ms)
    direct_s = ping(runner.server.url)
    with put_between(runner.server.url, round_trip_ms) as far_url:
        far = dataclasses.replace(runner, far_url=far_url)
        far_s = ping(far_url)
        round_trip_s = statistics.median(far_s)
        figures = {
            f"ping_{name}_ms": round_trip_s * 1000,
            f"ping_{name}_p99_ms": statistics.quantiles(far_s, n=100, method="inclusive")[98] * 1000,
            "ping_direct_ms": statistics.median(direct_s) * 1000,
        }
        with far.producer() as producer:
            # By its call for many, where it has one: it wouldn't be warm otherwise, but this is no time to be measured.
            far.fill(producer, far.contender.warm_up)
            before = runner.server.count()
            told = producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
            figures |= list_figures(f"enqueue_{name}", jobs, told, runner.server.count() - before)
            figures |= drain(far, jobs, f"drain_{name}")
    for step in ("enqueue", "drain"):
        figures[f"{step}_{name}_of_wire"] = figures[f"{step}_{name}_per_s"] * round_trip_s
    return figures


def name_distance(round_trip_ms: float) -> str:
    """What the figures of a round trip have in their names."""
    return f"over_{round_trip_ms:g}"


@contextlib.contextmanager
def put_between(url: str, round_trip_ms: float) -> Iterator[str]:
    """The same server's URL with a round trip in between; the proxy ends with the block."""
    parts = urlsplit(url)
    server = (parts.hostname or "127.0.0.1", str(parts.port or 6379))
    command = [sys.executable, str(_PROXY), f"{round_trip_ms:g}", *server]
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    with Side(f"the proxy of {round_trip_ms:g} ms", command, environment) as proxy:
        port = proxy.hear(_START_S, "port")["port"]
        password = f":{parts.password}@" if parts.password else ""
        yield parts._replace(netloc=f"{password}127.0.0.1:{port}").geturl()


def ping(url: str, times: int = _PINGS) -> list[float]:
    """Seconds of each of so many `PING`s, over one bare socket.

    Raises:
        ServerUnfit: The server doesn't answer them.
    """
    parts = urlsplit(url)
    taken_s = []
    address = (parts.hostname or "127.0.0.1", parts.port or 6379)
    with socket.create_connection(address, timeout=_PING_TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.password:
            connection.sendall(f"AUTH {parts.password}\r\n".encode())
            connection.recv(1024)
        for _ in range(times):
            begun_s = time.perf_counter()
            connection.sendall(b"PING\r\n")
            answer = connection.recv(1024)
            taken_s.append(time.perf_counter() - begun_s)
            if answer != b"+PONG\r\n":
                raise ServerUnfit(
                    f"The server at {parts.hostname} answers PING by {answer.decode(errors='replace')!r}."
                )
    return taken_s
