"""The service's SQL, in files of named statements, so that it is read and reviewed as SQL.

A file holds blocks like this one; what stands before the first is a comment on the file:

    -- name: find_order
    -- One order with its account's name.
    select ... where id = %(order_id)s;
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import LiteralString

_NAME: Final = re.compile(r"^-- name: *(?P<name>\S*) *$", re.MULTILINE)


class _Statements(dict[str, str]):
    def __init__(self, file: str, statements: Mapping[str, str]) -> None:
        super().__init__(statements)
        self.file = file

    def __missing__(self, name: str) -> str:
        raise KeyError(f"{self.file}.sql has no statement {name!r}; it has {', '.join(sorted(self))}")


@functools.cache
def load(file: str) -> Mapping[str, LiteralString]:
    """Return the statements of `queries/<file>.sql` by name; read once per process.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A block has no proper name, no line of purpose, no statement, or a name that was used before.
    """
    text = resources.files(__name__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    return MappingProxyType(parse(file, text))


def parse(file: str, text: str) -> Mapping[str, LiteralString]:
    """Take the text of a file apart into its statements.

    Raises:
        ValueError: As for `load`.
    """
    statements: dict[str, str] = {}
    _, *rest = _NAME.split(text)
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        purpose, _, statement = body.strip().partition("\n")
        if not name.isidentifier() or name in statements:
            raise ValueError(f"{file}.sql: {name!r} isn't a name, or was used before")
        if not purpose.startswith("-- ") or not statement.strip():
            raise ValueError(f"{file}.sql: {name} needs one line that says what it is for, then the statement")
        statements[name] = statement.strip().removesuffix(";")
    if not statements:
        raise ValueError(f"{file}.sql holds no statement: blocks begin with `-- name: some_name`")
    return _Statements(file, statements)
