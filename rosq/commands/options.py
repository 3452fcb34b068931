"""Options that mean jobs, the same for looking and for steering."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rosq import errors
from rosq.inspect import filters
from rosq.inspect.sources import LISTED
from rosq.job import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


class Parsed(click.ParamType[Any]):
    """A value that one of our parsers reads."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or fail with the parser's sentence."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except errors.InvalidSettings as error:
            self.fail(str(error), param, ctx)


AGE = Parsed("age", filters.parse_age)
COUNT = Parsed("count", filters.parse_count)
DURATION = Parsed("duration", filters.parse_duration)
PATTERN = Parsed("regex", filters.compile_pattern)


def filter_options(*, has_state: bool = True) -> Callable[[F], F]:
    """Add the options that choose jobs; the command gets them as `wanted`."""

    def decorate(command: F) -> F:
        @click.option("--lane", "lanes", multiple=True, metavar="LANE", help="In this lane. May be repeated.")
        @click.option(
            "--worker", "workers", multiple=True, metavar="NAME", help="Last handed to this worker. May be repeated."
        )
        @click.option("--error", type=PATTERN, help="Last error matches, upper and lower case alike.")
        @click.option("--age", type=AGE, help="In its state for so long: '>10m', '<2h'; 10m means at least.")
        @click.option("--attempts", type=COUNT, help="Failures of its handler: '>2', '<=3', 0.")
        @click.option("--crashes", type=COUNT, help="Holders in a row that didn't settle it: '>0'.")
        @click.option("--id", "id_pattern", type=PATTERN, help="Its id matches.")
        @functools.wraps(command)
        def wrapped(*args: Any, states: tuple[str, ...] = (), **options: Any) -> Any:
            names = ("lanes", "workers", "error", "age", "attempts", "crashes", "id_pattern")
            given = {name: options.pop(name) for name in names}
            wanted = filters.JobFilter(states=tuple(JobState(state) for state in states), **given)
            return command(*args, wanted=wanted, **options)

        if not has_state:
            return wrapped  # type: ignore[return-value]
        choice = click.Choice([state.value for state in LISTED])
        option = click.option("--state", "states", multiple=True, type=choice, help="In this state. May be repeated.")
        return option(wrapped)  # type: ignore[return-value]

    return decorate
