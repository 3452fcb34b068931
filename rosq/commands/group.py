"""The command `rosq` as a whole: its subcommands, and the one place where a failure is told.

A failure is one sentence on stderr and an exit code; with --json also an object on stdout. No failure repeats what may
be a secret: values of options are left out of what is wrong with them.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import re
import sys
import urllib.parse
from typing import TYPE_CHECKING, Any

import click

from rosq import errors
from rosq.commands import hints, streams
from rosq.commands.context import EXIT_FAILED, Failed, to_failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_EXTRA = re.compile(r"^(Got unexpected extra arguments?) \(.*\)", re.DOTALL)
_LEFT_OUT = "…"
#: What is shorter protects nothing, and would be found in any sentence.
_SHORTEST_SECRET = 3


class LazyGroup(click.Group):
    """A group of commands that are imported when they are used: a probe that runs each second mustn't load all.

    Args:
        members: `module:attribute` of each command by its name, in the order in which the help names them.
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


class MainGroup(LazyGroup):
    """The command itself.

    Args:
        variables: Options that say where the server is, each with its variable of the environment.
        secret: Those of them whose values are never repeated.
    """

    def __init__(self, *args: Any, variables: Mapping[str, str], secret: Collection[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._variables = variables
        self._secret = secret

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line, tell what went wrong, and end the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        with streams.writing() as out:
            try:
                code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
            except click.ClickException as error:
                code = self._tell(error, words)
            except errors.RosqError as error:
                code = self._tell(to_failure(error), words)
            except click.Abort:
                click.echo("Stopped.", err=True)
                code = EXIT_FAILED
            except streams.OutputGone:
                code = 0
            except SystemExit as error:
                code = error.code
            code = out.finish(code if isinstance(code, int) else 0)
        sys.exit(code)

    def _tell(self, error: click.ClickException, words: Sequence[str]) -> int:
        is_usage = isinstance(error, click.UsageError)
        if isinstance(error, click.NoSuchOption):
            error = hints.tell_option(error, self._secret)
        elif isinstance(error, click.NoSuchCommand):
            error = hints.tell_command(error)
        sentence = self._leave_out(error.format_message(), words)
        if "--json" in words:
            kind, queue = (error.kind, error.queue) if isinstance(error, Failed) else ("usage", "")
            streams.say_error(kind, sentence, queue)
        context = error.ctx if isinstance(error, click.UsageError) else None
        (click.UsageError(sentence, context) if is_usage else click.ClickException(sentence)).show()
        return error.exit_code

    def _leave_out(self, sentence: str, words: Sequence[str]) -> str:
        """Take out of a sentence what was typed: what is wrong with it can be said without."""
        for each in sorted(_list_secrets(words, self._variables, self._secret), key=len, reverse=True):
            if len(each) >= _SHORTEST_SECRET:
                sentence = sentence.replace(each, _LEFT_OUT)
        sentence = _EXTRA.sub(r"\1.", sentence)
        for value in _list_values(words, self._variables):
            for quoted in (repr(value), f"'{value}'", f'"{value}"'):
                # The first is what is wrong; what follows may be the words that are right.
                sentence = sentence.replace(quoted, f"'{_LEFT_OUT}'", 1)
        return sentence


def _list_values(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[str]:
    """All that was typed but for names of options, and what the environment says in the place of options."""
    for word in words:
        if not word.startswith("-"):
            yield word
        elif "=" in word:
            yield word.partition("=")[2]
    yield from (value for name in variables.values() if (value := os.environ.get(name)))


def _list_secrets(words: Sequence[str], variables: Mapping[str, str], secret: Collection[str]) -> Iterator[str]:
    """What is never to be seen: the values of secret options, and of the others what looks as if it had one in it."""
    given = [(flag, os.environ.get(name, "")) for flag, name in variables.items()]
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        flag, _, value = word.partition("=")
        if flag in variables:
            given.append((flag, value or following))
    for flag, value in given:
        if flag in secret or "@" in value or "://" in value:
            with contextlib.suppress(ValueError):
                password = urllib.parse.urlsplit(value).password or ""
                yield from (password, urllib.parse.unquote(password))
            yield value
