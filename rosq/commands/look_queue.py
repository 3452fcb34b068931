"""`rosq inspect queues`, `workers` and `lanes`: parts of the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, EXIT_INCONSISTENT, EXIT_LIMIT, Target
from rosq.commands.output import Output, output_options, show
from rosq.inspect.draw import overview as draw_overview
from rosq.inspect.words import counted

if TYPE_CHECKING:
    from rosq.inspect.inspector import Inspector
    from rosq.inspect.overview import Overview, QueuesView

_MAX_QUEUES = 50


@click.command(epilog=EXIT_CODES)
@output_options
@click.pass_obj
def queues(target: Target, output: Output) -> None:
    """List the queues of this server.

    One that can't be looked at, since it is damaged (a key of it is of another type than rosq's) or newer (a newer
    rosq has written it), is named as such, and exits with 4.
    """

    def look(inspector: Inspector, _: str) -> QueuesView:
        return inspector.look_at_all(limit=_MAX_QUEUES)

    def exit_code(view: QueuesView) -> int:
        return EXIT_INCONSISTENT if view.unreadable else 0

    show(target, output, look, draw_overview.draw_queues, exit_code, needs_queue=False)


@click.command(epilog=EXIT_CODES)
@click.option("--min-alive", type=click.IntRange(0, 1_000_000_000), help="Exit with 5 when fewer are alive.")
@output_options
@click.pass_obj
def workers(target: Target, output: Output, min_alive: int | None) -> None:
    """List the workers, with the job of each: busy, idle, or lost (its hold on its name has run out)."""

    def exit_code(overview: Overview) -> int:
        alive = sum(worker.state != "lost" for worker in overview.workers)
        if min_alive is None or alive >= min_alive:
            return 0
        click.echo(f"Too few: {counted(alive, 'worker is', 'workers are')} alive, wanted are {min_alive:,}.", err=True)
        return EXIT_LIMIT

    show(target, output, lambda inspector, queue: inspector.look(queue), draw_overview.draw_workers, exit_code)


@click.command(epilog=EXIT_CODES)
@output_options
@click.pass_obj
def lanes(target: Target, output: Output) -> None:
    """List the lanes: how much waits in each, and for how long."""
    show(target, output, lambda inspector, queue: inspector.look(queue), draw_overview.draw_lanes)
