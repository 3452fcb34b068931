"""Kinds of values that options take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rosq import errors
from rosq.inspect import words
from rosq.inspect.jobs import filters

if TYPE_CHECKING:
    from collections.abc import Callable


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
