"""Every look at a queue, and every hand that steers it: none may end in anything but a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.testing import CliRunner, Result

from rosq import errors
from rosq.cli import main
from rosq.commands import inspect as inspect_command
from rosq.inspect import Inspector
from rosq.job import JobState
from rosq.metrics import QueueCollector
from rosq.top import pages
from rosq.top.examiner import Examiner
from rosq.top.glance import Page, Wanted
from tests.integration.rosq.conftest import settings_of

if TYPE_CHECKING:
    from tests.integration.rosq.damage.stage import Stage

#: Exit codes that the help lists.
_CODES = {0, 1, 2, 3, 4, 5}
#: What a view wants besides.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "job": ("JOB", "--show-data", "--show-trace"),
    "explain": ("JOB",),
}


def list_views() -> list[tuple[str, ...]]:
    """Every subcommand of `rosq inspect`, and the doctor."""
    group = inspect_command.inspect
    assert isinstance(group, click.Group)
    names = group.list_commands(click.Context(group))
    views = [("inspect", name, *_ARGUMENTS.get(name, ())) for name in names if name != "schema"]
    return [("inspect",), *views, ("doctor",), ("repair", "--dry-run")]


def run(stage: Stage, *arguments: str) -> Result:
    env = {**stage.server.env(), "ROSQ_QUEUE": stage.queue.name, "ROSQ_OPERATOR": "ann", "COLUMNS": "200"}
    return CliRunner().invoke(main, list(arguments), env=env)


def check(stage: Stage, *arguments: str) -> Result:
    """Run a command that may refuse, but in one sentence."""
    result = run(stage, *arguments)
    told = f"`rosq {' '.join(arguments)}`: {result.exception!r}\n{result.output[-2000:]}"
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert result.exit_code in _CODES, told
    assert "Traceback" not in result.output, told
    if arguments[0] in ("inspect", "doctor") and result.exit_code not in (0, 4, 5):
        assert len(result.stderr.strip().splitlines()) == 1, told
    return result


def look_at_everything(stage: Stage, job_ids: list[str], *, is_whole: bool = True) -> None:
    """Every view, as text and as JSON; what code asks, what Prometheus asks, and every page of `rosq top`."""
    for view in list_views():
        for job_id in job_ids if "JOB" in view else [""]:
            arguments = [job_id if part == "JOB" else part for part in view]
            check(stage, view[0], "--json", *arguments[1:])
            if is_whole:
                check(stage, *arguments)
    settings = settings_of(stage.server)
    for job_id in job_ids:
        _try(stage.queue.find_job, job_id)
    _try(stage.queue.find_jobs, job_ids)
    collector = QueueCollector(settings, [stage.queue.name], fresh_for_s=0)
    told = {family.name: family for family in collector.collect()}
    assert told["rosq_queue_up"].samples
    collector.close()
    with Inspector(settings) as inspector:
        look_at_all_pages(stage, inspector, job_ids)


def look_at_all_pages(stage: Stage, inspector: Inspector, job_ids: list[str]) -> None:
    examiner = Examiner(inspector)
    for page in Page:
        for state in JobState if page is Page.JOBS else [JobState.ACTIVE]:
            if state is not JobState.FORGOTTEN:
                _try(pages.look, inspector, examiner, Wanted(page=page, queue=stage.queue.name, state=state))
    for job_id in job_ids:
        _try(pages.look, inspector, examiner, Wanted(page=Page.JOBS, queue=stage.queue.name, job_id=job_id))


def steer_everything(stage: Stage, job_ids: list[str]) -> None:
    """Every command that changes the queue, on jobs that are damaged among others."""
    why = ("--why", "a test")
    commands: list[tuple[str, ...]] = [
        ("pause", *why),
        ("resume", *why),
        ("move", *job_ids, "--to", "main", *why),
        ("promote", *job_ids, *why),
        ("retry", *job_ids, *why),
        ("retry", "--all", "--yes", *why),
        ("cancel", *job_ids, *why),
        ("remove", *job_ids, "--yes", *why),
        ("forget", "--state", "completed", "--keep", "0", "--yes", *why),
        ("drain", "--lane", "quiet", "--yes", *why),
    ]
    for command in commands:
        check(stage, *command)


def _try(ask: Any, *arguments: Any) -> None:
    try:
        ask(*arguments)
    except errors.RosqError:
        return
