"""What operators do with webhooks: give a client's token an address, show it, switch it off, change its secret."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import httpx

from orders_service import errors
from orders_service.store.queries import load
from orders_service.webhooks import addresses, signing
from orders_service.webhooks.notifications import SHELL

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.crypto import Secretbox
    from orders_service.store.db import Connection, Database

#: What a secret of a webhook is sealed for.
PURPOSE: Final = "webhook"
#: So long after a rotation the secret before signs, too.
KEEP_PREVIOUS_S: Final = 86_400.0

_SQL: Final = load("webhooks")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """A webhook as it stands, without its secret.

    Attributes:
        token: The name of the client's token that it belongs to.
        is_token_in_use: Else nothing is written down for it, and nothing sent.
        previous_until: Until then the secret before signs, too; None: there is none.
        off_at: Since when it is switched off, by whom and why; None: it is on.
        failing_since: Since when nothing was taken at its address; None: the last try was.
        failures: Tries in a row that weren't taken.
        waiting: How many notifications are still to be sent.
    """

    id: int
    token_id: int
    token: str
    client: str
    is_token_in_use: bool
    url: str = dataclasses.field(repr=False)
    is_private_allowed: bool
    created_at: dt.datetime
    created_by: str
    previous_until: dt.datetime | None
    off_at: dt.datetime | None
    off_by: str | None
    off_reason: str | None
    failing_since: dt.datetime | None
    failures: int
    last_delivered_at: dt.datetime | None
    last_failed_at: dt.datetime | None
    last_error: str | None
    waiting: int

    @property
    def host(self) -> str:
        """Whom it is about, without what may be a secret."""
        return addresses.name_of(httpx.URL(self.url))


def sealed_for(token_id: int) -> str:
    """Return whom a webhook's secret is sealed for: it opens for no other token."""
    return f"token {token_id}"


async def set_webhook(
    database: Database, box: Secretbox, token: str, url: str, *, is_private_allowed: bool, by: str
) -> tuple[WebhookView, str | None]:
    """Give a client's token an address, and switch it on; return it with its secret where that was made just now.

    Another address for a webhook that is there keeps its secret. The repeat changes nothing more.

    Args:
        token: The token's name.
        is_private_allowed: The address may be inside the network.

    Raises:
        InvalidInput: The address can't be one, or the token is no client's.
        NotFound: There is no token of this name in use.
        DatabaseUnavailable: The database is away.
    """
    parsed = addresses.check_url(url, is_private_allowed=is_private_allowed)
    async with database.transaction() as connection:
        row = await _one(connection, "find_token", name=token)
        if row is None:
            raise errors.NotFound("token", token, told=f"{token!r} in use")
        if row["role"] != "client":
            raise errors.InvalidInput.of(
                "token",
                f"is of the role {row['role']}: webhooks tell clients of their own orders, so name a client's token.",
            )
        values: dict[str, Any] = {
            "token_id": row["id"],
            "name": token,
            "url": url,
            "host": addresses.name_of(parsed),
            "is_private_allowed": is_private_allowed,
            "by": by,
        }
        secret = None
        if (await connection.execute(_SQL["change_webhook"], values)).rowcount == 0:
            secret = signing.new_secret()
            sealed = box.seal(secret, username=sealed_for(row["id"]), purpose=PURPOSE)
            await connection.execute(_SQL["add_webhook"], {**values, "secret_sealed": sealed})
        return await _find(connection, token), secret


async def rotate_secret(
    database: Database, box: Secretbox, token: str, *, by: str, keep_s: float = KEEP_PREVIOUS_S
) -> tuple[WebhookView, str]:
    """Make another secret, and return it; the one before signs beside it for `keep_s`.

    Raises:
        NotFound: The token has no webhook.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        webhook = await _find(connection, token)
        secret = signing.new_secret()
        sealed = box.seal(secret, username=sealed_for(webhook.token_id), purpose=PURPOSE)
        values = {"id": webhook.id, "name": token, "secret_sealed": sealed, "keep_s": keep_s, "by": by}
        await connection.execute(_SQL["rotate_secret"], values)
        return await _find(connection, token), secret


async def switch_off(
    database: Database, token: str, *, reason: str, by: str, origin: str | None = SHELL
) -> WebhookView:
    """Send nothing there any more; what waited is given up. The repeat changes nothing.

    Args:
        origin: From where, for the audit; None: a call, which has rows of its own.

    Raises:
        NotFound: The token has no webhook.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        webhook = await _find(connection, token)
        await switch_off_in(connection, webhook.id, reason=reason, by=by, origin=origin)
        return await _find(connection, token)


async def switch_on(database: Database, token: str, *, by: str, origin: str | None = SHELL) -> WebhookView:
    """Send there what happens from now on. The repeat changes nothing.

    Raises:
        NotFound: The token has no webhook.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        webhook = await _find(connection, token)
        await connection.execute(_SQL["switch_on"], {"id": webhook.id, "by": by, "origin": origin})
        return await _find(connection, token)


async def switch_off_in(connection: Connection, webhook_id: int, *, reason: str, by: str, origin: str | None) -> bool:
    """Do so in a transaction of the caller's; False: it was off."""
    values = {"id": webhook_id, "reason": reason, "by": by, "origin": origin}
    if await _one(connection, "switch_off", **values) is None:
        return False
    await connection.execute(_SQL["give_up_all"], {"id": webhook_id, "reason": f"Switched off: {reason}"})
    return True


async def find_webhook(database: Database, token: str) -> WebhookView:
    """Return the webhook of the last token of this name.

    Raises:
        NotFound: It has none.
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        return await _find(connection, token)


async def _find(connection: Connection, token: str) -> WebhookView:
    row = await _one(connection, "find_by_name", name=token)
    if row is None:
        raise errors.NotFound("webhook", token, field="webhook_name", told=f"of a token {token!r}")
    return WebhookView(**row)


async def _one(connection: Connection, statement: str, **values: Any) -> dict[str, Any] | None:
    cursor = await connection.execute(_SQL[statement], values)
    return await cursor.fetchone()
