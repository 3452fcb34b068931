"""`rosq inspect`: the overview, and the door to all other views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, EXIT_INCONSISTENT, EXIT_LIMIT
from rosq.commands.group import LazyGroup
from rosq.commands.options import DURATION
from rosq.commands.output import Output, output_options, show
from rosq.inspect.draw import overview as draw_overview
from rosq.inspect.words import duration

if TYPE_CHECKING:
    from rosq.inspect.overview import Overview

_waiting_age_option = click.option(
    "--max-waiting-age",
    "max_waiting_s",
    type=DURATION,
    envvar="ROSQ_MAX_WAITING_AGE",
    show_envvar=True,
    metavar="DURATION",
    help="Exit with 5 when a job has been waiting for longer: 300, 5m.",
)


@click.group(
    "inspect",
    cls=LazyGroup,
    members={
        "queues": "rosq.commands.look_queue:queues",
        "workers": "rosq.commands.look_queue:workers",
        "lanes": "rosq.commands.look_queue:lanes",
        "jobs": "rosq.commands.look_jobs:jobs",
        "delayed": "rosq.commands.look_jobs:delayed",
        "job": "rosq.commands.look_jobs:job",
        "explain": "rosq.commands.look_jobs:explain",
        "pending": "rosq.commands.look_jobs:pending",
        "errors": "rosq.commands.look_jobs:list_errors",
        "events": "rosq.commands.look_events:events",
        "throughput": "rosq.commands.look_events:throughput",
        "snapshot": "rosq.commands.examine:snapshot",
        "schema": "rosq.commands.examine:schema",
    },
    invoke_without_command=True,
    epilog=EXIT_CODES,
)
@_waiting_age_option
@output_options
@click.pass_context
def inspect(context: click.Context, output: Output, max_waiting_s: float | None) -> None:
    """See a queue; without a subcommand, on one screen: verdict, states, lanes, and the workers with the job of each.

    It only reads Redis, a bounded part of it, and never asks a worker: a busy or dead one is seen as well as an idle
    one. A DEGRADED verdict alone isn't a failure; what breaks an invariant of the queue exits with 4.

    \b
    rosq inspect --watch                     the screen, again every two seconds
    rosq inspect explain 123                 why job 123 isn't running, and when it will
    rosq inspect jobs --state failed --error timeout --age '<1h'
    rosq inspect events -f                   what happens, as it happens
    """
    if context.invoked_subcommand is not None:
        return

    def exit_code(overview: Overview) -> int:
        if overview.inconsistencies:
            return EXIT_INCONSISTENT
        oldest_s = overview.oldest_waiting_s or 0.0
        if max_waiting_s is None or oldest_s <= max_waiting_s:
            return 0
        click.echo(f"A job has been waiting for {duration(oldest_s)}: {duration(max_waiting_s)} are allowed.", err=True)
        return EXIT_LIMIT

    show(context.obj, output, lambda inspector, queue: inspector.look(queue), draw_overview.render, exit_code)
