"""Steering jobs by hand: `rosq retry`, `promote`, `move`, `cancel`, `remove`; named jobs, or those a filter finds."""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rosq.commands.context import EXIT_CODES, EXIT_FAILED, Target, WrongUse
from rosq.commands.deed import Deed, Progress, deed_options
from rosq.commands.options import filter_options, remembering_options
from rosq.inspect.bounds import DEFAULT_SCAN
from rosq.inspect.inspector import Inspector
from rosq.inspect.steering_view import Skipped
from rosq.inspect.words import counted
from rosq.job import JobState
from rosq.names import check_name
from rosq.steering import Changed, Fate, Steering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.inspect.jobs.filters import JobFilter
    from rosq.inspect.jobs.listing import JobsView
    from rosq.steering import Seen

F = TypeVar("F", bound="Callable[..., Any]")

#: Jobs of a plan that are named on the screen.
_NAMED = 10
_LIVE = (JobState.WAITING, JobState.DELAYED, JobState.ACTIVE)
_FATE_WORDS = {
    Fate.MOVED_ON: "it has moved on",
    Fate.UNKNOWN: "the queue doesn't know it",
    Fate.DATA_LOST: "its data are lost: its producer must put it back",
}


def choosing_options(command: F) -> F:
    """Add what chooses many jobs: --all, --yes, --limit and --scan."""
    for option in (
        click.option("--all", "is_all", is_flag=True, help="All of them; needs --yes."),
        click.option("--yes", "is_sure", is_flag=True, help="Yes, all of them."),
        click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="At most."),
        click.option(
            "--scan",
            type=click.IntRange(1),
            default=DEFAULT_SCAN,
            show_default=True,
            help="Look at so many jobs at most to find them.",
        ),
    ):
        command = option(command)
    return command


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options(has_state=False)
@choosing_options
@deed_options
@click.pass_obj
def retry(target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, **choice: Any) -> None:
    """Start failed jobs again, with attempts and crashes back at 0: those named, or those that a filter finds.

    A named job may also be dead (it says that it will run, and won't). Completed jobs stay as they are.

    \b
    rosq retry 123 --why 'the portal is back'
    rosq retry --error timeout --age '<2h' --dry-run
    rosq retry --all --yes --why 'bug 17 is fixed'
    """
    _change(target, deed, "retry", job_ids, wanted, (JobState.FAILED,), Steering.retry, **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options(has_state=False)
@choosing_options
@deed_options
@click.pass_obj
def promote(target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, **choice: Any) -> None:
    """Put delayed jobs into their lanes now, before they are due: those named, or those that a filter finds."""
    _change(target, deed, "promote", job_ids, wanted, (JobState.DELAYED,), Steering.promote, **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@click.option("--to", "to_lane", required=True, metavar="LANE", help="The lane that they go to; made if it is new.")
@filter_options(states=(JobState.WAITING, JobState.DELAYED))
@choosing_options
@deed_options
@click.pass_obj
def move(
    target: Target, /, deed: Deed, job_ids: tuple[str, ...], to_lane: str, wanted: JobFilter, **choice: Any
) -> None:
    """Put jobs that wait or are delayed into another lane: those named, or those that a filter finds.

    They go behind what waits there; due times and attempts stay. A job that runs is left alone.

    \b
    rosq move --lane @user_1 --to main --why 'user_1 is blocked'      all that waits or is delayed there
    rosq move 123 --to urgent --why 'the client is waiting'
    """
    check_name("lane", to_lane)
    if wanted.lanes == (to_lane,):
        raise WrongUse(f"They are in lane {to_lane} already: name another one with --to.")
    states = wanted.states or (JobState.WAITING, JobState.DELAYED)
    change = functools.partial(Steering.move, to_lane=to_lane)
    _change(target, deed, "move", job_ids, wanted, states, change, where=f" to lane {to_lane}", **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options(states=_LIVE)
@choosing_options
@deed_options
@click.pass_obj
def cancel(target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, **choice: Any) -> None:
    """Cancel jobs: those named, or those of the waiting, delayed and active ones that a filter finds.

    One that waits or is delayed is cancelled at once. One that runs isn't torn away from its worker: its handler learns
    of it at its next heartbeat, within a third of a lease, and should stop; it doesn't run again. If it comes to its
    end all the same, it is completed. `rosq inspect job ID` says what became of it; `rosq retry ID` starts it again.

    \b
    rosq cancel 123 --why 'ordered twice'
    rosq cancel --lane urgent --age '>1h' --dry-run
    rosq cancel --state delayed --all --yes --why 'the portal is gone'
    """
    _change(target, deed, "cancel", job_ids, wanted, wanted.states or _LIVE, Steering.cancel, **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options()
@choosing_options
@remembering_options
@deed_options
@click.pass_obj
def remove(
    target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, remember_s: float, **choice: Any
) -> None:
    """Remove jobs for good: those named, or those that --state and a filter find. A job that runs is left alone.

    A removed id goes on counting as a duplicate for a while when it is put on the queue again; with --forget-id it is
    new at once, an id that is only remembered by now too.

    \b
    rosq remove 123 --why 'ordered by mistake'
    rosq remove 123 --forget-id --why 'its producer puts it back with other data'
    """
    if not job_ids and (not wanted.states or JobState.ACTIVE in wanted.states):
        raise WrongUse("Name jobs, or say which with --state waiting, delayed, failed, completed or cancelled.")
    change = functools.partial(Steering.remove, remember_s=remember_s)
    _change(target, deed, "remove", job_ids, wanted, wanted.states, change, **choice)


def _change(
    target: Target,
    deed: Deed,
    verb: str,
    job_ids: Sequence[str],
    wanted: JobFilter,
    states: tuple[JobState, ...],
    change: Callable[..., list[Changed]],
    *,
    is_all: bool,
    is_sure: bool,
    limit: int,
    scan: int,
    where: str = "",
) -> None:
    """Find the jobs, say what will be done, do it, say what became of it."""
    kind = " or ".join(state.value for state in states) or "named"
    if job_ids and (wanted.is_narrow or wanted.states or is_all):
        raise WrongUse("Give ids or a filter, not both.")
    if not job_ids and not wanted.is_narrow and not is_all:
        raise WrongUse(f"Name jobs or give a filter; --all --yes means every {kind} job.")
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector, wanted.lanes)
        # Looking needs no reason.
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason or "dry run") as steering:
            is_cut, of = False, ""
            if job_ids:
                ids = list(dict.fromkeys(check_name("job", job_id) for job_id in job_ids))
            else:
                found = _find(inspector, queue, dataclasses.replace(wanted, states=states), limit, scan)
                ids = [row.job_id for row in found.jobs]
                is_cut = found.cursor is not None
                of = f" of {found.count:,} {kind} ones, {found.looked_at:,} looked at"
            seen = steering.see(ids)
            if not job_ids:
                seen = {job_id: job for job_id, job in seen.items() if job.state in states}
            plan = f"{verb} {counted(len(seen), 'job')}{of}{where}: {_name(list(seen))}"
            if is_all and not is_sure and not deed.is_dry:
                raise WrongUse(f"This would {plan}. If you mean all of them, say --yes.")
            changed = [Changed(job_id=job_id, fate=Fate.UNKNOWN) for job_id in ids if job_id not in seen and job_ids]
            if deed.is_dry:
                _report(deed, verb, queue, f"Would {plan}", list(seen), changed, is_cut=is_cut)
                return
            if not deed.is_json:
                click.echo(f"Going to {plan}")
            changed += _change_all(steering, change, list(seen.values()))
    done = sum(each.fate in (Fate.DONE, Fate.ASKED) for each in changed)
    _report(deed, verb, queue, f"Done: {done:,} of {len(changed):,}", list(seen), changed, is_cut=is_cut)


def _find(inspector: Inspector, queue: str, wanted: JobFilter, limit: int, scan: int) -> JobsView:
    with Progress("Looked at") as progress:
        return inspector.list_jobs(queue, wanted, limit=limit, scan=scan, on_progress=progress.tell)


def _change_all(steering: Steering, change: Callable[..., list[Changed]], jobs: list[Seen]) -> list[Changed]:
    with Progress("Changed", len(jobs)) as progress:
        return change(steering, jobs, on_progress=progress.tell)


def _report(
    deed: Deed, verb: str, queue: str, text: str, planned: list[str], changed: list[Changed], *, is_cut: bool
) -> None:
    asked = [each.job_id for each in changed if each.fate is Fate.ASKED]
    skipped = [each for each in changed if each.fate not in (Fate.DONE, Fate.ASKED)]
    lines = [f"{text}."]
    if asked:
        lines.append(f"Running, and asked to stop within a third of a lease: {_name(asked)}.")
    for each in skipped[:_NAMED]:
        why = f"it is {each.state}" if each.state else _FATE_WORDS[each.fate]
        lines.append(f"Left alone: {each.job_id}: {why}.")
    if len(skipped) > _NAMED:
        lines.append(f"… and {len(skipped) - _NAMED:,} more.")
    if is_cut:
        lines.append("There may be more: not all were looked at. Say it again, or raise --limit and --scan.")
    deed.say(
        verb,
        queue,
        "\n".join(lines),
        planned=len(planned),
        done=len(changed) - len(skipped),
        is_done=not deed.is_dry,
        jobs=planned,
        asked=asked if verb == "cancel" else None,
        skipped=[Skipped(job_id=each.job_id, fate=each.fate.value, state=each.state) for each in skipped],
        is_cut=is_cut,
    )
    if skipped:
        sys.exit(EXIT_FAILED)


def _name(names: list[str]) -> str:
    more = f" … and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) + more) or "none"
