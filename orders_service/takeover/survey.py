"""What would become of the orders and accounts in a database of the system before; nothing is changed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import cadastral
from orders_service.store import migrating
from orders_service.store.queries import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orders_service.settings import DatabaseSettings
    from orders_service.store.db import Connection

#: What an order becomes, in the order in which it is told, and in words.
FATES: Final = {
    "completed": "finished, with a number: completed, with number and dates; the file stays where it was put",
    "failed": "finished without an extract: failed, with the old status as the reason",
    "deleted": "deleted: cancelled",
    "left": "finished or deleted, and its cadastral number can't be read: left in old_system.orders only",
    "registered": "open, with a number: registered, and collected by the account that has it",
    "queued": "open and never begun: queued",
    "in_doubt": "open, and a paid call may have been made: held until a person decides by number or absence",
    "in_doubt_anywhere": "open, and a paid call may have been made by an account that isn't written down: held",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What would be done.

    Attributes:
        accounts: How many there are.
        active_accounts: How many of them would take orders.
        fates: How many orders become what, by a name of `FATES`.
        others: Who else is connected to the database.
        problems: What has to be mended before, each a sentence. With any, nothing is done.
    """

    accounts: int
    active_accounts: int
    fates: Mapping[str, int]
    others: tuple[str, ...]
    problems: tuple[str, ...]

    def tell(self) -> list[str]:
        """Return it in lines for people."""
        lines = [
            "This database was made by the system before this one. In one transaction:",
            "  its tables orders and rosreestr_users move to the schema old_system, as they are; nothing is dropped",
            f"  {self.accounts} accounts are taken over, {self.active_accounts} of them active; passwords stay sealed "
            "as they are; none of them orders anything until it has a declarant category",
        ]
        lines += [f"  {self.fates[fate]} orders: {what}" for fate, what in FATES.items() if self.fates.get(fate)]
        if self.others:
            lines.append(
                f"Others are connected: {', '.join(self.others)}. Whoever is the old system's can't write any more "
                "afterwards: stop it before."
            )
        return lines


async def find(settings: DatabaseSettings) -> Survey | None:
    """Look at the database; None where it isn't one of the old system, or was taken over already.

    Raises:
        DatabaseUnavailable: The server doesn't answer.
        DatabaseMissing: It has no such database.
        UnsafeServer: It mustn't be trusted with an order.
    """
    async with migrating.opened(settings) as connection:
        if not await is_old(connection):
            return None
        async with connection.transaction(force_rollback=True):
            await prepare(connection)
            return await read(connection)


async def is_old(connection: Connection) -> bool:
    """Whether the old system's tables stand where ours belong."""
    row = await (await connection.execute(load("takeover")["find_old_tables"])).fetchone()
    return row is not None and bool(row["is_old"])


async def prepare(connection: Connection, *, is_locking: bool = False) -> None:
    """Judge each order of the old system, in tables that end with this transaction.

    Args:
        is_locking: Let nobody of the old system change anything from here on.
    """
    statements = load("takeover")
    row = await (await connection.execute(statements["find_old_tables"])).fetchone()
    assert row is not None
    if not row["has_orders"]:
        await connection.execute(statements["make_empty_orders"])
    if not row["has_accounts"]:
        await connection.execute(statements["make_empty_accounts"])
    if is_locking:
        await connection.execute(statements["lock_old_tables"])
    await connection.execute(statements["list_accounts"])
    await connection.execute(statements["list_orders"])
    await _respell(connection)
    await connection.execute(statements["judge_orders"])


async def read(connection: Connection) -> Survey:
    """Return what `prepare` came to."""
    statements = load("takeover")
    found = await (await connection.execute(statements["count_fates"])).fetchall()
    accounts = await (await connection.execute(statements["count_accounts"])).fetchone()
    assert accounts is not None
    others = await (await connection.execute(statements["list_others"])).fetchall()
    ids = {row["fate"]: row["ids"] for row in found}
    return Survey(
        accounts=accounts["count"],
        active_accounts=accounts["active"],
        fates={row["fate"]: row["count"] for row in found},
        others=tuple(
            f"{row['application_name'] or 'no name'} from {row['address'] or 'this machine'} ({row['count']})"
            for row in others
        ),
        problems=tuple(await _find_problems(connection, ids)),
    )


async def _find_problems(connection: Connection, ids: Mapping[str, list[int]]) -> list[str]:
    problems = []
    names = await (await connection.execute(load("takeover")["list_unusable_names"])).fetchall()
    problems += [
        f"Account {row['id']} is named {row['username']!r}: a name has Latin letters, digits, dots, - and _, 64 at "
        f"most. `update rosreestr_users set username = 'rosreestr_user_{row['id']}' where id = {row['id']}`, and name "
        "its worker so; its login can stand in gu_login."
        for row in names
    ]
    if ownerless := ids.get("ownerless"):
        problems.append(
            f"Open orders {_join(ownerless)} have a number and no account that exists: only the account that ordered "
            "them can collect them. Find it in the accounts' lists at the portal, and `update orders set "
            f"rosreestr_user_id = … where id = {ownerless[0]}`."
        )
    if ids.get("unreadable"):
        rows = await (await connection.execute(load("takeover")["list_misspelled"])).fetchall()
        unreadable = [row for row in rows if row["id"] in set(ids["unreadable"])]
        problems += [
            f"Open order {row['id']}: {_explain(row['cad_num'])} Correct it, or set is_complete where it isn't wanted."
            for row in unreadable
        ]
    return problems


async def _respell(connection: Connection) -> None:
    """Bring into the strict spelling what needs no guess; the rest stays as it is."""
    rows = await (await connection.execute(load("takeover")["list_misspelled"])).fetchall()
    spelled = {}
    for row in rows:
        try:
            spelled[row["id"]] = cadastral.parse(row["cad_num"])
        except cadastral.CadNumError:
            continue
    if spelled:
        parameters = {"ids": list(spelled), "cad_nums": list(spelled.values())}
        await connection.execute(load("takeover")["respell"], parameters)


def _explain(cad_num: str) -> str:
    try:
        return cadastral.parse(cad_num)
    except cadastral.CadNumError as exc:
        return str(exc)


def _join(ids: list[int]) -> str:
    # The statement gives twenty at most.
    return ", ".join(map(str, ids)) + (" …" if len(ids) == 20 else "")
