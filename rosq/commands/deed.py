"""What all steering commands share: who and why, dry runs, how they speak, and progress on long work."""

from __future__ import annotations

import dataclasses
import functools
import getpass
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rosq.commands import streams
from rosq.commands.context import WrongUse
from rosq.inspect.steering_view import SteeringView

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

#: Seconds between two lines of progress: on a terminal, where one line is written again, and in a log.
_PROGRESS_S = 0.5
_LOGGED_PROGRESS_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who steers, why, and whether it is only to be said what would be done."""

    by: str
    reason: str
    is_dry: bool
    is_json: bool

    def say(self, verb: str, queue: str, text: str, *, is_done: bool = True, **facts: Any) -> None:
        """Print what was done, or would be: a text for people, or one object."""
        if not self.is_json:
            click.echo(text)
            return
        view = SteeringView(
            queue=queue,
            verb=verb,
            is_done=is_done,
            is_dry_run=self.is_dry,
            by=self.by,
            reason=self.reason,
            text=text,
            **facts,
        )
        streams.say_json(view.to_json())


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


class Progress:
    """Says on stderr how far long work is: one line that changes on a terminal, now and then a line elsewhere.

    Args:
        total: How many there are to do; None where nobody knows.
        every_s: Seconds between two lines at least; None: as suits a terminal, or a log.
    """

    def __init__(self, what: str, total: int | None = None, every_s: float | None = None) -> None:
        self._what = what
        self._total = total
        self._is_terminal = sys.stderr.isatty()
        usual_s = _PROGRESS_S if self._is_terminal else _LOGGED_PROGRESS_S
        self._every_s = usual_s if every_s is None else every_s
        self._said_s = time.monotonic()
        self._has_said = False
        self._count = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, broken_off: object, *_: object) -> None:
        if self._has_said and self._is_terminal:
            click.echo("\r\033[K", nl=False, err=True)
        if broken_off is not None:
            click.echo(f"Stopped: {self._what.lower()} {self._count:,}{self._of}.", err=True)

    @property
    def _of(self) -> str:
        return "" if self._total is None else f" of {self._total:,}"

    def tell(self, count: int) -> None:
        """Say the count, if the last time is long enough ago."""
        self._count = count
        now_s = time.monotonic()
        if now_s - self._said_s < self._every_s:
            return
        self._said_s, self._has_said = now_s, True
        text = f"{self._what}: {count:,}{self._of} …"
        if self._is_terminal:
            click.echo(f"\r\033[K{text}", nl=False, err=True)
        else:
            click.echo(text, err=True)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A container's user may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
