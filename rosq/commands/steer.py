"""Steering by hand: `rosq pause`, `resume`, `retry`, `promote`, `remove`, `drain`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import getpass
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rosq import errors
from rosq.commands.context import EXIT_CODES, EXIT_FAILED, Target, WrongUse, to_failure
from rosq.commands.options import filter_options
from rosq.inspect import Inspector
from rosq.inspect.jobs import DEFAULT_SCAN
from rosq.inspect.view import JSON_VERSION, to_plain
from rosq.job import JobState
from rosq.keys import check_name
from rosq.steering import Changed, Fate, Seen, Steering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rosq.inspect.filters import JobFilter
    from rosq.inspect.overview import Overview

F = TypeVar("F", bound="Callable[..., Any]")

#: Jobs of a plan that are named on the screen.
_NAMED = 10
_FATE_WORDS = {
    Fate.MOVED_ON: "it has moved on",
    Fate.UNKNOWN: "the queue doesn't know it",
    Fate.DATA_LOST: "its data are lost: its producer must put it back",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who steers, why, and whether it is only to be said what would be done."""

    by: str
    reason: str
    is_dry: bool
    is_json: bool


def deed_options(command: F) -> F:
    """Add --why, --by, --dry-run and --json; the command gets them as `deed`."""

    @click.option("--why", "reason", default="", help="Why; written into the events. Needed but for --dry-run.")
    @click.option(
        "--by", envvar="ROSQ_OPERATOR", show_envvar=True, default="", help="Who. Default: this user on this host."
    )
    @click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would be done.")
    @click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
    @functools.wraps(command)
    def wrapped(*args: Any, reason: str, by: str, is_dry: bool, is_json: bool, **options: Any) -> Any:
        if not reason.strip() and not is_dry:
            raise WrongUse("Say why with --why: it is written into the events of the queue.")
        deed = Deed(by=by.strip() or _who(), reason=reason, is_dry=is_dry, is_json=is_json)
        return command(*args, deed=deed, **options)

    return wrapped  # type: ignore[return-value]


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
@deed_options
@click.pass_obj
def pause(target: Target, deed: Deed) -> None:
    """Hand out nothing new. Running jobs finish, and what fails or is put off comes back when the queue goes on.

    A worker that dies and starts again still gets the job that it had. Enqueueing goes on. `rosq inspect` says that it
    is paused, by whom, why and since when.
    """
    with _failing(), Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector)
        overview = inspector.look(queue)
        waiting = f"{overview.waiting:,} jobs wait, {overview.active:,} run and will finish"
        if deed.is_dry:
            state = f"is {overview.pause} already" if overview.pause else "would be paused"
            _say(deed, "pause", queue, f"Queue {queue} {state}: {waiting}.", is_done=False)
            return
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering:
            before = steering.pause()
    if before is not None:
        _say(deed, "pause", queue, f"Queue {queue} is {before} already; that stands.", is_done=False)
        return
    _say(deed, "pause", queue, f"Queue {queue} is paused: {waiting}. `rosq resume --why …` lets it go on.")


@click.command(epilog=EXIT_CODES)
@deed_options
@click.pass_obj
def resume(target: Target, deed: Deed) -> None:
    """Hand out jobs again, and wake workers for what waits."""
    with _failing(), Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector)
        overview = inspector.look(queue)
        if overview.pause is None:
            _say(deed, "resume", queue, f"Queue {queue} isn't paused.", is_done=False)
            return
        if deed.is_dry:
            text = f"Queue {queue} would go on: it is {overview.pause}, {overview.waiting:,} jobs wait."
            _say(deed, "resume", queue, text, is_done=False)
            return
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering:
            is_resumed = steering.resume()
    text = f"Queue {queue} goes on" if is_resumed else f"Somebody else let queue {queue} go on"
    _say(deed, "resume", queue, f"{text}: it was {overview.pause}.", is_done=is_resumed)


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
    _change(target, deed, "retry", job_ids, wanted, (JobState.FAILED,), Steering.restart, **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options(has_state=False)
@choosing_options
@deed_options
@click.pass_obj
def promote(target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, **choice: Any) -> None:
    """Put delayed jobs into their lanes now, before they are due: those named, or those that a filter finds."""
    _change(target, deed, "promote", job_ids, wanted, (JobState.DELAYED,), Steering.advance, **choice)


@click.command(epilog=EXIT_CODES)
@click.argument("job_ids", metavar="[ID]...", nargs=-1)
@filter_options()
@choosing_options
@deed_options
@click.pass_obj
def remove(target: Target, /, deed: Deed, job_ids: tuple[str, ...], wanted: JobFilter, **choice: Any) -> None:
    """Remove jobs for good: those named, or those that --state and a filter find. A job that runs is left alone.

    A removed id counts as new when it is put on the queue again, and its fences may begin anew.
    """
    if not job_ids and (not wanted.states or JobState.ACTIVE in wanted.states):
        raise WrongUse("Name jobs, or say which with --state waiting, delayed, failed or completed.")
    _change(target, deed, "remove", job_ids, wanted, wanted.states, Steering.remove, **choice)


@click.command(epilog=EXIT_CODES)
@click.option("--lane", "lanes", multiple=True, metavar="LANE", help="Only this lane. May be repeated.")
@click.option("--delayed", "with_delayed", is_flag=True, help="Delayed jobs too; of all lanes.")
@click.option("--yes", "is_sure", is_flag=True, help="Yes, all of them.")
@deed_options
@click.pass_obj
def drain(target: Target, deed: Deed, lanes: tuple[str, ...], with_delayed: bool, is_sure: bool) -> None:
    """Remove every job that waits; those that run finish, and those put on the queue meanwhile stay. Needs --yes."""
    if lanes and with_delayed:
        raise WrongUse("--delayed removes the delayed jobs of all lanes: it doesn't go with --lane.")
    with _failing(), Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector)
        overview = inspector.look(queue)
        count = _count_waiting(overview, lanes) + (overview.delayed if with_delayed else 0)
        what = f"{_jobs(count)} of {_of_what(queue, lanes)}" + (", delayed ones too" if with_delayed else "")
        if deed.is_dry:
            _say(deed, "drain", queue, f"Would remove {what}.", planned=count, is_done=False)
            return
        if not is_sure:
            raise WrongUse(f"This would remove {what}. If you mean it, say --yes.")
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason) as steering:
            removed = steering.drain(lanes=lanes, with_delayed=with_delayed)
    text = f"Removed {_jobs(removed)} of {_of_what(queue, lanes)}."
    _say(deed, "drain", queue, text, planned=count, done=removed)


def _change(
    target: Target,
    deed: Deed,
    verb: str,
    job_ids: Sequence[str],
    wanted: JobFilter,
    states: tuple[JobState, ...],
    change: Callable[[Steering, Sequence[Seen]], list[Changed]],
    *,
    is_all: bool,
    is_sure: bool,
    limit: int,
    scan: int,
) -> None:
    """Find the jobs, say what will be done, do it, say what became of it."""
    kind = " or ".join(state.value for state in states) or "named"
    if job_ids and (wanted.is_narrow or wanted.states or is_all):
        raise WrongUse("Give ids or a filter, not both.")
    if not job_ids and not wanted.is_narrow and not is_all:
        raise WrongUse(f"Name jobs or give a filter; --all --yes means every {kind} job.")
    with _failing(), Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector)
        # Looking needs no reason.
        with Steering(target.settings, queue, by=deed.by, reason=deed.reason or "dry run") as steering:
            is_cut, of = False, ""
            if job_ids:
                ids = list(dict.fromkeys(check_name("job", job_id) for job_id in job_ids))
            else:
                only = dataclasses.replace(wanted, states=states)
                found = inspector.list_jobs(queue, only, limit=limit, scan=scan)
                ids = [row.job_id for row in found.jobs]
                is_cut = found.cursor is not None
                of = f" of {found.count:,} {kind} ones, {found.looked_at:,} looked at"
            seen = steering.see(ids)
            if not job_ids:
                seen = {job_id: job for job_id, job in seen.items() if job.state in states}
            plan = f"{verb} {_jobs(len(seen))}{of}: {_name(list(seen))}"
            if is_all and not is_sure and not deed.is_dry:
                raise WrongUse(f"This would {plan}. If you mean all of them, say --yes.")
            changed = [Changed(job_id=job_id, fate=Fate.UNKNOWN) for job_id in ids if job_id not in seen and job_ids]
            if deed.is_dry:
                _report(deed, verb, queue, f"Would {plan}", list(seen), changed, is_cut=is_cut)
                return
            if not deed.is_json:
                click.echo(f"Going to {plan}")
            changed += change(steering, list(seen.values()))
    done = sum(each.fate is Fate.DONE for each in changed)
    _report(deed, verb, queue, f"Done: {done:,} of {len(changed):,}", list(seen), changed, is_cut=is_cut)


def _report(
    deed: Deed, verb: str, queue: str, text: str, planned: list[str], changed: list[Changed], *, is_cut: bool
) -> None:
    skipped = [each for each in changed if each.fate is not Fate.DONE]
    lines = [f"{text}."]
    for each in skipped[:_NAMED]:
        why = f"it is {each.state}" if each.state else _FATE_WORDS[each.fate]
        lines.append(f"Left alone: {each.job_id}: {why}.")
    if len(skipped) > _NAMED:
        lines.append(f"… and {len(skipped) - _NAMED:,} more.")
    if is_cut:
        lines.append("There may be more: not all were looked at. Say it again, or raise --limit and --scan.")
    _say(
        deed,
        verb,
        queue,
        "\n".join(lines),
        planned=len(planned),
        done=len(changed) - len(skipped),
        is_done=not deed.is_dry,
        jobs=planned,
        skipped=to_plain(skipped),
        is_cut=is_cut,
    )
    if skipped:
        sys.exit(EXIT_FAILED)


def _say(deed: Deed, verb: str, queue: str, text: str, *, is_done: bool = True, **facts: Any) -> None:
    if not deed.is_json:
        click.echo(text)
        return
    told = {
        "version": JSON_VERSION,
        "view": "steering",
        "queue": queue,
        "verb": verb,
        "is_done": is_done,
        "is_dry_run": deed.is_dry,
        "by": deed.by,
        "reason": deed.reason,
        "text": text,
        **facts,
    }
    click.echo(json.dumps(told, ensure_ascii=False))


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Tell errors of ours as the command line does."""
    try:
        yield
    except errors.RosqError as error:
        raise to_failure(error) from error


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A container's user may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _name(names: list[str]) -> str:
    more = f" … and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) + more) or "none"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


def _of_what(queue: str, lanes: Sequence[str]) -> str:
    return f"lane {', '.join(lanes)}" if lanes else f"queue {queue}"


def _count_waiting(overview: Overview, lanes: Sequence[str]) -> int:
    return sum(lane.waiting for lane in overview.lanes if not lanes or lane.name in lanes)


STEERING_COMMANDS = (pause, resume, retry, promote, remove, drain)
