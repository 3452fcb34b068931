"""How a view gets out: as a screen or as JSON, once or again and again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from rosq import errors
from rosq.commands import streams
from rosq.commands.context import Target, to_failure
from rosq.commands.options import ZONE
from rosq.commands.values import Seconds
from rosq.inspect.inspector import Inspector
from rosq.inspect.words import use_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from rich.console import RenderableType

    from rosq.inspect.view import View

_UNBOUNDED_COLUMNS = 10_000

V = TypeVar("V", bound="View")
F = TypeVar("F", bound="Callable[..., Any]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the user wants to see it."""

    is_json: bool = False
    watch_s: float | None = None
    no_color: bool = False
    #: In which zone times are said; JSON has UTC.
    zone: tzinfo = UTC

    def make_console(self) -> Console:
        """A console on stdout. Ids and errors are data: nothing in them is markup."""
        # Outside of a terminal a row is one line, however long, so that grep finds it whole.
        is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
        return Console(
            no_color=self.no_color or None,
            highlight=False,
            markup=False,
            emoji=False,
            width=_UNBOUNDED_COLUMNS if is_free else None,
        )


def output_options(command: F) -> F:
    """Add --json, --watch, --no-color and --tz; the command gets them as `output`. They may stand before a subcommand
    too."""

    @click.option("--json", "is_json", is_flag=True, help="Print JSON, with --watch one object a line.")
    @click.option(
        "--watch",
        "watch_s",
        type=Seconds(min=0.1, max=86_400),
        is_flag=False,
        flag_value=2.0,
        default=None,
        metavar="[SECONDS]",
        help="Look again every so many seconds (2), until Ctrl-C. Stands outages of Redis.",
    )
    @click.option("--no-color", is_flag=True, envvar="NO_COLOR", show_envvar=True, help="Print without colours.")
    @click.option(
        "--tz",
        "zone",
        type=ZONE,
        envvar="ROSQ_TZ",
        show_envvar=True,
        metavar="ZONE",
        help="Say times in this zone: Europe/Moscow, local. Default: UTC; JSON always has UTC.",
    )
    @click.pass_context
    @functools.wraps(command)
    def wrapped(
        context: click.Context,
        /,
        *args: Any,
        is_json: bool,
        watch_s: float | None,
        no_color: bool,
        zone: tzinfo | None,
        **options: Any,
    ) -> Any:
        before = context.meta.get("rosq.output", Output())
        output = Output(
            is_json=is_json or before.is_json,
            watch_s=watch_s if watch_s is not None else before.watch_s,
            no_color=no_color or before.no_color,
            zone=zone or before.zone,
        )
        use_zone(UTC if output.is_json else output.zone)
        context.meta["rosq.output"] = output
        return context.invoke(command, *args, output=output, **options)

    return wrapped  # type: ignore[return-value]


def show(
    target: Target,
    output: Output,
    look: Callable[[Inspector, str], V],
    draw: Callable[[V], RenderableType],
    exit_code: Callable[[V], int] = lambda _: 0,
    *,
    needs_queue: bool = True,
    lanes: Sequence[str] = (),
) -> None:
    """Look, print, and exit with what the view says; or go on until Ctrl-C, which is how watching ends well.

    Args:
        lanes: Lanes that were named, to be told of when there are none such.
    """
    with Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector) if needs_queue else ""
        if output.watch_s is not None:
            _watch(inspector, queue, output, output.watch_s, look, draw)
            return
        view = look(inspector, queue)
        if target.queue is not None and needs_queue and (mistake := inspector.find_mistake(queue, lanes)):
            click.echo(mistake, err=True)
    if output.is_json:
        streams.say_json(view.to_json())
    else:
        print_view(output, draw(view))
    sys.exit(exit_code(view))


def print_view(output: Output, drawn: RenderableType) -> None:
    """Print a screen."""
    console = output.make_console()
    if console.is_terminal:
        console.print(drawn)
        return
    with console.capture() as capture:
        console.print(drawn)
    # A program, or a file, gets what is said and no blanks that fill up a column.
    click.echo("\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n")))


def _watch(
    inspector: Inspector,
    queue: str,
    output: Output,
    every_s: float,
    look: Callable[[Inspector, str], V],
    draw: Callable[[V], RenderableType],
) -> None:
    from rich.live import Live

    console = output.make_console()
    with contextlib.suppress(KeyboardInterrupt):
        if output.is_json:
            while True:
                try:
                    streams.say_json(look(inspector, queue).to_json())
                except errors.ServerUnreachable as error:
                    streams.say_error(to_failure(error).kind, str(error), queue)
                streams.go_on()
                time.sleep(every_s)
        if not console.is_terminal:
            while True:
                print_view(output, _draw_or_tell(inspector, queue, look, draw))
                click.echo()
                streams.go_on()
                time.sleep(every_s)
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(_draw_or_tell(inspector, queue, look, draw), refresh=True)
                streams.go_on()
                time.sleep(every_s)


def _draw_or_tell(
    inspector: Inspector, queue: str, look: Callable[[Inspector, str], V], draw: Callable[[V], RenderableType]
) -> RenderableType:
    try:
        return draw(look(inspector, queue))
    except errors.ServerUnreachable as error:
        return Text(f"UNREACHABLE  {error}", "bold red")
