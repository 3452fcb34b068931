"""`rosq inspect snapshot`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rosq import errors
from rosq.commands.context import EXIT_CODES, Failed, Target, to_failure
from rosq.inspect.inspector import Inspector
from rosq.inspect.snapshot import take

if TYPE_CHECKING:
    from rosq.inspect.snapshot import Snapshot


@click.command(epilog=EXIT_CODES)
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write it there. Default: print it.")
@click.pass_obj
def snapshot(target: Target, file: Path | None) -> None:
    """Put all views into one JSON object, to be sent to whoever helps.

    Names of lanes and workers, ids of jobs and their errors are in it; data of jobs aren't.
    """
    try:
        with Inspector(target.settings) as inspector:
            seen: Snapshot = take(inspector, target.find_used_queue(inspector))
    except errors.RosqError as error:
        raise to_failure(error) from error
    text = json.dumps(seen.to_json(), ensure_ascii=False, indent=2)
    if file is None:
        click.echo(text)
        return
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise Failed(f"{file} can't be written: {error.strerror}. Name another file with -o.") from error
    click.echo(f"Wrote {file}. Look through it before you send it: errors may quote what jobs are about.")
