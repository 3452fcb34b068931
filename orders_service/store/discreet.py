"""Errors of the database without the rows that they are about.

PostgreSQL tells of a broken constraint with the whole row, and of a value that it can't read with the value: names and
notes of people, which then stand in the log for as long as logs are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from psycopg.rows import DictRow

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Classes of SQLSTATE whose errors are about a value (22) or a row (23), or were raised by a function of ours (P0).
_ABOUT_DATA: Final = ("22", "23", "P0")


class DiscreetCursor(psycopg.AsyncCursor[DictRow]):
    """A cursor whose errors say what is wrong, and not with which data."""

    async def execute(self, *args: Any, **more: Any) -> Self:
        """Execute a statement, as the cursor of psycopg does."""
        try:
            return await super().execute(*args, **more)
        except psycopg.Error as error:
            make_discreet(error)
            raise

    async def executemany(self, query: Any, params_seq: Iterable[Any], **more: Any) -> None:
        """Execute a statement with several parameters, as the cursor of psycopg does."""
        try:
            await super().executemany(query, params_seq, **more)
        except psycopg.Error as error:
            make_discreet(error)
            raise


def make_discreet(error: psycopg.Error) -> None:
    """Leave of the error's text what it says in general, with the names of table, column and constraint."""
    if not (error.sqlstate or "").startswith(_ABOUT_DATA):
        return
    diag = error.diag
    # A value stands behind the colon: invalid input syntax for type integer: "…".
    said = (diag.message_primary or type(error).__name__).partition(": ")[0]
    named = (("table", diag.table_name), ("column", diag.column_name), ("constraint", diag.constraint_name))
    where = ", ".join(f"{what} {name}" for what, name in named if name and name not in said)
    error.args = (f"{said} ({where})" if where else said,)
