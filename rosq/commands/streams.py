"""What is written to stdout and stderr: it never decides what a command does.

A character that the terminal's encoding lacks is spelled in ASCII. A pipe that nobody reads any more, a full disk and
a closed descriptor raise no error in the middle of a deed: they are remembered, and told by the exit code at the end.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import json
import os
import select
import sys
from typing import TYPE_CHECKING, Any

import click

from rosq.commands.context import EXIT_UNWRITTEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

#: How what views draw with is spelled where it can't be written; all else is spelled by its number.
_PLAIN = {"–": "-", "→": "->", "…": "...", "·": "-", "×": "x", "█": "#"}
_HANDLER = "rosq.plain"


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    spelled = (_PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(spelled), error.end


codecs.register_error(_HANDLER, _spell)


class OutputGone(Exception):
    """Nobody gets what is written any more: who writes without end may stop."""


class Sink(io.RawIOBase):
    """A file on which no write fails: the first trouble is remembered, and what comes after it is dropped.

    Args:
        file: Where the bytes go; None where the descriptor was closed from the beginning.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.trouble: OSError | None = None
        if file is None:
            self.trouble = OSError(errno.EBADF, os.strerror(errno.EBADF))

    def writable(self) -> bool:
        """It is, whatever happens."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write, or drop what can't be written."""
        content = bytes(data)
        try:
            while self.trouble is None:
                written = self._file.write(content)
                if written is not None:
                    self._file.flush()
                    return int(written)
                # A pipe that doesn't block is full: its reader is slow.
                select.select([], [self._file], [])
        except OSError as error:
            self.trouble = error
        return len(content)

    def fileno(self) -> int:
        """Of what it writes to."""
        if self._file is None:
            raise io.UnsupportedOperation("fileno")
        return int(self._file.fileno())

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return self._file is not None and bool(self._file.isatty())


class _Text(io.TextIOWrapper):
    """Text over a sink."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Not ASCII's name: click takes such a stream for a mistake, and would write UTF-8 past it."""
        name = super().encoding
        return "latin-1" if codecs.lookup(name).name == "ascii" else name


@contextlib.contextmanager
def writing() -> Iterator[Streams]:
    """Let everything that is printed go through sinks."""
    before = sys.stdout, sys.stderr
    streams = Streams(*before)
    sys.stdout, sys.stderr = streams.stdout, streams.stderr
    try:
        yield streams
    finally:
        streams.flush()
        sys.stdout, sys.stderr = before


class Streams:
    """The two, and what became of them."""

    def __init__(self, stdout: Any, stderr: Any) -> None:
        self.stdout = _open(stdout)
        self.stderr = _open(stderr)

    def flush(self) -> None:
        """Let nothing stay behind."""
        self.stdout.flush()
        self.stderr.flush()

    def finish(self, code: int) -> int:
        """Return the exit code: that of the deed, or one that says that it is done and the words are lost."""
        self.flush()
        trouble = _sink_of(self.stdout).trouble
        if trouble is None or trouble.errno == errno.EPIPE:
            # A reader that has seen enough is no failure.
            return code
        done = "" if code else " What was asked for is done."
        click.echo(f"The output couldn't be written: {trouble.strerror}.{done}", file=self.stderr)
        self.flush()
        return code or EXIT_UNWRITTEN


def go_on() -> None:
    """Return if somebody still gets what is written.

    Raises:
        OutputGone: The pipe is closed, or the like.
    """
    sys.stdout.flush()
    if isinstance(sys.stdout, io.TextIOWrapper) and isinstance(sys.stdout.buffer, io.BufferedWriter):
        sink = sys.stdout.buffer.raw
        if isinstance(sink, Sink) and sink.trouble is not None:
            raise OutputGone


def is_unicode() -> bool:
    """Whether stdout can say every character."""
    return codecs.lookup(sys.stdout.encoding).name.startswith("utf")


def say_json(value: Any) -> None:
    """Print an object as one line."""
    click.echo(json.dumps(value, ensure_ascii=not is_unicode()))


def say_error(kind: str, sentence: str, queue: str = "") -> None:
    """Print what stands with --json in the place of a view that can't be had."""
    # By itself it is a number, but redis-py comes with the views; `orders-service` writes by this module, too.
    from rosq.inspect.view import JSON_VERSION

    say_json({"version": JSON_VERSION, "view": "error", "queue": queue, "kind": kind, "problems": [sentence]})


def _open(stream: Any) -> io.TextIOWrapper:
    file = None if stream is None else getattr(stream.buffer, "raw", stream.buffer)
    if stream is not None:
        stream.flush()
    encoding = "utf-8" if stream is None else stream.encoding
    is_by_line = stream is not None and (stream.isatty() or stream.line_buffering)
    return _Text(io.BufferedWriter(Sink(file)), encoding, _HANDLER, line_buffering=is_by_line)


def _sink_of(stream: io.TextIOWrapper) -> Sink:
    sink = stream.buffer.raw  # type: ignore[attr-defined]
    assert isinstance(sink, Sink)
    return sink
