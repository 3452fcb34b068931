"""How figures of several rounds become ratios, and ratios targets."""

from __future__ import annotations

import json

from benchmarks.contender import CONTENDERS, FLOOR, ROSQ
from benchmarks.install import SIDES
from benchmarks.result import Result
from benchmarks.targets import list_targets


def make_result() -> Result:
    result = Result(about={"depths": [1000, 10_000]})
    # The machine is half as fast in the second round, and in the third the floor failed.
    result.add(FLOOR, 0, {"drain_per_s": 1000.0})
    result.add(ROSQ, 0, {"drain_per_s": 800.0, "memory_payload": 300.0})
    result.add(FLOOR, 1, {"drain_per_s": 500.0})
    result.add(ROSQ, 1, {"drain_per_s": 450.0})
    result.add(ROSQ, 2, {"drain_per_s": 9000.0})
    return result


def test_a_ratio_compares_figures_of_the_same_round_only() -> None:
    assert make_result().find_ratio(ROSQ, "drain_per_s") == (0.8 + 0.9) / 2


def test_what_was_never_measured_is_none_and_no_target_is_met_by_it() -> None:
    result = make_result()

    assert result.find_median(ROSQ, "bulk_per_s") is None
    unmet = {target.sentence: target.is_met for target in list_targets(result)}
    assert unmet["enqueue many, of bare XADDs pipelined by 500"] is None
    assert unmet["drain, of the floor by redis-py"] is True
    assert unmet["memory of a job with 100 bytes"] is True


def test_a_result_survives_its_file() -> None:
    result = make_result()

    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_every_contender_has_its_file_and_peers_name_exact_versions() -> None:
    for contender in CONTENDERS:
        assert (SIDES / contender.file).is_file()
        for package in contender.packages[:1]:
            assert "==" in package or "@" in package
