"""Steering a whole queue by hand: `rosq pause`, `resume`, `drain`, `forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, Target, WrongUse
from rosq.commands.deed import Deed, Progress, deed_options
from rosq.commands.options import DURATION, remembering_options
from rosq.inspect.inspector import Inspector
from rosq.inspect.words import counted
from rosq.job import JobState
from rosq.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(epilog=EXIT_CODES)
@deed_options
@click.pass_obj
def pause(target: Target, deed: Deed) -> None:
    """Hand out nothing new. Running jobs finish, and what fails or is put off comes back when the queue goes on.

    A worker that dies and starts again still gets the job that it had. Enqueueing goes on. `rosq inspect` says that it
    is paused, by whom, why and since when.
    """
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector)
        overview = inspector.look(queue)
        waiting = counted(overview.waiting, "job waits", "jobs wait")
        waiting += f", {counted(overview.active, 'runs and will finish', 'run and will finish')}"
        if deed.is_dry:
            state = f"is {overview.pause} already" if overview.pause else "would be paused"
            deed.say("pause", queue, f"Queue {queue} {state}: {waiting}.", is_done=False)
            return
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering:
            before = steering.pause()
    if before is not None:
        deed.say("pause", queue, f"Queue {queue} is {before} already; that stands.", is_done=False)
        return
    deed.say("pause", queue, f"Queue {queue} is paused: {waiting}. `rosq resume --why …` lets it go on.")


@click.command(epilog=EXIT_CODES)
@deed_options
@click.pass_obj
def resume(target: Target, deed: Deed) -> None:
    """Hand out jobs again, and wake workers for what waits."""
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector)
        overview = inspector.look(queue)
        if overview.pause is None:
            deed.say("resume", queue, f"Queue {queue} isn't paused.", is_done=False)
            return
        if deed.is_dry:
            text = f"Queue {queue} would go on: it is {overview.pause}, "
            text += f"{counted(overview.waiting, 'job waits', 'jobs wait')}."
            deed.say("resume", queue, text, is_done=False)
            return
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering:
            is_resumed = steering.resume()
    text = f"Queue {queue} goes on" if is_resumed else f"Somebody else let queue {queue} go on"
    deed.say("resume", queue, f"{text}: it was {overview.pause}.", is_done=is_resumed)


@click.command(epilog=EXIT_CODES)
@click.option("--lane", "lanes", multiple=True, metavar="LANE", help="Only this lane. May be repeated.")
@click.option("--delayed", "with_delayed", is_flag=True, help="Delayed jobs too; of all lanes.")
@click.option("--yes", "is_sure", is_flag=True, help="Yes, all of them.")
@remembering_options
@deed_options
@click.pass_obj
def drain(
    target: Target, deed: Deed, lanes: tuple[str, ...], with_delayed: bool, is_sure: bool, remember_s: float
) -> None:
    """Remove every job that waits; those that run finish, and those put on the queue meanwhile stay. Needs --yes.

    Their ids go on counting as duplicates for a while, unless --forget-id is said.
    """
    if lanes and with_delayed:
        raise WrongUse("--delayed removes the delayed jobs of all lanes: it doesn't go with --lane.")
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector, lanes)
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason or "dry run") as steering:
            count = steering.count_drainable(lanes=lanes, with_delayed=with_delayed)
        what = f"{counted(count, 'job')} of {_of_what(queue, lanes)}" + (", delayed ones too" if with_delayed else "")
        if deed.is_dry:
            deed.say("drain", queue, f"Would remove {what}.", planned=count, is_done=False)
            return
        if not is_sure:
            raise WrongUse(f"This would remove {what}. If you mean it, say --yes.")
        with (
            Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering,
            Progress("Removed", count) as progress,
        ):
            removed = steering.drain(
                lanes=lanes, with_delayed=with_delayed, remember_s=remember_s, on_progress=progress.tell
            )
    text = f"Removed {counted(removed, 'job')} of {_of_what(queue, lanes)}."
    deed.say("drain", queue, text, planned=count, done=removed)


@click.command(epilog=EXIT_CODES)
@click.option(
    "--state",
    type=click.Choice([JobState.COMPLETED.value, JobState.FAILED.value, JobState.CANCELLED.value]),
    default=JobState.COMPLETED.value,
    show_default=True,
    help="Which finished jobs.",
)
@click.option("--older-than", "older_s", type=DURATION, metavar="DURATION", help="Those that finished before: 7d, 12h.")
@click.option("--keep", type=click.IntRange(0, 1_000_000_000), metavar="N", help="All but the N that finished last.")
@click.option("--all", "is_all", is_flag=True, help="All of them; needs --yes.")
@click.option("--yes", "is_sure", is_flag=True, help="Yes, all of them.")
@remembering_options
@deed_options
@click.pass_obj
def forget(
    target: Target,
    deed: Deed,
    state: str,
    older_s: float | None,
    keep: int | None,
    is_all: bool,
    is_sure: bool,
    remember_s: float,
) -> None:
    """Forget finished jobs now, by age or count, beyond what the queue forgets by itself.

    With both, a job goes that is older or beyond the count. A forgotten id goes on counting as a duplicate for a
    while, unless --forget-id is said. A failed or cancelled job that is forgotten can't be retried.

    \b
    rosq forget --older-than 7d --why 'memory'
    rosq forget --state failed --keep 1000 --dry-run
    """
    if (older_s is None and keep is None) != is_all:
        raise WrongUse("Say which with --older-than or --keep; --all --yes alone means all that finished so far.")
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector)
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason or "dry run") as steering:
            job_state = JobState(state)
            count = steering.count_forgettable(job_state, older_s=older_s, keep=0 if is_all else keep)
            what = f"{counted(count, 'job')} ({state})"
            if deed.is_dry:
                deed.say("forget", queue, f"Would forget {what}.", planned=count, is_done=False)
                return
            if is_all and not is_sure:
                raise WrongUse(f"This would forget {what}. If you mean all of them, say --yes.")
            with Progress("Forgot", count) as progress:
                forgotten = steering.forget(job_state, count, remember_s=remember_s, on_progress=progress.tell)
    deed.say("forget", queue, f"Forgot {counted(forgotten, 'job')} ({state}).", planned=count, done=forgotten)


def _of_what(queue: str, lanes: Sequence[str]) -> str:
    return f"lane {', '.join(lanes)}" if lanes else f"queue {queue}"
