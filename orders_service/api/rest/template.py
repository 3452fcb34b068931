"""Path templates of `google.api.http`, like `/v1/orders/{id}:cancel`, held against the path still percent-encoded."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from typing import Final

_VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_.]*)\}")


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """One path with variables, each of which is one segment, or the part of a segment before the `:verb`.

    Attributes:
        text: As it stands in the contract.
        fields: Paths of the request's fields that the variables fill, from left to right.
    """

    text: str
    fields: tuple[str, ...]
    _pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template.

        Raises:
            ValueError: It uses what isn't needed here and isn't understood: `*`, `**` or `{name=…}`.
        """
        parts = _VARIABLE.split(text)
        literals, fields = parts[::2], parts[1::2]
        if not text.startswith("/") or any(char in "{}*" for literal in literals for char in literal):
            raise ValueError(f"{text} isn't a path of plain segments and {{field}} variables.")
        pattern = "([^/]+)".join(re.escape(literal) for literal in literals)
        return cls(text, tuple(fields), re.compile(pattern))

    @property
    def shape(self) -> str:
        """The template without the names of its variables: two of one shape match the same paths."""
        return _VARIABLE.sub("{}", self.text)

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts the more special before the more general: fewer variables, then more that is literal."""
        return (len(self.fields), -len(self.shape))

    def matches(self, raw_path: str) -> bool:
        """Whether the path is of this template."""
        return self._pattern.fullmatch(raw_path) is not None

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the value of each variable, decoded; None where the path is another one.

        Raises:
            UnicodeDecodeError: A value isn't UTF-8 behind its percent signs.
        """
        matched = self._pattern.fullmatch(raw_path)
        if matched is None:
            return None
        values = (urllib.parse.unquote(value, errors="strict") for value in matched.groups())
        return dict(zip(self.fields, values, strict=True))
