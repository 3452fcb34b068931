"""What options of any command take: numbers that can be counted with, words that can be written down."""

from __future__ import annotations

import math
from typing import Any, Final

import click

#: A hundred years: longer than anything here lasts, and no clock or calendar fails to count with it.
LONGEST_DAYS: Final = 36_525.0
LONGEST_S: Final = LONGEST_DAYS * 86_400
#: The largest that PostgreSQL's bigint and protobuf's int64 hold.
MAX_ID: Final = 2**63 - 1


class Number(click.FloatRange):
    """A number from one to another; `nan` and `inf` are none, whatever the range."""

    unit = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or fail."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"that is no {self.unit}.", param, ctx)
        return number


class Seconds(Number):
    """A number of seconds: up to a hundred years, where nothing else is said."""

    unit = "number of seconds"

    def __init__(self, min: float = 0.0, max: float = LONGEST_S, *, min_open: bool = False) -> None:
        super().__init__(min, max, min_open=min_open)


class Days(Number):
    """A number of days, up to a hundred years."""

    unit = "number of days"

    def __init__(self, min: float = 0.0, *, min_open: bool = False) -> None:
        super().__init__(min, LONGEST_DAYS, min_open=min_open)


class Text(click.types.StringParamType):
    """Words that can be written down and sent: what the terminal typed in another encoding can't be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take it, or fail."""
        text = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("it isn't UTF-8: set the terminal and the locale to UTF-8.", param, ctx)
        return text


def require_text(command: click.Command) -> None:
    """Let every word that a command and those below it take be text. Names of files stay what they are: bytes."""
    for parameter in command.params:
        if type(parameter.type) is click.types.StringParamType:
            parameter.type = Text()
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            require_text(inner)
