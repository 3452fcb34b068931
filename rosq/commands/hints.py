"""What somebody who typed a wrong word may have meant: an option of another command, a command of another group."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from rosq.job import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: More commands than these aren't named: the help has them all.
_NAMED = 4
#: What people type for some options, as other tools call them so.
_MEANT = {"--url": "--redis-url", "--host": "--redis-host", "--port": "--redis-port"}


def tell_option(error: click.NoSuchOption, secrets: Iterable[str]) -> click.UsageError:
    """Return the error that says where such an option stands; the same one where no command has it.

    The option's value isn't repeated: a URL may have a password in it.

    Args:
        secrets: Options whose values are secrets: one that was written together with its value isn't repeated.
    """
    for secret in secrets:
        if error.option_name.startswith(secret) and error.option_name != secret:
            return click.UsageError(f"No such option here; the value of {secret} stands apart from it.", error.ctx)
    context, spelling = error.ctx, _MEANT.get(error.option_name)
    option = spelling or error.option_name
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
        found = [path for path, each in _walk(start.command, start.command_path) if _has(each, option)]
        if found:
            names = ", ".join(f"`{each}`" for each in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
            return _refuse(error, f"{option} is an option of {names}.")
    return error


def tell_command(error: click.NoSuchCommand) -> click.UsageError:
    """Return the error that says which command may have been meant. What was typed isn't repeated: it may be
    anything."""
    context, typed = error.ctx, error.command_name
    assert context is not None
    root = context.find_root()
    commands = [path for path, _ in _walk(root.command, root.command_path)]
    meant = [path for path in commands if path.rsplit(" ", 1)[1] == typed]
    if not meant and typed in list(JobState):
        meant = [f"{root.command_path} inspect jobs --state {typed}"]
    if not meant:
        last_words = {path.rsplit(" ", 1)[1]: path for path in reversed(commands)}
        meant = [last_words[word] for word in difflib.get_close_matches(typed, last_words, _NAMED)]
    hint = f" Did you mean {' or '.join(f'`{each}`' for each in meant)}?" if meant else ""
    return click.UsageError(f"There is no such command here.{hint}", context)


def _refuse(error: click.NoSuchOption, place: str) -> click.UsageError:
    return click.UsageError(f"No such option {error.option_name!r} here: {place}", error.ctx)


def _list_above(context: click.Context) -> Iterator[click.Context]:
    while context.parent is not None:
        context = context.parent
        yield context


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below one, with what is to be typed for each."""
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        each = command.get_command(context, name)
        if each is not None and not each.hidden:
            yield f"{path} {name}", each
            yield from _walk(each, f"{path} {name}")


def _has(command: click.Command, option: str) -> bool:
    return any(option in each.opts for each in command.params)
