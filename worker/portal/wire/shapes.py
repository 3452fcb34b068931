"""Reading JSON whose shape isn't ours: every step names what was due and where.

The values themselves never get into a message: they are personal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from worker.portal.errors import UnreadableAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands in the answer, for example `search: elements[0].objectType`."""

    value: object
    where: str

    def field(self, name: str) -> Node:
        """Return a field of this object.

        Raises:
            UnreadableAnswer: This is no object, or it has no such field.
        """
        members = self._members()
        if name not in members:
            raise self._wrong(f"has no {name}")
        return Node(members[name], self._at(name))

    def find(self, name: str) -> Node | None:
        """Return a field of this object, or None where it is absent or null.

        Raises:
            UnreadableAnswer: This is no object.
        """
        value = self._members().get(name)
        return None if value is None else Node(value, self._at(name))

    def has(self, name: str) -> bool:
        """Whether this object has the field, null or not."""
        return name in self._members()

    def items(self) -> Iterator[Node]:
        """Go through this array.

        Raises:
            UnreadableAnswer: This is no array.
        """
        if not isinstance(self.value, list):
            raise self._wrong("is no array")
        for number, item in enumerate(self.value):
            yield Node(item, f"{self.where}[{number}]")

    def text(self) -> str:
        """Return this non-empty text, untouched.

        Raises:
            UnreadableAnswer: It is something else, or blank.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            raise self._wrong("is no text")
        return self.value

    def integer(self) -> int:
        """Return this whole number. `true` is none."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._wrong("is no whole number")
        return self.value

    def boolean(self) -> bool:
        """Return this truth value."""
        if not isinstance(self.value, bool):
            raise self._wrong("is neither true nor false")
        return self.value

    def scalar(self) -> str:
        """Return this text or number as text, a number in the digits that the portal printed."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | Decimal):
            raise self._wrong("is neither text nor number")
        return self.value if isinstance(self.value, str) else str(self.value)

    def find_text(self, name: str) -> str:
        """Return a field's text, or an empty one where it is absent, null or blank."""
        node = self.find(name)
        if node is None or node.value == "":
            return ""
        return node.scalar()

    def _members(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise self._wrong("is no object")
        return self.value

    def _at(self, name: str) -> str:
        return f"{self.where} {name}" if self.where.endswith(":") else f"{self.where}.{name}"

    def _wrong(self, what: str) -> UnreadableAnswer:
        return UnreadableAnswer(f"The portal's answer can't be read: {self.where.rstrip(':')} {what}.")
