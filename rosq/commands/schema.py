"""`rosq inspect schema`."""

from __future__ import annotations

import json

import click

from rosq.commands.context import EXIT_CODES
from rosq.inspect.schema import LINES, VIEWS, make_schema


@click.command(epilog=EXIT_CODES)
@click.argument("view", type=click.Choice([*VIEWS, *LINES]))
def schema(view: str) -> None:
    """Print the JSON Schema of what a view prints with --json. It asks no server.

    `workers` and `lanes` print the overview, `delayed` prints jobs; `steering` is what pause, retry and the like print;
    `event` a line of `events -f`; `unreachable` a line of --watch while the server is away.
    """
    click.echo(json.dumps(make_schema(view), indent=2, ensure_ascii=False))
