"""What the benchmark measures of rosq and of the floor, with few jobs, on a real server, by real processes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

import benchmarks.waiting
from benchmarks.contender import FLOOR, ROSQ
from benchmarks.crowd import measure_crowd
from benchmarks.inspection import measure_inspection
from benchmarks.lateness import measure_delay, measure_recovery
from benchmarks.profile import profile
from benchmarks.rates import measure_many, measure_one, measure_pickup
from benchmarks.server import Server, database_beside
from benchmarks.waiting import measure_depth

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.runner import Runner

ROOT = Path(__file__).parents[3]


def test_the_floor_enqueues_and_runs_a_job_by_one_round_trip_each(make_runner: Callable[[str], Runner]) -> None:
    figures = measure_one(make_runner(FLOOR), 200)

    assert figures["enqueue_commands"] == pytest.approx(1, abs=0.05)
    assert figures["enqueue_round_trips"] == pytest.approx(1, abs=0.05)
    # EVALSHA, XACK, XDEL, XREADGROUP.
    assert figures["drain_commands"] == pytest.approx(4, abs=0.1)
    assert figures["drain_round_trips"] == pytest.approx(1, abs=0.05)
    assert figures["life_server_us"] > 0


def test_the_floors_pickup_is_one_blocking_read(make_runner: Callable[[str], Runner], server: Server) -> None:
    runner = make_runner(FLOOR)
    before = server.count()
    figures = measure_pickup(runner, 30, 10.0)
    spent = server.count() - before

    warm_up, pickups = runner.contender.warm_up, 30
    assert figures["pickup_samples"] == pickups
    # Each pickup is one read that blocks; the EVALSHA before it acknowledges, and finds nothing.
    assert spent.by_command["evalsha"][0] == pytest.approx(warm_up + pickups, abs=2)
    reads_in_scripts = spent.by_command["evalsha"][0]
    assert spent.by_command["xreadgroup"][0] - reads_in_scripts == pytest.approx(pickups, abs=2)


def test_enqueue_many_is_measured_in_jobs(make_runner: Callable[[str], Runner]) -> None:
    figures = measure_many(make_runner(FLOOR), 200)

    assert figures["bulk_commands"] == pytest.approx(1, abs=0.05)
    assert figures["bulk_round_trips"] < 0.1


def test_each_depth_is_held_by_a_server_of_its_own_through_all_turns(
    make_runner: Callable[[str], Runner], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Server(database_beside(server.url, 1))
    waiting: list[tuple[str, int]] = []

    def look(runner: Runner, *arguments: object) -> dict[str, float]:
        with redis.Redis.from_url(runner.server.url) as client:
            # The one that a killed worker had in hand is still there.
            waiting.append((runner.server.url, round(client.xlen("floor"), -1)))
        return measure_at(runner, *arguments)

    measure_at: Callable[..., dict[str, float]] = benchmarks.waiting._measure_at
    monkeypatch.setattr(benchmarks.waiting, "_measure_at", look)
    runner = dataclasses.replace(make_runner(FLOOR), others=(beside,))
    figures = measure_depth(runner, [100, 300], 100, 10.0, 2)

    assert waiting == [(server.url, 100), (beside.url, 300), (beside.url, 300), (server.url, 100)]
    assert {"enqueue_at_100_server_us", "drain_at_300_server_us", "life_at_300_server_us"} <= figures.keys()
    for url in (server.url, beside.url):
        with redis.Redis.from_url(url) as client:
            assert client.dbsize() == 0
    beside.close()


@pytest.mark.parametrize("name", [FLOOR, ROSQ])
def test_many_workers_settle_exactly_what_is_counted(make_runner: Callable[[str], Runner], name: str) -> None:
    figures = measure_crowd(make_runner(name), [1, 5], 100)

    # The same commands for a job, whoever runs it; heartbeats and bells are the rest.
    assert figures["drain_by_5_commands"] == pytest.approx(figures["drain_by_1_commands"], rel=0.2)
    assert figures["drain_by_1_server_us"] > 0


def test_a_delayed_job_is_late_by_little_and_never_early(make_runner: Callable[[str], Runner]) -> None:
    figures = measure_delay(make_runner(ROSQ), 50, 10)

    assert figures["delay_samples"] == 10
    assert 0 <= figures["delay_p50_ms"] < 1_000


def test_recovery_takes_no_less_than_what_is_left_of_the_lease(make_runner: Callable[[str], Runner]) -> None:
    figures = measure_recovery(make_runner(ROSQ))

    # 5 s of lease, renewed each third of it; then the crash's pause of 1 s.
    assert 5 * 2 / 3 < figures["recovery_s"] < 30


def test_every_view_of_rosq_inspect_is_looked_at(make_runner: Callable[[str], Runner]) -> None:
    figures = measure_inspection(make_runner(ROSQ), 4_000, 100, repeats=1)

    assert figures["inspect_depth"] == 4_000
    assert 0 < figures["inspect_explain_s"] <= figures["inspect_slowest_s"]
    assert figures["inspect_blocks_ms"] > 0


def test_a_profile_accounts_for_the_scripts_time(make_runner: Callable[[str], Runner]) -> None:
    enqueue, drain = profile(make_runner(ROSQ), 200)

    for step in (enqueue, drain):
        # Not compared with the CPU time: scripts are timed by the clock, which runs on while others have the core.
        assert 0 < step.called_us < step.script_us
        assert step.server_us > 0
    assert any("consumer.py" in share.what for share in drain.modules)


def test_the_program_writes_figures_and_targets_and_ends_with_0(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "rosq", "--part", "one", "--rounds", "1", "--jobs", "100"]

    ended = subprocess.run([*command, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    assert "enqueue and drain: rosq" in ended.stderr
    run = json.loads(file.read_text())
    assert run["values"][ROSQ]["drain_per_s"]
    verdicts = {target["sentence"]: target["verdict"] for target in run["targets"]}
    assert verdicts["drain, of the floor by redis-py"] in ("met", "missed")
    assert verdicts["drain, of Bull on Node"] == "not measured"
