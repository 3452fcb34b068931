"""Reading what lies in Redis as text: counts, times, JSON.

Anybody who has the server's password can write there, so nothing that is read need be what rosq wrote. What can't be
read is none here, never an error: a view tells of what it can read, and one field ends no worker.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

#: From here on a number isn't exact any more in scripts, scores and JSON; fences stay below it.
TOO_MUCH = 2**53
#: The last millisecond that a calendar has: the year 9999 ends with it.
LAST_MS = 253_402_300_799_999
_WHOLE = re.compile(r"[0-9]{1,16}")
_ENTRY_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,16}")


def read_whole(text: str | None) -> int | None:
    """Read a count or a fence: a whole number from 0 on, below 2^53."""
    if text is None or not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if number < TOO_MUCH else None


def read_ms(value: str | float | None) -> float | None:
    """Read a time in ms: a field's text, or a sorted set's score, where anything before 1970 is the beginning of it."""
    if isinstance(value, str):
        value = read_whole(value)
    if value is None or not value <= LAST_MS:
        return None
    return max(value, 0)


def to_datetime(at_ms: str | float | None) -> datetime | None:
    """Read a time of Redis; None where there is none, or none that a calendar has."""
    read = read_ms(at_ms)
    return None if read is None else datetime.fromtimestamp(read / 1000, UTC)


def read_entry_ms(entry_id: str | None) -> int | None:
    """When a stream's entry was added, by its id."""
    return int(entry_id.partition("-")[0]) if entry_id and _ENTRY_ID.fullmatch(entry_id) else None


def read_json(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is none, or isn't UTF-8, or is nested deeper than anybody reads.
    """
    if not text.isascii():
        # Bytes that are no UTF-8 come as halves of surrogates: JSON would take them.
        text.encode()
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class Fields:
    """The fields of one hash, each read as what it should be; `unreadable` names those that aren't."""

    def __init__(self, fields: Mapping[str, str | None]) -> None:
        self._fields = fields
        self.unreadable: list[str] = []

    def text(self, name: str) -> str | None:
        """A field as it stands."""
        return self._fields.get(name)

    def whole(self, name: str) -> int | None:
        """A field that should be a whole number."""
        return self._read(name, read_whole)

    def ms(self, name: str) -> float | None:
        """A field that should be a time in ms."""
        return self._read(name, read_ms)

    def time(self, name: str) -> datetime | None:
        """The same, as a time."""
        return self._read(name, to_datetime)

    def json(self, name: str) -> Any:
        """A field that should be JSON; None where it is absent."""

        def read(text: str) -> Any:
            try:
                return (read_json(text),)
            except ValueError:
                return None

        found = self._read(name, read)
        return None if found is None else found[0]

    def _read(self, name: str, read: Callable[[str], T | None]) -> T | None:
        text = self._fields.get(name)
        if text is None:
            return None
        value = read(text)
        if value is None:
            self.blame(name)
        return value

    def blame(self, name: str) -> None:
        """Note that a field can't be read."""
        if name not in self.unreadable:
            self.unreadable.append(name)
