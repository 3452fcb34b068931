"""The state file: one record a line, on disk before it counts.

What a crash leaves: at most a last line without its end. That record was never answered for, so it is cut off at the
next start. Anything else that can't be read stops the start: a ledger with a hole would hide what was charged.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, BinaryIO, Protocol

from worker.simulator import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMAT = "rosreestr-simulator-1"


class Journal(Protocol):
    """Where records go before they count."""

    def append(self, record: Mapping[str, object]) -> None:
        """Make the record as durable as this journal does."""


class NoJournal:
    """Keeps nothing: without `--state` a restart forgets everything."""

    def append(self, record: Mapping[str, object]) -> None:
        """Accept the record."""


class StateFile:
    """An append-only file of JSON lines, held by one process at a time.

    Raises:
        StateUnusable: Another simulator holds the file, or it isn't one of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open(path)
        self._end = 0

    def read(self) -> Iterator[dict[str, object]]:
        """Every record in the order it was written. Called once, before the first `append`."""
        lines = self._file.read().split(b"\n")
        whole, torn = lines[:-1], lines[-1]
        self._end = sum(len(line) + 1 for line in whole)
        if torn:
            os.ftruncate(self._file.fileno(), self._end)
        if not whole:
            self.append({"record": "format", "format": FORMAT})
            return
        for index, line in enumerate(whole):
            try:
                record = json.loads(line)
            except ValueError as exc:
                raise self._unusable(f"line {index + 1} is not a record") from exc
            if not isinstance(record, dict):
                raise self._unusable(f"line {index + 1} is not a record")
            if index == 0:
                if record.get("format") != FORMAT:
                    raise self._unusable("it wasn't written by this simulator")
                continue
            yield record

    def append(self, record: Mapping[str, object]) -> None:
        """Write the record and wait until the disk has it.

        Raises:
            StateWriteFailed: It isn't there, and nothing half-written is either.
        """
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        descriptor = self._file.fileno()
        try:
            written = 0
            while written < len(line):
                written += os.pwrite(descriptor, line[written:], self._end + written)
            os.fsync(descriptor)
        except OSError as exc:
            # The next record would otherwise follow on half of this one, and the file could never be read again.
            os.ftruncate(descriptor, self._end)
            raise errors.StateWriteFailed(f"The state file {self._path} can't be written: {exc.strerror}.") from exc
        self._end += len(line)

    def close(self) -> None:
        """Let the file go; another process may continue it."""
        self._file.close()

    def _open(self, path: Path) -> BinaryIO:
        try:
            is_new = not path.exists()
            # The file names who ordered what: nobody else's business.
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", buffering=0)
        except OSError as exc:
            raise errors.StateUnusable(f"The state file {path} can't be opened: {exc.strerror}.") from exc
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            file.close()
            raise errors.StateUnusable(
                f"The state file {path} is in use by another simulator: stop that one, or give another --state."
            ) from exc
        if is_new:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)  # Without it a power cut may lose the name of a file whose content is safe.
            finally:
                os.close(folder)
        return file

    def _unusable(self, why: str) -> errors.StateUnusable:
        return errors.StateUnusable(f"The state file {self._path} can't be continued, {why}: give another --state.")
