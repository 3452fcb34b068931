"""An option that stands at the wrong command: where it belongs is told in the same breath."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More commands than these aren't named: the help has them all.
_NAMED = 4


def tell_place(error: click.NoSuchOption, spelling: str | None = None) -> click.UsageError:
    """Return the error that says where such an option stands; the same one where no command has it.

    The option's value isn't repeated: a URL may have a password in it.

    Args:
        spelling: What the option that is meant is really called, where that isn't what was typed.
    """
    context, option = error.ctx, spelling or error.option_name
    if context is None:
        return error
    if spelling is not None and _has(context.command, spelling):
        return _refuse(error, f"it is called {spelling}.")
    for above in _list_above(context):
        if _has(above.command, option):
            rest = context.command_path.removeprefix(above.command_path)
            place = f"{option} stands before the subcommand, as in `{above.command_path} {option} ...{rest}`."
            return _refuse(error, place)
    # What is nearest first: the subcommands of this one, else those beside it, else those beside that.
    for start in (context, *_list_above(context)):
        found = list(_list_below(start.command, start.command_path, option))
        if found:
            names = ", ".join(f"`{each}`" for each in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
            return _refuse(error, f"{option} is an option of {names}.")
    return error


def _refuse(error: click.NoSuchOption, place: str) -> click.UsageError:
    return click.UsageError(f"No such option {error.option_name!r} here: {place}", error.ctx)


def _list_above(context: click.Context) -> Iterator[click.Context]:
    while context.parent is not None:
        context = context.parent
        yield context


def _list_below(command: click.Command, path: str, option: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        each = command.get_command(context, name)
        if each is None or each.hidden:
            continue
        if _has(each, option):
            yield f"{path} {name}"
        yield from _list_below(each, f"{path} {name}", option)


def _has(command: click.Command, option: str) -> bool:
    return any(option in each.opts for each in command.params)
