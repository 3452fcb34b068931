"""`rosq inspect …`: looking at a queue."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from rosq import errors
from rosq.commands.context import (
    EXIT_CODES,
    EXIT_FAILED,
    EXIT_INCONSISTENT,
    EXIT_LIMIT,
    Target,
    to_failure,
)
from rosq.commands.options import DURATION, filter_options
from rosq.commands.output import Output, leave_pipe, output_options, show
from rosq.events import Event
from rosq.inspect import Inspector, draw_overview, draw_views
from rosq.inspect.jobs import DEFAULT_LIMIT, DEFAULT_SCAN
from rosq.inspect.tail import EventFilter, Tail
from rosq.inspect.view import JSON_VERSION, to_plain
from rosq.job import JobState
from rosq.keys import Keys

if TYPE_CHECKING:
    from rosq.inspect.explain import Explanation
    from rosq.inspect.filters import JobFilter
    from rosq.inspect.job_view import JobView
    from rosq.inspect.overview import Overview, QueuesView
    from rosq.inspect.tail import Caught

_MAX_QUEUES = 50
_limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="Show so many at most."
)
_scan_option = click.option(
    "--scan", type=click.IntRange(1), default=DEFAULT_SCAN, show_default=True, help="Look at so many jobs at most."
)
_waiting_age_option = click.option(
    "--max-waiting-age",
    "max_waiting_s",
    type=DURATION,
    envvar="ROSQ_MAX_WAITING_AGE",
    show_envvar=True,
    metavar="DURATION",
    help="Exit with 5 when a job has been waiting for longer: 300, 5m.",
)


@click.group("inspect", invoke_without_command=True, epilog=EXIT_CODES)
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
        is_late = max_waiting_s is not None and (overview.oldest_waiting_s or 0.0) > max_waiting_s
        return EXIT_LIMIT if is_late else 0

    show(context.obj, output, lambda inspector, queue: inspector.look(queue), draw_overview.render, exit_code)


@inspect.command(epilog=EXIT_CODES)
@output_options
@click.pass_obj
def queues(target: Target, output: Output) -> None:
    """List the queues of this server."""

    def look(inspector: Inspector, _: str) -> QueuesView:
        return inspector.look_at_all(limit=_MAX_QUEUES)

    show(target, output, look, draw_overview.draw_queues, needs_queue=False)


@inspect.command(epilog=EXIT_CODES)
@filter_options()
@_limit_option
@_scan_option
@click.option("--cursor", help="Go on where the last list ended: it prints this.")
@output_options
@click.pass_obj
def jobs(target: Target, output: Output, wanted: JobFilter, limit: int, scan: int, cursor: str | None) -> None:
    """List jobs: active, waiting (oldest first), delayed (next first), failed and completed (newest first).

    \b
    rosq inspect jobs --state waiting --lane urgent
    rosq inspect jobs --state active --age '>10m'
    rosq inspect jobs --error 'timeout|refused' --attempts '>1' --json
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.list_jobs(queue, wanted, limit=limit, scan=scan, cursor=cursor),
        draw_views.draw_jobs,
    )


@inspect.command(epilog=EXIT_CODES)
@filter_options(has_state=False)
@click.option(
    "--next", "limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Show so many at most."
)
@_scan_option
@click.option("--cursor", help="Go on where the last list ended: it prints this.")
@output_options
@click.pass_obj
def delayed(target: Target, output: Output, wanted: JobFilter, limit: int, scan: int, cursor: str | None) -> None:
    """List delayed jobs, what is due first first; `explain` says why one is delayed."""
    only = dataclasses.replace(wanted, states=(JobState.DELAYED,))
    show(
        target,
        output,
        lambda inspector, queue: inspector.list_jobs(
            queue, only, limit=limit, scan=scan, cursor=cursor, view="delayed"
        ),
        draw_views.draw_jobs,
    )


def _job_exit_code(view: JobView | Explanation) -> int:
    if view.is_inconsistent:
        return EXIT_INCONSISTENT
    return EXIT_FAILED if view.state == "unknown" else 0


@inspect.command(epilog=EXIT_CODES)
@click.argument("job_id", metavar="ID")
@click.option("--show-data", is_flag=True, help="Print the job's data too.")
@output_options
@click.pass_obj
def job(target: Target, output: Output, job_id: str, show_data: bool) -> None:
    """Tell all that is known of one job: where it stands, its hand-outs and events, what happens next and when.

    Exits with 1 if the queue doesn't know it, with 4 if it says that it will run and won't.
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.view_job(queue, job_id, with_data=show_data),
        draw_views.draw_job,
        _job_exit_code,
    )


@inspect.command(epilog=EXIT_CODES)
@click.argument("job_id", metavar="ID")
@output_options
@click.pass_obj
def explain(target: Target, output: Output, job_id: str) -> None:
    """Say in words why a job isn't running now, and when it will.

    Exits with 1 if the queue doesn't know it, with 4 if it says that it will run and won't.
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.explain(queue, job_id),
        draw_views.draw_explanation,
        _job_exit_code,
    )


@inspect.command(epilog=EXIT_CODES)
@click.option("--min-alive", type=click.IntRange(0), help="Exit with 5 when fewer are alive.")
@output_options
@click.pass_obj
def workers(target: Target, output: Output, min_alive: int | None) -> None:
    """List the workers, with the job of each: busy, idle, or lost (its hold on its name has run out)."""

    def exit_code(overview: Overview) -> int:
        alive = sum(worker.state != "lost" for worker in overview.workers)
        return EXIT_LIMIT if min_alive is not None and alive < min_alive else 0

    show(target, output, lambda inspector, queue: inspector.look(queue), draw_overview.draw_workers, exit_code)


@inspect.command(epilog=EXIT_CODES)
@output_options
@click.pass_obj
def lanes(target: Target, output: Output) -> None:
    """List the lanes: how much waits in each, and for how long."""
    show(target, output, lambda inspector, queue: inspector.look(queue), draw_overview.draw_lanes)


@inspect.command(epilog=EXIT_CODES)
@_limit_option
@output_options
@click.pass_obj
def pending(target: Target, output: Output, limit: int) -> None:
    """List what was handed out and isn't settled, with a verdict on each.

    \b
    healthy   its lease stands, its holder is there
    lost      its lease stands, its holder is gone
    expired   its lease has run out: it is about to be given back
    vanished  its entry was deleted while it was handed out
    orphan    no job knows it (exits with 4)
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.list_pending(queue, limit=limit),
        draw_views.draw_pending,
        lambda view: EXIT_INCONSISTENT if view.orphans else 0,
    )


@inspect.command("errors", epilog=EXIT_CODES)
@click.option("--since", "since_s", type=DURATION, help="Only what failed in the last: 1h, 30m.")
@click.option(
    "--by",
    type=click.Choice(["class", "text"]),
    default="class",
    show_default=True,
    help="What makes a kind: the exception's class, or what it says, numbers and quotes aside.",
)
@_scan_option
@output_options
@click.pass_obj
def list_errors(target: Target, output: Output, since_s: float | None, by: str, scan: int) -> None:
    """Group the errors of failed jobs, and of those that will be tried again; the most frequent kind first."""
    show(
        target,
        output,
        lambda inspector, queue: inspector.group_errors(queue, since_s=since_s, by_text=by == "text", scan=scan),
        draw_views.draw_errors,
    )


@inspect.command(epilog=EXIT_CODES)
@click.option(
    "--step", type=click.Choice(["minute", "hour", "day"]), default="day", show_default=True, help="Count by this."
)
@click.option("--steps", type=click.IntRange(1, 400), default=10, show_default=True, help="How many of them.")
@output_options
@click.pass_obj
def history(target: Target, output: Output, step: str, steps: int) -> None:
    """Count what finished by minute, hour or day (UTC), as far as finished jobs are kept."""
    step_s = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}[step]
    show(
        target,
        output,
        lambda inspector, queue: inspector.view_history(queue, step_s=step_s, steps=steps),
        draw_views.draw_history,
    )


@inspect.command(epilog=EXIT_CODES)
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
    try:
        with Inspector(target.settings) as inspector:
            _follow(inspector, target.find_queue(inspector), output, wanted, limit)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        leave_pipe()
    except errors.RosqError as error:
        raise to_failure(error) from error


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


def _print_caught(output: Output, found: list[object], dropped: int | None, queue: str) -> None:
    if dropped != 0:
        if output.is_json:
            click.echo(json.dumps({"version": JSON_VERSION, "view": "event", "queue": queue, "dropped": dropped}))
        else:
            count = "Some" if dropped is None else f"{dropped:,}"
            click.echo(f"{count} events were trimmed away before they could be read.", err=True)
    console = output.make_console()
    for each in found:
        if output.is_json:
            line = {"version": JSON_VERSION, "view": "event", "queue": queue, **to_plain(each)}
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            console.print(draw_views.draw_event_line(each), soft_wrap=True)  # type: ignore[arg-type]
    sys.stdout.flush()


@click.command(epilog=EXIT_CODES)
@click.option(
    "--scan", type=click.IntRange(1), default=20_000, show_default=True, help="Look at so many keys of a kind at most."
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
