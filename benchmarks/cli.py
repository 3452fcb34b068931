"""The command line."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks import report, server
from benchmarks.contender import CONTENDERS, FLOOR
from benchmarks.errors import BenchmarkError
from benchmarks.install import default_cache
from benchmarks.result import Result
from benchmarks.run import Plan, prepare, run

_DEPTHS = [1_000, 10_000, 100_000]
_DEEP = 1_000_000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only contenders whose name has this in it; may be repeated."
)
@click.option(
    "--rounds", default=5, show_default=True, type=click.IntRange(1, 50), help="Every contender, once a round."
)
@click.option("--jobs", default=2000, show_default=True, type=click.IntRange(100, 50_000), help="Jobs for each rate.")
@click.option(
    "--pickups",
    default=60,
    show_default=True,
    type=click.IntRange(10, 1000),
    help="Jobs sent to an idle worker, a round.",
)
@click.option(
    "--minutes", default=20.0, show_default=True, type=click.FloatRange(0.1, 120), help="No round begins later."
)
@click.option("--deep", is_flag=True, help="Depth up to a million jobs too.")
@click.option(
    "--server",
    "url",
    metavar="URL",
    help="A server on loopback whose database is empty: it is flushed again and again. Default: one is started.",
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
    help="Write every figure of every round there.",
)
@click.option(
    "--show",
    "shown_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Only print the tables of such a file.",
)
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def main(
    only: tuple[str, ...],
    rounds: int,
    jobs: int,
    pickups: int,
    minutes: float,
    deep: bool,
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
    machine's speed changes, so trust the ratios rather than the rates.

    Exit codes: 0 done, 1 failed, 2 usage.
    """
    if shown_file is not None:
        report.show(Result.from_json(json.loads(shown_file.read_text(encoding="utf-8"))), is_markdown=markdown)
        return
    chosen = [each for each in CONTENDERS if not only or any(part.lower() in each.name.lower() for part in only)]
    if not chosen:
        raise click.UsageError("There is none of that name, but: " + "; ".join(each.name for each in CONTENDERS))
    if only and all(each.name != FLOOR for each in chosen):
        # All ratios are to it.
        chosen.insert(0, CONTENDERS[0])
    console = Console(stderr=True)
    # Like Ctrl-C: the server and its folder go with the benchmark.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as stack:
            own = server.Server(url or stack.enter_context(server.embedded(is_logging=aof)))
            stack.callback(own.close)
            own.check()
            result = Result(
                about={
                    "server": own.version,
                    "is_logging": aof,
                    "python": platform.python_version(),
                    "cpus": os.cpu_count(),
                    "rounds": rounds,
                    "jobs": jobs,
                    "depths": [*_DEPTHS, _DEEP] if deep else _DEPTHS,
                    "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                    "contenders": {each.name: {"packages": each.packages, "note": each.note} for each in chosen},
                }
            )
            plan = Plan(
                rounds=rounds,
                jobs=jobs,
                pickups=pickups,
                depths=result.about["depths"],
                depth_budget_s=120.0 if deep else 8.0,
                pickup_budget_s=5.0,
                longest_s=minutes * 60,
            )
            status = stack.enter_context(console.status("Starting"))
            runners = prepare(chosen, own, cache, result, is_installing=not no_install, tell=status.update)
            try:
                run(runners, plan, result, status.update)
            finally:
                own.empty()
                if json_file is not None:
                    json_file.write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    except BenchmarkError as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        sys.exit(1)
    report.show(result, is_markdown=markdown)
