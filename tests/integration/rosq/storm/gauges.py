"""What a long run must not let grow: the memory, descriptors and threads of processes, the keys of a server."""

from __future__ import annotations

import collections
import dataclasses
import statistics
from typing import TYPE_CHECKING

import psutil
import redis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rosq.store.keys import Keys
    from tests.servers import RedisServer


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """The gauges at one moment of a run."""

    at_s: float
    values: dict[str, float]


def read_process(name: str, pid: int) -> dict[str, float]:
    """The gauges of a process; none of one that is just ending."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return {
                f"{name} rss MB": process.memory_info().rss / 1e6,
                f"{name} descriptors": process.num_fds(),
                f"{name} threads": process.num_threads(),
            }
    except psutil.Error:
        return {}


def read_server(server: RedisServer, keys: Keys) -> dict[str, float]:
    """The gauges of a server, keys counted by kind; none of one that is away."""
    try:
        with server.client() as client:
            told = client.info()
            found = collections.Counter(
                str(key).removeprefix(keys.pattern[:-1]).split(":")[0] for key in client.scan_iter(count=1000)
            )
            lanes = client.scard(keys.lanes)
    except redis.RedisError:
        return {}
    return {
        "server memory MB": told["used_memory"] / 1e6,
        "server clients": told["connected_clients"],
        "keys": sum(found.values()),
        "lanes": lanes,
        **{f"keys of {kind}": count for kind, count in found.items() if kind in ("job", "lane", "bell", "worker")},
    }


#: What a gauge may be above its early median: by part, and by so much whatever it is.
_PART, _ROOM = 1.15, {"rss MB": 8.0, "descriptors": 6.0, "threads": 3.0, "MB": 4.0, "clients": 12.0}


def list_growing(samples: Sequence[Sample]) -> list[str]:
    """Name the gauges whose median in the run's last quarter is above that of its second one.

    The first quarter fills what is kept by count and age, so it says nothing.
    """
    quarter = len(samples) // 4
    early, late = _medians(samples[quarter : 2 * quarter]), _medians(samples[3 * quarter :])
    told: list[str] = []
    for name in sorted(early.keys() & late.keys()):
        room = next((room for ending, room in _ROOM.items() if name.endswith(ending)), 60.0)
        if late[name] > early[name] * _PART + room:
            told.append(f"{name}: {early[name]:.0f} early, {late[name]:.0f} late")
    return told


def tell_medians(samples: Sequence[Sample]) -> str:
    """Say each gauge early and late, a line each."""
    quarter = len(samples) // 4
    early, late = _medians(samples[quarter : 2 * quarter]), _medians(samples[3 * quarter :])
    return "\n".join(f"  {name}: {early[name]:.1f} -> {late[name]:.1f}" for name in sorted(early.keys() & late.keys()))


def _medians(samples: Sequence[Sample]) -> Mapping[str, float]:
    values: dict[str, list[float]] = collections.defaultdict(list)
    for sample in samples:
        for name, value in sample.values.items():
            values[name].append(value)
    return {name: statistics.median(each) for name, each in values.items()}
