"""`rosq doctor`, and `rosq inspect snapshot` and `schema`: for whoever looks for what is wrong, or helps with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, EXIT_FAILED, EXIT_INCONSISTENT, Failed, Target
from rosq.commands.options import SCAN
from rosq.commands.output import Output, output_options, show
from rosq.commands.streams import is_unicode
from rosq.inspect.draw import views
from rosq.inspect.inspector import Inspector
from rosq.inspect.schema import LINES, VIEWS, make_schema
from rosq.inspect.snapshot import take
from rosq.inspect.view import DOCTOR_SCAN

if TYPE_CHECKING:
    from rosq.inspect.snapshot import Snapshot


@click.command(epilog=EXIT_CODES)
@click.option("--scan", type=SCAN, default=DOCTOR_SCAN, show_default=True, help="Look at so many keys of a kind.")
@output_options
@click.pass_obj
def doctor(target: Target, output: Output, scan: int) -> None:
    """Examine the server, the queue's keys and the workers, and say what to do about each finding.

    It only reads. Exits with 4 if keys don't fit together, with 1 if there is another error; warnings exit with 0.
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.examine(queue, scan=scan),
        views.draw_diagnosis,
        lambda view: EXIT_INCONSISTENT if view.is_inconsistent else EXIT_FAILED if view.verdict == "ERRORS" else 0,
    )


@click.command(epilog=EXIT_CODES)
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write it there. Default: print it.")
@click.pass_obj
def snapshot(target: Target, file: Path | None) -> None:
    """Put all views into one JSON object, to be sent to whoever helps.

    Names of lanes and workers, ids of jobs and their errors are in it; data of jobs aren't.
    """
    with Inspector(target.settings) as inspector:
        seen: Snapshot = take(inspector, target.find_used_queue(inspector))
    if file is None:
        click.echo(json.dumps(seen.to_json(), ensure_ascii=not is_unicode(), indent=2))
        return
    text = json.dumps(seen.to_json(), ensure_ascii=False, indent=2)
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise Failed(f"{file} can't be written: {error.strerror}. Name another file with -o.") from error
    click.echo(f"Wrote {file}. Look through it before you send it: errors may quote what jobs are about.")


@click.command(epilog=EXIT_CODES)
@click.argument("view", type=click.Choice([*VIEWS, *LINES]))
def schema(view: str) -> None:
    """Print the JSON Schema of what a view prints with --json. It asks no server.

    `workers` and `lanes` print the overview, `delayed` prints jobs; `steering` is what pause, retry and the like print;
    `event` a line of `events -f`; `error` what stands in the place of any view that can't be had.
    """
    click.echo(json.dumps(make_schema(view), indent=2, ensure_ascii=not is_unicode()))
