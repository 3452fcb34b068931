"""Access tokens for the stack's own parts, where its database has any: then the service asks them, too."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.access import tokens
from orders_service.access.callers import Role
from orders_service.store.db import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.settings import DatabaseSettings

#: By these names the stack's own tokens are known; each start makes them anew.
OPERATOR = "dev"


async def make_tokens(settings: DatabaseSettings, usernames: Sequence[str]) -> dict[str, str]:
    """Return a token for each account's worker, by its username, and one for people, by OPERATOR; none where the
    service asks nobody.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    database = Database(settings)
    await database.open()
    try:
        async with database.transaction() as connection:
            if not await tokens.is_any_made(connection):
                return {}
        made = {OPERATOR: await _make(database, OPERATOR, Role.OPERATOR)}
        for username in usernames:
            made[username] = await _make(database, f"{OPERATOR}-{username}", Role.WORKER, account=username)
        return made
    finally:
        await database.close()


async def _make(database: Database, name: str, role: Role, *, account: str | None = None) -> str:
    with contextlib.suppress(errors.NotFound):
        await tokens.revoke_token(database, name, revoked_by="dev")
    _, secret = await tokens.add_token(
        database, tokens.NewToken(name=name, role=role, account=account, created_by="dev")
    )
    return secret
