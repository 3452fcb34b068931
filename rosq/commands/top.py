"""`rosq top`."""

from __future__ import annotations

import os
import sys
from datetime import UTC
from typing import TYPE_CHECKING

import click

from rosq.commands.context import EXIT_CODES, Target, WrongUse
from rosq.commands.options import ZONE
from rosq.commands.values import Seconds
from rosq.inspect.inspector import Inspector
from rosq.inspect.words import use_zone

if TYPE_CHECKING:
    from datetime import tzinfo


@click.command(epilog=EXIT_CODES)
@click.option(
    "--refresh",
    "refresh_s",
    type=Seconds(0.2, 3_600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Look every so many seconds; the keys + and - change it.",
)
@click.option("--no-color", is_flag=True, envvar="NO_COLOR", show_envvar=True, help="Without colours.")
@click.option(
    "--tz",
    "zone",
    type=ZONE,
    envvar="ROSQ_TZ",
    show_envvar=True,
    metavar="ZONE",
    help="Say times in this zone: Europe/Moscow, local. Default: UTC.",
)
@click.pass_obj
def top(target: Target, refresh_s: float, no_color: bool, zone: tzinfo | None) -> None:
    """See the queue on a screen that stays: queues, jobs by state, workers, lanes, what is pending, errors, events,
    throughput by minute, hour and day, the doctor's findings with what to do, one job explained.

    It only reads. Arrows or j and k move, Enter opens, Esc goes back, / filters, ? lists all keys, q or Ctrl-C ends. It
    stands outages of Redis: it says so, and comes back. The doctor examines on entering his page and by the key r only.
    It needs a terminal.
    """
    is_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    if not is_terminal or os.environ.get("TERM", "dumb") == "dumb":
        raise WrongUse("`rosq top` needs a terminal. Elsewhere use `rosq inspect --watch`, or `--json` for a program.")
    # Only this command pays for what draws it.
    from rosq.top.app import TopApp

    if no_color:
        # This is how textual is told.
        os.environ["NO_COLOR"] = "1"
    use_zone(zone or UTC)
    with Inspector(target.settings) as inspector:
        app = TopApp(inspector, address=target.settings.address, queue=target.queue, refresh_s=refresh_s)
        app.run()
    # What went wrong in the app was printed by it.
    sys.exit(app.return_code or 0)
