"""How figures of several rounds become ratios, and ratios targets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.contender import BULL, CONTENDERS, FLOOR, ROSQ
from benchmarks.install import SIDES
from benchmarks.result import Result, Spread
from benchmarks.run import Part, Plan, takes_part
from benchmarks.targets import Target, has_missed, list_targets

if TYPE_CHECKING:
    from pathlib import Path


def make_result() -> Result:
    about = {
        "depths": [1000, 10_000],
        "crowds": [1, 10],
        "round_trips_ms": [0.5],
        "lanes": [3, 10_000],
        "server": "Valkey",
        "is_logging": False,
        "python": "3.11",
        "cpus": 2,
        "load_before": 0.0,
        "idle_cpu_share": 0.001,
        "rounds": 3,
        "jobs": 100,
    }
    result = Result(about=about)
    # The machine is half as fast in the second round, and in the third the floor failed.
    result.add(FLOOR, 0, {"drain_per_s": 1000.0})
    result.add(ROSQ, 0, {"drain_per_s": 800.0, "memory_payload": 300.0})
    result.add(FLOOR, 1, {"drain_per_s": 500.0})
    result.add(ROSQ, 1, {"drain_per_s": 450.0})
    result.add(ROSQ, 2, {"drain_per_s": 9000.0})
    return result


def find_target(result: Result, sentence: str) -> Target:
    return next(target for target in list_targets(result) if target.sentence == sentence)


def test_a_ratio_compares_figures_of_the_same_round_only() -> None:
    ratio = make_result().find_ratio(ROSQ, "drain_per_s")

    assert ratio == Spread(median=(0.8 + 0.9) / 2, least=0.8, most=0.9)


def test_the_best_of_rounds_compares_the_greatest_of_all() -> None:
    assert make_result().find_ratio_of_best(ROSQ, "drain_per_s") == 9.0


def test_what_was_never_measured_is_none_and_no_target_is_met_by_it() -> None:
    result = make_result()

    assert result.find_median(ROSQ, "bulk_per_s") is None
    assert find_target(result, "enqueue many, of bare XADDs pipelined by 500").verdict == "not measured"
    assert find_target(result, "drain, of the floor by redis-py").verdict == "met"
    assert find_target(result, "memory of a waiting job with 100 bytes").verdict == "met"
    assert not has_missed(result)


def test_a_target_is_missed_where_its_median_is_beyond_the_limit() -> None:
    result = make_result()
    for number, memory in enumerate((330.0, 321.0, 100.0)):
        result.add(ROSQ, number, {"memory_payload": memory})

    assert find_target(result, "memory of a waiting job with 100 bytes").verdict == "missed"
    assert has_missed(result)


def test_a_million_jobs_are_not_measured_by_fewer() -> None:
    result = make_result()
    result.add(ROSQ, 0, {"inspect_depth": 100_000.0, "inspect_slowest_s": 0.1})
    sentence = "with 1,000,000 jobs the slowest view of rosq inspect takes"

    assert find_target(result, sentence).verdict == "not measured"

    result.add(ROSQ, 0, {"inspect_depth": 1_000_000.0})

    assert find_target(result, sentence).verdict == "met"


def test_the_best_peer_is_the_one_beside_which_rosq_looks_worst() -> None:
    result = make_result()
    result.add(ROSQ, 0, {"bulk_per_s": 600.0, "pickup_p50_ms": 2.0})
    result.add(BULL, 0, {"bulk_per_s": 100.0, "pickup_p50_ms": 4.0})
    result.add("rq", 0, {"bulk_per_s": 50.0, "pickup_p50_ms": 1.0})

    target = find_target(result, "enqueue many, of the best peer's bulk call")
    assert (target.seen, target.note) == (Spread(median=6, least=6, most=6), BULL)
    target = find_target(result, "pickup p50, of the soonest peer")
    assert (target.verdict, target.note) == ("missed", "rq")


def test_a_result_survives_its_file() -> None:
    result = make_result()

    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(("memory", "code"), [(300.0, 0), (330.0, 5)])
def test_check_exits_with_5_only_where_a_target_is_missed(tmp_path: Path, memory: float, code: int) -> None:
    result = make_result()
    result.add(ROSQ, 0, {"memory_payload": memory})
    file = tmp_path / "run.json"
    file.write_text(json.dumps(result.to_json()))

    ended = CliRunner().invoke(main, ["--show", str(file), "--check"])

    assert ended.exit_code == code
    assert CliRunner().invoke(main, ["--show", str(file)]).exit_code == 0


def test_a_run_without_rosq_has_failed(tmp_path: Path) -> None:
    result = make_result()
    result.skipped["rosq: recovery"] = "It fell silent."
    file = tmp_path / "run.json"
    file.write_text(json.dumps(result.to_json()))

    ended = CliRunner().invoke(main, ["--show", str(file)])

    assert ended.exit_code == 1
    assert "It fell silent." in ended.output


def test_a_contender_that_failed_at_a_part_goes_on_with_the_others() -> None:
    result = make_result()
    result.skipped[f"{BULL}: {Part.RECOVERY}"] = "It fell silent."

    assert result.why_skipped(BULL, Part.RECOVERY)
    assert not result.why_skipped(BULL, Part.ONE)


def test_every_part_measures_rosq_in_the_first_round_and_whatever_it_is_compared_with() -> None:
    plan = Plan(
        rounds=5,
        jobs=100,
        pickups=10,
        depths=[1_000],
        crowds=[1],
        round_trips_ms=[1.0],
        lanes=[3],
        others=10,
        parts=frozenset(Part),
        longest_s=1,
    )
    contender = {each.name: each for each in CONTENDERS}

    assert all(takes_part(contender[ROSQ], part, 0, plan) for part in Part)
    for part in (Part.ONE, Part.MANY, Part.PICKUP):
        for name in (FLOOR, ROSQ, BULL):
            assert takes_part(contender[name], part, 4, plan)


def test_every_contender_has_its_file_and_peers_name_exact_versions() -> None:
    for contender in CONTENDERS:
        assert (SIDES / contender.file).is_file()
        for package in contender.packages[:1]:
            assert "==" in package or "@" in package


def test_with_a_round_trip_in_between_the_part_of_it_and_the_best_peer_decide() -> None:
    result = make_result()
    for number, part in enumerate((0.7, 0.9, 0.85)):
        result.add(ROSQ, number, {"drain_over_0.5_of_wire": part, "ping_over_0.5_ms": 0.56})
    result.add(ROSQ, 0, {"drain_over_0.5_per_s": 1600.0})
    result.add(BULL, 0, {"drain_over_0.5_per_s": 1280.0})
    result.add("rq", 0, {"drain_over_0.5_per_s": 60.0})

    target = find_target(result, "drain with 0.5 ms in between, of one a round trip")
    assert (target.verdict, target.seen) == ("met", Spread(median=0.85, least=0.7, most=0.9))
    target = find_target(result, "drain with 0.5 ms in between, of the best peer")
    assert (target.verdict, target.note) == ("met", BULL)
    assert target.seen == Spread(median=1.25, least=1.25, most=1.25)


def test_many_lanes_are_judged_beside_few_of_the_same_round() -> None:
    result = make_result()
    for number, speed in enumerate((1.0, 2.0)):
        costs = {"drain_on_3_lanes_server_us": 60.0 * speed, "drain_on_10000_lanes_server_us": 66.0 * speed}
        result.add(ROSQ, number, costs)
    result.add(ROSQ, 0, {"blocks_on_10000_lanes_ms": 6.0, "blocks_on_3_lanes_ms": 1.0})

    target = find_target(result, "server CPU of drain on a queue with 10,000 lanes, of that with 3")
    assert target.verdict == "met"
    assert target.seen is not None
    assert target.seen.most == pytest.approx(1.1)
    target = find_target(result, "with 10,000 lanes no command of producers and workers blocks the server longer than")
    assert (target.verdict, target.note) == ("missed", "with 3: 1 ms")


def test_what_was_measured_has_its_table_and_what_was_not_has_none(tmp_path: Path) -> None:
    result = make_result()
    result.add(ROSQ, 0, {"drain_over_0.5_per_s": 1600.0, "drain_over_0.5_of_wire": 0.9})
    file = tmp_path / "run.json"
    file.write_text(json.dumps(result.to_json()))

    shown = CliRunner().invoke(main, ["--show", str(file)]).output

    assert "0.5 ms in between" in shown
    assert "1,600" in shown
    assert "with so many lanes" not in shown
