"""Arrays whose texts are made by us are the arrays that psycopg would have made, whatever is in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from orders_service.store.long import array, read_rows

if TYPE_CHECKING:
    from orders_service.store.db import Database

TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    None,
    '"',
    "\\",
    '\\"',
    "a,b",
    "{a}",
    "{",
    "}",
    "'",
    "Иванов «И»",
    "line\nnext\ttab\r",
    "\u2028\U0001f600",
    "a\\\\b",
]


def test_what_goes_in_comes_out(run: Any) -> None:
    async def ask(db: Database) -> tuple[Any, Any]:
        async with db.transaction() as connection:
            cursor = await connection.execute(
                "select %(texts)s::text[] as texts, %(flags)s::boolean[] as flags, %(none)s::text[] as none",
                {"texts": array(TEXTS), "flags": array([True, False, None]), "none": array([])},
            )
            row = await cursor.fetchone()
            assert row is not None
            return row["texts"], (row["flags"], row["none"])

    assert run(ask) == (TEXTS, ([True, False, None], []))


def test_rows_are_read_some_at_a_time_with_everybodys_turn_between(run: Any) -> None:
    async def ask(db: Database) -> tuple[list[int], int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with db.transaction() as connection:
            cursor = await connection.execute("select generate_series(1, 1001) as n")
            counting = asyncio.create_task(count())
            found = [row["n"] async for rows in read_rows(cursor) for row in rows]
            counting.cancel()
        return found, turns

    found, turns = run(ask)
    assert found == list(range(1, 1002))
    assert turns >= 5
