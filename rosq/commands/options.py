"""What options take, and those that mean jobs: the same for looking and for steering."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from rosq import errors
from rosq.commands.context import WrongUse
from rosq.inspect import words
from rosq.inspect.jobs import filters
from rosq.inspect.jobs.sources import LISTED
from rosq.job import JobState
from rosq.settings import DEFAULT_REMEMBER_S

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
ZONE = Parsed("zone", words.parse_zone)
#: How much is looked at, at most.
SCAN = click.IntRange(1, 1_000_000_000)


def filter_options(*, has_state: bool = True, states: tuple[JobState, ...] = LISTED) -> Callable[[F], F]:
    """Add the options that choose jobs; the command gets them as `wanted`.

    Args:
        has_state: Whether the state can be chosen.
        states: The states among which it can be.
    """
    choices = [state.value for state in states]

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
        option = click.option(
            "--state", "states", multiple=True, type=click.Choice(choices), help="In this state. May be repeated."
        )
        return option(wrapped)  # type: ignore[return-value]

    return decorate


def remembering_options(command: F) -> F:
    """Add how long removed ids go on counting as duplicates; the command gets it as `remember_s`."""

    @click.option(
        "--remember",
        "remember_s",
        type=DURATION,
        default=DEFAULT_REMEMBER_S,
        show_default="1h",
        metavar="DURATION",
        help="A removed id counts as a duplicate for so long.",
    )
    @click.option("--forget-id", is_flag=True, help="A removed id counts as new at once; its fences may begin anew.")
    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, *args: Any, remember_s: float, forget_id: bool, **options: Any) -> Any:
        is_said = context.get_parameter_source("remember_s") is ParameterSource.COMMANDLINE
        if forget_id and is_said:
            raise WrongUse("--remember keeps a removed id for a while, --forget-id doesn't: give one of them.")
        return command(*args, remember_s=0.0 if forget_id else remember_s, **options)

    return wrapped  # type: ignore[return-value]
