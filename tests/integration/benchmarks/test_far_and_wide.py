"""What is measured with a round trip in between, on a real server by real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.contender import FLOOR, ROSQ
from benchmarks.distance import measure_distance

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
