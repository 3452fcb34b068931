"""Indexes that a failed build left: they take space, speed nothing up, and what should be unique in them may not be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from psycopg import sql

from orders_service.store.queries import load

if TYPE_CHECKING:
    from orders_service.store.db import Connection

_BUILT: Final = re.compile(
    r"^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?\"?(?P<name>\w+)\"?\s+on\b",
    re.IGNORECASE | re.MULTILINE,
)


async def find_invalid(connection: Connection) -> list[str]:
    """Return the names of all that guard nothing; one that is being built at this moment isn't among them."""
    cursor = await connection.execute(load("fitness")["list_invalid_indexes"])
    return [row["name"] for row in await cursor.fetchall()]


async def drop_left_by(connection: Connection, statement: str) -> list[str]:
    """Drop what earlier tries of this very statement left, so that it builds and doesn't find; returns the names.

    An index of the same name that is whole stays: the statement finds it.
    """
    built = {match["name"] for match in _BUILT.finditer(statement)}
    left = [name for name in await find_invalid(connection) if name in built]
    for name in left:
        await connection.execute(sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(name)))
    return left
