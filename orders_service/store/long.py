"""Many rows to and from the database, without keeping the event loop for them.

psycopg writes and reads them item by item where it is called. So the texts of long arrays are made beside the event
loop, and answers are read some rows at a time, with everybody else's turn in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from psycopg import AsyncCursor
    from psycopg.rows import DictRow

#: So many rows are read in less than a millisecond or two.
_ROWS: Final = 250


def array(values: Iterable[str | bool | None]) -> str:
    """Return the values as PostgreSQL reads an array: for a parameter with a cast."""
    return "{" + ",".join(map(_item, values)) + "}"


async def read_rows(cursor: AsyncCursor[DictRow]) -> AsyncIterator[Sequence[DictRow]]:
    """Yield the rows of the answer, some at a time."""
    while rows := await cursor.fetchmany(_ROWS):
        yield rows
        await asyncio.sleep(0)


def _item(value: str | bool | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "t" if value else "f"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
