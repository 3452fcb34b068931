"""The command `rosq`."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from rosq import errors, inspect_view
from rosq.inspector import Inspector
from rosq.keys import check_queue_name
from rosq.settings import RedisSettings

if TYPE_CHECKING:
    from rosq.inspector import Overview

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INCONSISTENT = 4
EXIT_LIMIT = 5

_EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 the server can't be reached, 4 an inconsistency was found, "
    "5 a limit was breached."
)


class _Failed(click.ClickException):
    """One sentence on stderr, and an exit code that scripts can use."""

    exit_code = EXIT_FAILED


class _WrongUse(_Failed):
    exit_code = EXIT_USAGE


class _Unreachable(_Failed):
    exit_code = EXIT_UNREACHABLE


def _to_failure(error: errors.RosqError) -> _Failed:
    if isinstance(error, errors.ServerUnreachable):
        return _Unreachable(str(error))
    if isinstance(error, errors.InvalidName | errors.InvalidSettings):
        return _WrongUse(str(error))
    return _Failed(str(error))


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--queue", envvar="ROSQ_QUEUE", show_envvar=True, help="The queue. Default: the only queue there is.")
@click.option("--redis-host", envvar="REDIS_HOST", show_envvar=True, default="127.0.0.1", show_default=True)
@click.option("--redis-port", envvar="REDIS_PORT", show_envvar=True, default=6379, show_default=True, type=int)
@click.option("--redis-db", envvar="REDIS_DB", show_envvar=True, default=0, show_default=True, type=int)
@click.option("--redis-username", envvar="REDIS_USERNAME", show_envvar=True, default=None)
@click.option(
    "--redis-password",
    envvar="REDIS_PASSWORD",
    show_envvar=True,
    default=None,
    help="Better given by the environment: others can see a command line.",
)
@click.pass_context
def main(
    context: click.Context,
    queue: str | None,
    redis_host: str,
    redis_port: int,
    redis_db: int,
    redis_username: str | None,
    redis_password: str | None,
) -> None:
    """See a rosq queue.

    \b
    rosq inspect                 the only queue of the Redis on this machine
    rosq --queue orders inspect --watch
    REDIS_HOST=redis rosq inspect --json | jq .waiting
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = RedisSettings(
            host=redis_host or "127.0.0.1",
            port=redis_port,
            db=redis_db,
            username=redis_username or None,
            password=redis_password or None,
        )
        if queue:
            check_queue_name(queue)
    except errors.RosqError as error:
        raise _to_failure(error) from error
    context.obj = (settings, queue or None)


@main.command(epilog=_EXIT_CODES)
@click.option("--json", "is_json", is_flag=True, help="Print JSON, with --watch one object a line.")
@click.option(
    "--watch",
    "watch_s",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=2.0,
    default=None,
    metavar="[SECONDS]",
    help="Look again every so many seconds (2), until Ctrl-C. Stands outages of Redis.",
)
@click.option(
    "--max-waiting-age",
    "max_waiting_s",
    type=click.FloatRange(min=0),
    envvar="ROSQ_MAX_WAITING_AGE",
    show_envvar=True,
    metavar="SECONDS",
    help="Exit with 5 when a job has been waiting for longer.",
)
@click.option("--no-color", is_flag=True, envvar="NO_COLOR", show_envvar=True, help="Print without colours.")
@click.pass_obj
def inspect(
    given: tuple[RedisSettings, str | None],
    is_json: bool,
    watch_s: float | None,
    max_waiting_s: float | None,
    no_color: bool,
) -> None:
    """Show the queue on one screen: verdict, states, lanes, and the workers with the job that each holds.

    It only reads Redis, a bounded part of it, and never asks a worker: a busy or dead one is seen as well as an idle
    one. A DEGRADED verdict alone isn't a failure; what breaks an invariant of the queue exits with 4.
    """
    settings, queue = given
    console = Console(no_color=no_color or None, highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        with Inspector(settings) as inspector:
            if watch_s is not None:
                _watch(inspector, queue, console, watch_s, is_json=is_json)
                return
            overview = inspector.look(queue or _only_queue(inspector))
    except errors.RosqError as error:
        raise _to_failure(error) from error
    if is_json:
        click.echo(json.dumps(overview.to_json(), ensure_ascii=False))
    else:
        console.print(inspect_view.render(overview))
    sys.exit(_exit_code(overview, max_waiting_s))


def _exit_code(overview: Overview, max_waiting_s: float | None) -> int:
    if overview.inconsistencies:
        return EXIT_INCONSISTENT
    is_late = max_waiting_s is not None and (overview.oldest_waiting_s or 0.0) > max_waiting_s
    return EXIT_LIMIT if is_late else 0


def _only_queue(inspector: Inspector) -> str:
    queues = inspector.list_queues()
    if len(queues) == 1:
        return queues[0]
    if not queues:
        raise _Failed("There is no queue on this Redis yet. Name one with --queue, or put a job on one first.")
    raise _WrongUse(f"There are several queues: {', '.join(queues)}. Name one with --queue or ROSQ_QUEUE.")


def _watch(inspector: Inspector, queue: str | None, console: Console, every_s: float, *, is_json: bool) -> None:
    """Look again and again until Ctrl-C, which is how it ends well."""
    name = queue or _only_queue(inspector)
    try:
        if is_json:
            while True:
                click.echo(json.dumps(_look_for_json(inspector, name), ensure_ascii=False))
                time.sleep(every_s)
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                try:
                    live.update(inspect_view.render(inspector.look(name)), refresh=True)
                except errors.ServerUnreachable as error:
                    live.update(Text(f"UNREACHABLE  {error}", "bold red"), refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The reader of a pipe has seen enough. Nothing must be flushed into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _look_for_json(inspector: Inspector, name: str) -> dict[str, object]:
    try:
        return inspector.look(name).to_json()
    except errors.ServerUnreachable as error:
        return {"version": 1, "queue": name, "verdict": "UNREACHABLE", "problems": [str(error)]}


if __name__ == "__main__":
    main()
