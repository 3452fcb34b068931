"""The command line."""

from __future__ import annotations

import enum
import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box

from benchmarks import report
from benchmarks.errors import BenchmarkError
from benchmarks.service import bulk, gate, listing, queueing, stack
from benchmarks.service.result import Figures, list_targets

if TYPE_CHECKING:
    from collections.abc import Callable

_EXIT_MISSED = 5
_MANY, _QUICK_MANY = 1_000_000, 100_000


class Part(enum.StrEnum):
    """What can be measured by itself."""

    BULK = "bulk"
    ONE = "one"
    LIST = "list"
    RELAY = "relay"
    RECONCILER = "reconciler"
    LOSS = "loss"
    GATE = "gate"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="One round, and lists of a hundred thousand orders: about four minutes.")
@click.option(
    "--part",
    "names",
    multiple=True,
    type=click.Choice([part.value for part in Part]),
    help="Only this measure; may be repeated.",
)
@click.option("--rounds", type=click.IntRange(1, 50), show_default="3, quick 1", help="How often each is measured.")
@click.option("--check", is_flag=True, help="Exit with 5 when a target is missed.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every figure of every round there, and how the targets stand.",
)
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def main(
    quick: bool, names: tuple[str, ...], rounds: int | None, check: bool, json_file: Path | None, markdown: bool
) -> None:
    """Measure the orders service beside PostgreSQL's COPY and INSERT and the queue's own enqueue_many.

    It starts a PostgreSQL and a Valkey of its own on loopback, and ends by itself: about a quarter of an hour, most of
    it for a million orders. Exit codes: 0 it ran, 1 it failed, 2 usage; with --check 5 where a target is missed.
    """
    console = report.make_console(is_markdown=markdown)
    figures = Figures()
    often = rounds or (1 if quick else 3)
    measures: dict[Part, Callable[[stack.Servers, Figures, int], None]] = {
        Part.BULK: bulk.measure_bulk,
        Part.ONE: bulk.measure_one,
        Part.RELAY: queueing.measure_relay,
        Part.LOSS: queueing.measure_loss,
        Part.GATE: gate.measure,
        Part.RECONCILER: queueing.measure_reconciler,
        Part.LIST: functools.partial(listing.measure, many=_QUICK_MANY if quick else _MANY),
    }
    load = os.getloadavg()[0]
    try:
        with stack.running() as servers:
            version = servers.version
            for part in [Part(name) for name in names] or measures:
                click.echo(f"measuring: {part}", err=True)
                measures[part](servers, figures, often)
                servers.empty_redis()
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error
    style = box.MARKDOWN if markdown else box.SIMPLE_HEAD
    console.print(
        f"{version}, Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {load:.1f} before; {often} rounds. "
        "The median of those within each round, and least to most.",
        soft_wrap=True,
    )
    console.print(report.table_of_figures({name: figures.find(name) for name in figures.values}, style))
    targets = list_targets(figures)
    console.print(report.table_of_targets(targets, style))
    if json_file is not None:
        json_file.write_text(json.dumps(figures.to_json(), indent=1) + "\n")
    if check and any(target.is_met is False for target in targets):
        sys.exit(_EXIT_MISSED)
