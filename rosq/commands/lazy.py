"""A group whose commands are imported when they are used: a probe that runs each second mustn't load all of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group of commands by name.

    Args:
        members: `module:attribute` of each command, in the order in which the help names them.
    """

    def __init__(self, *args: Any, members: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._members = members

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, imported or not."""
        return list(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        place = self._members.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command
