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
from rosq.inspect.inspector import Inspector
from rosq.inspect.steering_view import Skipped
from rosq.inspect.words import counted
from rosq.job import Changed, Fate, JobState
from rosq.names import check_name
from rosq.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rosq.inspect.jobs.filters import JobFilter
    from rosq.inspect.jobs.listing import FoundIds

F = TypeVar("F", bound="Callable[..., Any]")

#: Jobs of a plan that are named on the screen, and in JSON.
_NAMED, _LISTED = 10, 1_000
#: A filter that finds more has to be meant.
_MANY = 1_000
#: Jobs that are looked at together right before they are changed; and how often those that move meanwhile are.
_PART, _ROUNDS = 1_000, 5
_LIVE = (JobState.WAITING, JobState.DELAYED, JobState.ACTIVE)
_FATE_WORDS = {
    Fate.MOVED_ON: "it has moved on",
    Fate.UNKNOWN: "the queue doesn't know it",
    Fate.DATA_LOST: "its data are lost: its producer must put it back",
}


def choosing_options(command: F) -> F:
    """Add what chooses many jobs: --all, --yes and --limit."""
    for option in (
        click.option("--all", "is_all", is_flag=True, help="All of them; needs --yes."),
        click.option(
            "--yes", "is_sure", is_flag=True, help=f"Yes, all of them; a filter needs it above {_MANY:,} jobs."
        ),
        click.option(
            "--limit", type=click.IntRange(1, 1_000_000_000), help="So many of those that the filter finds, at most."
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
    _change(target, deed, "move", job_ids, wanted, states, change, to_lane=to_lane, **choice)


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
    limit: int | None,
    to_lane: str | None = None,
) -> None:
    """Find the jobs, say what will be done, do it, say what became of it."""
    kind = " or ".join(state.value for state in states) or "named"
    where = f" to lane {to_lane}" if to_lane else ""
    if job_ids and (wanted.is_narrow or wanted.states or is_all or limit):
        raise WrongUse("Give ids or a filter, not both.")
    if not job_ids and not wanted.is_narrow and not is_all:
        raise WrongUse(f"Name jobs or give a filter; --all --yes means every {kind} job.")
    if is_all and limit is not None:
        raise WrongUse("--all is all of them: leave --limit out.")
    with Inspector(target.settings) as inspector:
        queue = target.find_used_queue(inspector, wanted.lanes)
        # Looking needs no reason.
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason or "dry run") as steering:
            if job_ids:
                known = steering.see(list(dict.fromkeys(check_name("job", job_id) for job_id in job_ids)))
                ids, is_cut, of = list(known), False, ""
            else:
                found = _find(inspector, queue, dataclasses.replace(wanted, states=states), limit)
                ids, is_cut = found.job_ids, found.is_cut
                of = f" ({kind}: {found.count:,}, looked at: {found.looked_at:,})"
            plan = f"{verb} {counted(len(ids), 'job')}{of}{where}: {_name(ids)}"
            if not is_sure and not deed.is_dry and (is_all or (limit is None and len(ids) > _MANY)):
                bound = "" if is_all else ", or how many at most with --limit"
                raise WrongUse(f"This would {plan}. If you mean all of them, say --yes{bound}.")
            work = _Work(steering, change, states if not job_ids else (), to_lane)
            work.pass_over(dict.fromkeys(job_id for job_id in job_ids if job_id not in set(ids)))
            if deed.is_dry:
                _report(deed, verb, queue, f"Would {plan}", ids, work, is_cut=is_cut, limit=limit)
                return
            if not deed.is_json:
                click.echo(f"Going to {plan}")
            with Progress("Changed", len(ids)) as progress:
                work.go_through(ids, progress.tell)
    text = f"Done: {work.done:,} of {work.done + len(work.skipped):,}"
    _report(deed, verb, queue, text, ids, work, is_cut=is_cut, limit=limit)


def _find(inspector: Inspector, queue: str, wanted: JobFilter, limit: int | None) -> FoundIds:
    with Progress("Looked at") as progress:
        return inspector.find_ids(queue, wanted, limit=limit, on_progress=progress.tell)


class _Work:
    """One change of many jobs, in bounded steps, and what came of it.

    Args:
        states: Those of the jobs that are meant: one that is in another by now isn't any more. Empty: the named ones.
        to_lane: Nothing is to be done with a job that lies there already.
    """

    def __init__(
        self,
        steering: Steering,
        change: Callable[..., list[Changed]],
        states: tuple[JobState, ...],
        to_lane: str | None,
    ) -> None:
        self._steering = steering
        self._change = change
        self._states = states
        self._to_lane = to_lane
        self.done = 0
        #: Those that run, and were asked to stop.
        self.asked: list[str] = []
        self.skipped: list[Changed] = []
        #: Jobs with which nothing was to be done any more when it came to them.
        self.over = 0

    def pass_over(self, job_ids: Iterable[str]) -> None:
        """Note jobs that the queue doesn't know."""
        self.skipped += [Changed(job_id=job_id, fate=Fate.UNKNOWN) for job_id in job_ids]

    def go_through(self, job_ids: Sequence[str], on_progress: Callable[[int], None]) -> None:
        """Change them, a part at a time, each as it stands at that time."""
        for start in range(0, len(job_ids), _PART):
            part = job_ids[start : start + _PART]
            for _ in range(_ROUNDS):
                part = self._go_through_once(part, lambda count: on_progress(start + count))  # noqa: B023
                if not part:
                    break
            self.skipped += [Changed(job_id=job_id, fate=Fate.MOVED_ON) for job_id in part]

    def _go_through_once(self, job_ids: Sequence[str], on_progress: Callable[[int], None]) -> list[str]:
        """Change them; return those that moved between the look and the change, and are meant all the same."""
        seen = list(self._steering.see(job_ids).values())
        meant = [job for job in seen if job.lane != self._to_lane and (not self._states or job.state in self._states)]
        self.over += len(job_ids) - len(meant)
        again = []
        for each in self._change(self._steering, meant, on_progress=on_progress):
            if each.fate in (Fate.DONE, Fate.ASKED):
                self.done += 1
                if each.fate is Fate.ASKED:
                    self.asked.append(each.job_id)
            elif each.fate is Fate.MOVED_ON and self._states:
                again.append(each.job_id)
            elif each.fate is Fate.UNKNOWN and self._states:
                self.over += 1
            else:
                self.skipped.append(each)
        return again


def _report(
    deed: Deed, verb: str, queue: str, text: str, planned: list[str], work: _Work, *, is_cut: bool, limit: int | None
) -> None:
    lines = [f"{text}."]
    if work.asked:
        lines.append(f"Running, and asked to stop within a third of a lease: {_name(work.asked)}.")
    for each in work.skipped[:_NAMED]:
        why = f"it is {each.state}" if each.state else _FATE_WORDS[each.fate]
        lines.append(f"Left alone: {each.job_id}: {why}.")
    if len(work.skipped) > _NAMED:
        lines.append(f"… and {len(work.skipped) - _NAMED:,} more.")
    if work.over:
        lines.append(f"{counted(work.over, 'job')} needed nothing any more when it came to that.")
    is_limited = limit is not None and len(planned) >= limit
    if is_limited:
        lines.append("There may be more: so many were asked for.")
    elif is_cut:
        lines.append("There are more: they come faster than they can be looked at. Say it again.")
    deed.say(
        verb,
        queue,
        "\n".join(lines),
        planned=len(planned),
        done=work.done,
        is_done=not deed.is_dry,
        jobs=planned[:_LISTED],
        asked=work.asked[:_LISTED] if verb == "cancel" else None,
        skipped=[
            Skipped(job_id=each.job_id, fate=each.fate.value, state=each.state or "") for each in work.skipped[:_LISTED]
        ],
        is_cut=is_cut or is_limited,
    )
    if work.skipped or (is_cut and not is_limited):
        sys.exit(EXIT_FAILED)


def _name(names: list[str]) -> str:
    more = f" … and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) + more) or "none"
