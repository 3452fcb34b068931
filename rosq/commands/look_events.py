"""`rosq inspect events` and `throughput`: what happened, and what happens."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import click

from rosq import errors
from rosq.commands import streams
from rosq.commands.context import EXIT_CODES, Target
from rosq.commands.output import Output, output_options, show
from rosq.inspect.draw import views as draw_views
from rosq.inspect.events import EventFilter, Tail
from rosq.inspect.inspector import Inspector
from rosq.inspect.throughput import STEPS_S
from rosq.inspect.view import JSON_VERSION, to_plain
from rosq.inspect.words import counted
from rosq.job import Event
from rosq.store.keys import Keys

if TYPE_CHECKING:
    from rosq.inspect.events import Caught
    from rosq.inspect.job.timeline import EventView


@click.command(epilog=EXIT_CODES)
@click.option("--step", type=click.Choice(list(STEPS_S)), default="day", show_default=True, help="Count by this.")
@click.option("--steps", type=click.IntRange(1, 400), default=10, show_default=True, help="How many of them.")
@output_options
@click.pass_obj
def throughput(target: Target, output: Output, step: str, steps: int) -> None:
    """Count what finished by minute, hour or day (UTC), as far as finished jobs are kept."""
    show(
        target,
        output,
        lambda inspector, queue: inspector.view_throughput(queue, step_s=STEPS_S[step], steps=steps),
        draw_views.draw_throughput,
    )


@click.command(epilog=EXIT_CODES)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C. Stands outages of Redis.")
@click.option("--event", "names", multiple=True, type=click.Choice([event.value for event in Event]), metavar="EVENT")
@click.option("--job", "job_ids", multiple=True, metavar="ID", help="Of this job. May be repeated.")
@click.option("--worker", "worker_names", multiple=True, metavar="NAME", help="Of this worker. May be repeated.")
@click.option(
    "--limit", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Begin with so many that are past."
)
@output_options
@click.pass_obj
def events(
    target: Target,
    output: Output,
    follow: bool,
    names: tuple[str, ...],
    job_ids: tuple[str, ...],
    worker_names: tuple[str, ...],
    limit: int,
) -> None:
    """Show what happened, oldest first; with -f also what happens.

    With -f and --json each event is one line; a line {"dropped": N} tells of events that were trimmed away before they
    could be read (null: some, this server can't say how many).
    """
    wanted = EventFilter(events=names, job_ids=job_ids, workers=worker_names)
    if not follow:
        show(
            target,
            output,
            lambda inspector, queue: inspector.list_events(queue, wanted, limit=limit),
            draw_views.draw_events,
        )
        return
    with contextlib.suppress(KeyboardInterrupt), Inspector(target.settings) as inspector:
        _follow(inspector, target.find_queue(inspector), output, wanted, limit)


def _follow(inspector: Inspector, queue: str, output: Output, wanted: EventFilter, limit: int) -> None:
    begin = inspector.last_event_id(queue)
    if limit:
        past = inspector.list_events(queue, wanted, limit=limit).events
        # What came between the two looks is told as new.
        _print_caught(output, [each for each in past if _parts(each.id) <= _parts(begin)], 0, queue)
    following = Tail(Keys(queue), begin)
    is_away = False
    while True:
        try:
            caught: Caught = inspector.catch(following)
        except errors.ServerRefused:
            raise
        except errors.ServerUnreachable as error:
            if not is_away:
                click.echo(f"{error} Trying again.", err=True)
            is_away = True
            time.sleep(1.0)
            continue
        is_away = False
        _print_caught(output, [each for each in caught.events if wanted.matches(each)], caught.dropped, queue)


def _parts(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


def _print_caught(output: Output, found: list[EventView], dropped: int | None, queue: str) -> None:
    head = {"version": JSON_VERSION, "view": "event", "queue": queue}
    if dropped != 0:
        if output.is_json:
            streams.say_json({**head, "dropped": dropped})
        else:
            events = "Some events" if dropped is None else counted(dropped, "event")
            click.echo(f"{events} were trimmed away before they could be read.", err=True)
    console = output.make_console()
    for each in found:
        if output.is_json:
            streams.say_json({**head, **to_plain(each)})
        else:
            console.print(draw_views.draw_event_line(each), soft_wrap=True)
    streams.go_on()
