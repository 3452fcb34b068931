"""Takes over a database of the system before, in one transaction: all of it or nothing.

The old tables move to a schema of their own, with everything in them. The schema is made up to `BASE`, the rows are
written as that version has them, and the files after it change them as they change those of any other database. So
what is written here never has to follow the schema.

What no file downloaded, and the old system may have paid for, is never ordered again by itself: its worker wrote to an
order's row before it did anything at the portal, so only an order that was never written to is surely unpaid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg

from orders_service import errors
from orders_service.domain import decisions
from orders_service.domain.states import OrderState
from orders_service.store import migrating
from orders_service.store.queries import load
from orders_service.takeover import survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.rows import DictRow

    from orders_service.settings import DatabaseSettings
    from orders_service.store.db import Connection
    from orders_service.store.migrating import Patience
    from orders_service.store.migrations import Migration
    from orders_service.takeover.survey import Survey

#: The last file whose schema the statements of `takeover.sql` write.
BASE: Final = 6


async def take_over(settings: DatabaseSettings, files: Sequence[Migration], patience: Patience) -> Survey | None:
    """Take the database over; returns what was done. None: it isn't the old system's, or somebody else just did it.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        MigrationFailed: It can't be done, for a reason that is named; nothing was changed.
    """
    done: Survey | None = None

    async def act() -> None:
        nonlocal done
        done = None
        if await survey.is_old(connection):
            done = await _take(connection, [one for one in files if one.version <= BASE])

    async with migrating.opened(settings) as connection:
        await migrating.lock(connection)
        await migrating.require_rights(connection, settings)
        try:
            await migrating.with_patience(connection, patience, "Taking over the old tables", act)
        except psycopg.Error as exc:
            if migrating.is_away(exc):
                raise
            raise errors.MigrationFailed(f"The database can't be taken over: {migrating.one_line(exc)}.") from exc
    return done


async def settle_persons(settings: DatabaseSettings) -> None:
    """Let each account learn anew who it is at the portal: the old system didn't know. After all files; repeatable."""
    async with migrating.opened(settings) as connection:
        row = await (await connection.execute(load("takeover")["has_persons"])).fetchone()
        if row is not None and row["has_persons"]:
            await connection.execute(load("takeover")["forget_unknown_persons"])


async def _take(connection: Connection, files: Sequence[Migration]) -> Survey:
    statements = load("takeover")
    await survey.prepare(connection, is_locking=True)
    found = await survey.read(connection)
    if found.problems:
        raise errors.MigrationFailed(" ".join(found.problems))
    for step in ("make_schema", "move_orders", "move_accounts"):
        await connection.execute(statements[step])
    await connection.execute(load("migrations")["ensure_table"])
    for file in files:
        await migrating.apply_here(connection, file)
    last = await _get(connection, "read_last_ids")
    await connection.execute(statements["take_accounts"])
    cursor = await connection.execute(statements["take_unknown_account"], {"last_id": last["account_id"]})
    unknown = await cursor.fetchone()
    note = await _get(connection, "add_note")
    parameters = {
        "note_id": note["extract_id"],
        "unknown_account_id": unknown["id"] if unknown is not None else None,
    }
    await connection.execute(statements["take_orders"], parameters)
    await connection.execute(statements["take_papers"], parameters)
    await connection.execute(statements["take_journal"])
    await connection.execute(statements["add_events"])
    await _hold(connection)
    await connection.execute(statements["go_on_counting"], last)
    return found


async def _hold(connection: Connection) -> None:
    rows = await (await connection.execute(load("takeover")["list_doubtful"])).fetchall()
    parameters = {"ids": [row["id"] for row in rows], "reasons": [_reason(row) for row in rows]}
    await connection.execute(load("takeover")["hold_orders"], parameters)


def _reason(row: DictRow) -> str:
    """Say why the order is held, where a person looks, and what he can do then."""
    reason = f"The system before this one left it as «{row['status']}» after it had begun with it: it may be paid. "
    if row["is_second"]:
        reason += f"It noted the number {row['number']} for it, and for another order. "
    is_sent = row["fate"] == "in_doubt"
    if is_sent:
        reason += f"Look for its object in the list of account {row['username']} at the portal. "
        state = OrderState.UNCONFIRMED
    elif row["username"] is not None:
        reason += (
            f"So is another order of the same object with account {row['username']}: look there. If there is no row "
            "for this one, too, resume; if there is, fetch it there and give up here. "
        )
        state = OrderState.QUEUED
    else:
        reason += (
            "With which account isn't known: look for its object in the list of each one at the portal. If it is in "
            "none of them, resume; if it is, fetch it there and give up here. "
        )
        state = OrderState.QUEUED
    return reason + decisions.tell_choice(row["id"], state, was_sent=is_sent)


async def _get(connection: Connection, name: str) -> DictRow:
    row = await (await connection.execute(load("takeover")[name])).fetchone()
    assert row is not None
    return row
