"""The command line."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks import report, report_profile, server
from benchmarks.contender import BULL, CONTENDERS, FLOOR, FLOOR_SOCKET, ROSQ
from benchmarks.errors import BenchmarkError, SideFailed
from benchmarks.install import default_cache
from benchmarks.profile import Profile, profile
from benchmarks.result import Result
from benchmarks.run import Part, Plan, prepare, run
from benchmarks.targets import has_missed, list_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contender import Contender
    from benchmarks.runner import Runner

_DEPTHS = [1_000, 10_000, 100_000]
_DEEP = 1_000_000
_CROWDS = [1, 10, 100]
_ROUND_TRIPS_MS = [0.5, 1.0]
_LANES = [3, 10_000]
_OTHERS = 100_000
_QUICK_NAMES = (FLOOR, FLOOR_SOCKET, ROSQ, BULL)
_NOT_QUICK = {Part.RECOVERY, Part.DEPTH, Part.INSPECTION}
_PROFILED = (FLOOR, ROSQ, BULL)
_EXIT_FAILED, _EXIT_MISSED = 1, 5
_PARTS = {part.name.lower(): part for part in Part}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="About three minutes: rosq, the floors and Bull; no depth, no recovery.")
@click.option("--deep", is_flag=True, help="Half an hour: depth up to a million, and rosq inspect on as many.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only contenders whose name has this in it; may be repeated."
)
@click.option(
    "--part",
    "part_names",
    multiple=True,
    type=click.Choice(list(_PARTS)),
    help="Only this measure; may be repeated.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 50),
    show_default="3, quick 2",
    help="Every contender, once a round; the slower peers in the first three.",
)
@click.option("--jobs", default=2000, show_default=True, type=click.IntRange(100, 50_000), help="Jobs for each rate.")
@click.option(
    "--pickups",
    type=click.IntRange(10, 2000),
    show_default="600, quick 150",
    help="Jobs sent to an idle worker, a round; fewer where that would take longer than twelve seconds.",
)
@click.option(
    "--minutes",
    default=45.0,
    show_default=True,
    type=click.FloatRange(0.1, 120),
    help="Nothing is begun later: a net, not a plan.",
)
@click.option("--profile", "is_profiling", is_flag=True, help="Where the time of one job goes, instead of all that.")
@click.option("--check", is_flag=True, help="Exit with 5 when a target is missed.")
@click.option(
    "--server",
    "url",
    metavar="URL",
    help="A server on loopback whose database is empty: it is flushed again and again, and those after it, one for "
    "each depth, or number of lanes. Default: own ones are started.",
)
@click.option("--aof", is_flag=True, help="Let that Valkey write an append-only file, synced each second.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_cache,
    show_default="the user's cache folder",
    help="Where peers are installed, once.",
)
@click.option("--no-install", is_flag=True, help="Leave out peers that aren't installed yet.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every figure of every round there, and how the targets stand.",
)
@click.option(
    "--show",
    "shown_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Only print the tables of such a file.",
)
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def main(
    quick: bool,
    deep: bool,
    only: tuple[str, ...],
    part_names: tuple[str, ...],
    rounds: int | None,
    jobs: int,
    pickups: int | None,
    minutes: float,
    is_profiling: bool,
    check: bool,
    url: str | None,
    aof: bool,
    cache: Path,
    no_install: bool,
    json_file: Path | None,
    shown_file: Path | None,
    markdown: bool,
) -> None:
    """Measure rosq beside the floor and beside other queues.

    The floor is the least that a job on a stream can cost: XADD to enqueue it, one EVALSHA that acknowledges and
    deletes the last one and reads the next. The peers are installed into a cache folder; whatever can't be had is left
    out, with the reason. All run on the same server, one worker and one job in hand, in interleaved rounds: the
    machine's speed changes, so trust the ratios within a round rather than the rates.

    \b
    python -m benchmarks --quick                      three minutes: for daily use
    python -m benchmarks --deep --json run.json       everything
    python -m benchmarks --only rosq --part pickup    one question
    python -m benchmarks --profile                    where the time of one job goes
    python -m benchmarks --show run.json --markdown   the tables again

    Exit codes: 0 it ran, 1 failed (also where rosq or the floor was left out), 2 usage, 5 with --check a target is
    missed.
    """
    if shown_file is not None:
        result = Result.from_json(json.loads(shown_file.read_text(encoding="utf-8")))
        report.show(result, is_markdown=markdown)
        sys.exit(_judge(result, check=check))
    chosen = _choose(only, is_quick=quick, is_profiling=is_profiling)
    plan = Plan(
        rounds=rounds or (2 if quick else 3),
        jobs=jobs,
        pickups=pickups or (150 if quick else 600),
        depths=[*_DEPTHS, _DEEP] if deep else _DEPTHS,
        crowds=_CROWDS,
        round_trips_ms=_ROUND_TRIPS_MS,
        lanes=_LANES,
        others=_OTHERS,
        parts=_choose_parts(part_names, is_quick=quick, is_deep=deep),
        longest_s=minutes * 60,
        is_quick=quick,
    )
    tell = _Progress()
    # Like Ctrl-C: the server and its folder go with the benchmark.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as stack:
            tell("looking what its servers take to do nothing")
            servers = _open_servers(stack, url, _count_servers(plan), is_logging=aof)
            own = servers[0]
            result = Result(about=_about(own, plan, chosen, is_logging=aof))
            runners = prepare(chosen, servers, cache, result, is_installing=not no_install, tell=tell)
            try:
                if is_profiling:
                    profiles = _profile_all(runners, jobs, tell)
                else:
                    run(runners, plan, result, tell)
            finally:
                result.about["load_after"] = os.getloadavg()[0]
                result.about["took_s"] = round(tell.age_s())
                if json_file is not None and not is_profiling:
                    targets = [target.to_json() for target in list_targets(result)]
                    text = json.dumps({**result.to_json(), "targets": targets}, indent=1)
                    json_file.write_text(text, encoding="utf-8")
                for each in servers:
                    each.empty()
    except BenchmarkError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(_EXIT_FAILED)
    if is_profiling:
        report_profile.show_profiles(profiles, is_markdown=markdown)
        if json_file is not None:
            data = {name: [dataclasses.asdict(step) for step in steps] for name, steps in profiles.items()}
            json_file.write_text(json.dumps(data, indent=1), encoding="utf-8")
        return
    report.show(result, is_markdown=markdown)
    sys.exit(_judge(result, check=check))


def _count_servers(plan: Plan) -> int:
    """As many as what is compared in turns needs at once."""
    compared = {Part.DEPTH: plan.depths, Part.LANES: plan.lanes}
    return max(len(compared.get(part, ())) or 1 for part in plan.parts)


def _open_servers(stack: contextlib.ExitStack, url: str | None, count: int, *, is_logging: bool) -> list[server.Server]:
    """The one for everything, and those beside it: each an own process, or of a named server the next database."""
    opened = []
    for number in range(count):
        where = server.database_beside(url, number) if url else None
        each = server.Server(where or stack.enter_context(server.embedded(is_logging=is_logging)))
        stack.callback(each.close)
        each.check()
        opened.append(each)
    return opened


class _Progress:
    """Lines on standard error, with the time since the start."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()

    def __call__(self, what: str) -> None:
        click.echo(f"{self.age_s():6.0f} s  {what}", err=True)

    def age_s(self) -> float:
        return time.monotonic() - self._begun_s


def _choose(only: tuple[str, ...], *, is_quick: bool, is_profiling: bool) -> list[Contender]:
    names = _PROFILED if is_profiling else _QUICK_NAMES if is_quick else None
    chosen = [
        each
        for each in CONTENDERS
        if (any(part.lower() in each.name.lower() for part in only) if only else names is None or each.name in names)
    ]
    if not chosen:
        raise click.UsageError("There is none of that name, but: " + "; ".join(each.name for each in CONTENDERS))
    if all(each.name != FLOOR for each in chosen):
        # All ratios are to it.
        chosen.insert(0, CONTENDERS[0])
    return chosen


def _choose_parts(names: tuple[str, ...], *, is_quick: bool, is_deep: bool) -> frozenset[Part]:
    if names:
        return frozenset(_PARTS[name] for name in names)
    parts = frozenset(Part) - (_NOT_QUICK if is_quick else {Part.INSPECTION})
    return parts | {Part.DEPTH, Part.INSPECTION} if is_deep else parts


def _about(own: server.Server, plan: Plan, chosen: list[Contender], *, is_logging: bool) -> dict[str, Any]:
    return {
        "server": f"{own.version} with {own.allocator}",
        "is_logging": is_logging,
        "idle_cpu_share": own.idle_cpu_share,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "rounds": plan.rounds,
        "jobs": plan.jobs,
        "pickups": plan.pickups,
        "depths": plan.depths,
        "crowds": plan.crowds,
        "round_trips_ms": plan.round_trips_ms,
        "lanes": plan.lanes,
        "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "contenders": {
            each.name: {"packages": each.packages, "note": each.note, "recovery": each.recovery} for each in chosen
        },
    }


def _profile_all(runners: list[Runner], jobs: int, tell: Callable[[str], None]) -> dict[str, list[Profile]]:
    profiles = {}
    for runner in runners:
        tell(f"profile: {runner.contender.name}")
        try:
            profiles[runner.contender.name] = profile(runner, jobs)
        except SideFailed as error:
            tell(f"left out: {error}")
    return profiles


def _judge(result: Result, *, check: bool) -> int:
    for name in (FLOOR, ROSQ):
        if any(key == name or key.startswith(f"{name}: ") for key in result.skipped):
            return _EXIT_FAILED
    return _EXIT_MISSED if check and has_missed(result) else 0
