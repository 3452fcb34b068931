"""`rosq doctor`."""

from __future__ import annotations

import click

from rosq.commands.context import EXIT_CODES, EXIT_FAILED, EXIT_INCONSISTENT, Target
from rosq.commands.output import Output, output_options, show
from rosq.inspect.bounds import DOCTOR_SCAN
from rosq.inspect.draw import views as draw_views


@click.command(epilog=EXIT_CODES)
@click.option(
    "--scan",
    type=click.IntRange(1),
    default=DOCTOR_SCAN,
    show_default=True,
    help="Look at so many keys of a kind at most.",
)
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
        draw_views.draw_diagnosis,
        lambda view: EXIT_INCONSISTENT if view.is_inconsistent else EXIT_FAILED if view.verdict == "ERRORS" else 0,
    )
