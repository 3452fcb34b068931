"""What is measured with a round trip in between, and on a queue of many lanes, on a real server by real processes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import redis

from benchmarks.contender import FLOOR, ROSQ
from benchmarks.distance import measure_distance
from benchmarks.lanes import measure_lanes
from benchmarks.server import Server, database_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.runner import Runner


@pytest.mark.parametrize("name", [FLOOR, ROSQ])
def test_no_more_jobs_run_than_round_trips_were_possible(make_runner: Callable[[str], Runner], name: str) -> None:
    figures = measure_distance(make_runner(name), 5.0, 100)

    assert figures["ping_direct_ms"] < 5 <= figures["ping_over_5_ms"] <= figures["ping_over_5_p99_ms"]
    for step in ("enqueue", "drain"):
        assert figures[f"{step}_over_5_round_trips"] == pytest.approx(1, abs=0.1)
        # Each took 5 ms or more, and one after the other.
        assert 0 < figures[f"{step}_over_5_per_s"] <= 1 / 0.005
        part = figures[f"{step}_over_5_per_s"] * figures["ping_over_5_ms"] / 1000
        assert figures[f"{step}_over_5_of_wire"] == pytest.approx(part)


@pytest.mark.parametrize("name", [FLOOR, ROSQ])
def test_a_worker_goes_from_lane_to_lane_and_never_looks_in_vain(
    make_runner: Callable[[str], Runner], server: Server, name: str
) -> None:
    beside = Server(database_beside(server.url, 1))
    runner = dataclasses.replace(make_runner(name), others=(beside,))

    figures = measure_lanes(runner, [3, 700], 200, 2, stand_by_s=1.0)

    for step in ("enqueue", "drain"):
        for lanes in (3, 700):
            assert figures[f"{step}_on_{lanes}_lanes_round_trips"] == pytest.approx(1, abs=0.1)
            assert figures[f"{step}_on_{lanes}_lanes_server_us"] > 0
    assert figures["drain_on_700_lanes_commands"] == pytest.approx(figures["drain_on_3_lanes_commands"], rel=0.2)
    assert figures["blocks_on_700_lanes_ms"] > 0
    for url in (server.url, beside.url):
        with redis.Redis.from_url(url) as client:
            assert client.dbsize() == 0
    beside.close()
