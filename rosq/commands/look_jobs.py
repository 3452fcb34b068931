"""`rosq inspect jobs`, `delayed`, `job`, `explain`, `pending` and `errors`: the jobs of a queue."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, EXIT_FAILED, EXIT_INCONSISTENT, Target
from rosq.commands.options import DURATION, SCAN, filter_options
from rosq.commands.output import Output, output_options, show
from rosq.inspect.draw import views as draw_views
from rosq.inspect.view import DEFAULT_LIMIT, DEFAULT_LOG_LINES, DEFAULT_SCAN, ERRORS_SCAN
from rosq.job import JobState

if TYPE_CHECKING:
    from rosq.inspect.job.explain import Explanation
    from rosq.inspect.job.job_view import JobView
    from rosq.inspect.jobs.filters import JobFilter

_limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="Show so many at most."
)
_scan_option = click.option(
    "--scan", type=SCAN, default=DEFAULT_SCAN, show_default=True, help="Look at so many jobs at most."
)


@click.command(epilog=EXIT_CODES)
@filter_options()
@_limit_option
@_scan_option
@click.option("--cursor", help="Go on where the last list ended: it prints this.")
@output_options
@click.pass_obj
def jobs(target: Target, output: Output, wanted: JobFilter, limit: int, scan: int, cursor: str | None) -> None:
    """List jobs: active, waiting (oldest first), delayed (next first), failed, completed and cancelled (newest
    first).

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
        lambda view: EXIT_INCONSISTENT if any(row.state is JobState.UNREADABLE for row in view.jobs) else 0,
        lanes=wanted.lanes,
    )


@click.command(epilog=EXIT_CODES)
@filter_options(has_state=False)
@_limit_option
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
        lanes=wanted.lanes,
    )


def _job_exit_code(view: JobView | Explanation) -> int:
    if view.is_inconsistent:
        return EXIT_INCONSISTENT
    return EXIT_FAILED if view.state == "unknown" else 0


@click.command(epilog=EXIT_CODES)
@click.argument("job_id", metavar="ID")
@click.option("--show-data", is_flag=True, help="Print the job's data too, and what its handler reported and logged.")
@click.option("--show-trace", is_flag=True, help="Print where each error came from too.")
@click.option(
    "--log-lines",
    type=click.IntRange(0, 1_000_000_000),
    default=DEFAULT_LOG_LINES,
    show_default=True,
    help="With --show-data, print so many of the last lines that it logged.",
)
@output_options
@click.pass_obj
def job(target: Target, output: Output, job_id: str, show_data: bool, show_trace: bool, log_lines: int) -> None:
    """Tell all that is known of one job: where it stands, its hand-outs and events, what happens next and when.

    Hand-outs in a row that were only snoozed or released are one line, with their count.

    Exits with 1 if the queue doesn't know it, with 4 if it says that it will run and won't.
    """
    show(
        target,
        output,
        lambda inspector, queue: inspector.view_job(
            queue, job_id, with_data=show_data, with_trace=show_trace, log_lines=log_lines
        ),
        draw_views.draw_job,
        _job_exit_code,
    )


@click.command(epilog=EXIT_CODES)
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


@click.command(epilog=EXIT_CODES)
@_limit_option
@output_options
@click.pass_obj
def pending(target: Target, output: Output, limit: int) -> None:
    """List what was handed out and isn't settled, with a verdict on each.

    \b
    healthy   its lease stands, its holder is there
    lost      its lease stands, its holder is gone
    overlong  its lease stands for longer than a lease can: the server's clock was set back
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


@click.command("errors", epilog=EXIT_CODES)
@click.option("--since", "since_s", type=DURATION, help="Only what failed in the last: 1h, 30m.")
@click.option(
    "--by",
    type=click.Choice(["class", "text"]),
    default="class",
    show_default=True,
    help="What makes a kind: the exception's class, or what it says, numbers and quotes aside.",
)
@click.option(
    "--scan",
    type=SCAN,
    default=ERRORS_SCAN,
    show_default=True,
    help="Look at so many failed, and so many delayed jobs at most.",
)
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
