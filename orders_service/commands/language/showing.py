"""Help and errors as click shows them, in the language of the command."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final

import click

from orders_service.commands.language import Language, current, to_russian_help, tr
from orders_service.commands.language.russian import EXTRAS, HEADINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What click puts behind the help of an option: where it may come from, and what it is otherwise.
_EXTRA: Final = re.compile(r"(.*?)((?:\s*\[[^\[\]]*\])*)", re.DOTALL)


class HelpFormatter(click.HelpFormatter):
    """Writes pages of help."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how the command is called."""
        super().write_usage(prog, args, f"{HEADINGS['Usage']}: " if prefix is None and _is_russian() else prefix)

    def write_heading(self, heading: str) -> None:
        """Write what comes below."""
        super().write_heading(HEADINGS.get(heading, heading) if _is_russian() else heading)

    def write_text(self, text: str) -> None:
        """Write paragraphs; examples stay what they are."""
        if _is_russian():
            text = "\n\n".join(
                _by_lines(part) if part.startswith("\b") else to_russian_help(part)
                for part in re.split(r"\n\s*\n", text)
            )
        super().write_text(text)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands, each with its help."""
        if _is_russian():
            rows = [(name, _explained(text)) for name, text in rows]
        super().write_dl(rows, col_max, col_spacing)


class ToldError(click.ClickException):
    """An error in Russian, with what click says around it."""

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(tr(error.format_message()))
        self.exit_code = error.exit_code  # type: ignore[misc]  # that of the error that is told
        context = error.ctx if isinstance(error, click.UsageError) else None
        self._usage = ""
        if context is not None:
            option = (context.help_option_names or ["--help"])[-1]
            self._usage = f"{context.get_usage()}\nПодробнее: `{context.command_path} {option}`.\n"

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        if self._usage:
            click.echo(self._usage, file=file, err=True)
        click.echo(f"{HEADINGS['Error']}: {self.format_message()}", file=file, err=True)


def _is_russian() -> bool:
    return current() is Language.RUSSIAN


def _by_lines(block: str) -> str:
    """Translate what stands between examples; they stay what they are."""
    return "\n".join(
        HEADINGS.get(line.strip(": "), "") + ":" if line.strip(": ") in HEADINGS else to_russian_help(line)
        for line in block.split("\n")
    )


def _explained(text: str) -> str:
    found = _EXTRA.fullmatch(text)
    if found is None:
        return text
    extra = found[2] or ""
    for english, russian in EXTRAS.items():
        extra = extra.replace(english, russian)
    return to_russian_help(found[1].strip()) + extra
