"""The words of the shell: English, or Russian by --lang, ORDERS_SERVICE_LANG or the locale.

The commands are written in English. What a person reads passes through here on its way out: a heading, a sentence with
values in it, a page of help. What isn't known in Russian is said in English, never left out; what is for machines, and
what comes from outside, is what it is.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where a command's context keeps it: the contexts of all commands of a call share what stands there.
_KEY: Final = "orders_service.language"
VARIABLE: Final = "ORDERS_SERVICE_LANG"
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_PLACES: Final = re.compile(r"\{(\*?)\}")


class Language(enum.Enum):
    """In which language people are told."""

    ENGLISH = "en"
    RUSSIAN = "ru"


def of_environment(environ: Mapping[str, str]) -> Language:
    """Return the language of the environment: that of the first variable that says one, as POSIX has it."""
    said = next((value for name in (VARIABLE, *_VARIABLES) if (value := environ.get(name))), "")
    return Language.RUSSIAN if said.lower().startswith("ru") else Language.ENGLISH


def choose(context: click.Context, language: Language) -> None:
    """Let everything that this call prints from here on be in this language."""
    context.meta[_KEY] = language


def current() -> Language:
    """Return the language of the command that is running."""
    context = click.get_current_context(silent=True)
    found = context.meta.get(_KEY) if context is not None else None
    return found if isinstance(found, Language) else Language.ENGLISH


def tr(text: str) -> str:
    """Return a text of ours in the language of the command."""
    return "\n".join(map(to_russian, text.split("\n"))) if current() is Language.RUSSIAN else text


def tr_reason(reason: str, sentence: str) -> str:
    """Return what the service said: with its reason in words and as a code, where people are told in Russian."""
    if current() is not Language.RUSSIAN or not reason:
        return sentence
    from orders_service.commands.language import russian

    return f"{russian.REASONS.get(reason, 'Отказано')} ({reason}). {sentence}"


def to_russian(line: str) -> str:
    """Return a line of ours in Russian; as it is, where it isn't known.

    A word or a whole sentence is looked up; else a sentence with values in it is known by its shape. A value that is
    ours too (`{*}`) is translated as well, all others stay.
    """
    from orders_service.commands.language import russian

    if line in russian.WORDS:
        return russian.WORDS[line]
    for shape, kinds, sentence in _shapes():
        if found := shape.fullmatch(line):
            values = zip(found.groups(), kinds, strict=True)
            return sentence.format(*(to_russian(value) if kind else value for value, kind in values))
    return line


def to_russian_help(paragraph: str) -> str:
    """Return a paragraph of help in Russian; as it is, where it isn't known."""
    from orders_service.commands.language import russian_help

    return russian_help.HELP.get(" ".join(paragraph.split()), paragraph)


@functools.cache
def _shapes() -> list[tuple[re.Pattern[str], list[str], str]]:
    from orders_service.commands.language import russian

    shapes = []
    for english, sentence in russian.SENTENCES.items():
        kinds = _PLACES.findall(english)
        pattern = "(.*?)".join(re.escape(part) for part in _PLACES.split(english)[::2])
        shapes.append((re.compile(pattern, re.DOTALL), kinds, sentence))
    # The one that says most comes first, and what begins with a value last: it would take the sentences of others.
    return sorted(shapes, key=lambda shape: (shape[0].pattern.startswith("("), -len(shape[0].pattern)))
