"""What was sent and what wasn't, as people see it; and sending it again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from orders_service import errors
from orders_service.store.queries import load

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.store.db import Database

#: Words of the schema. `behind`: an earlier one of the same order comes first.
STATES: Final = ("pending", "behind", "delivered", "given_up")
#: Those that a person may have sent again.
OVER: Final = ("delivered", "given_up")
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1000
#: Named in one call, at most.
MAX_IDS: Final = 1000
#: From where a command comes, for the audit.
SHELL: Final = "shell"

_SQL: Final = load("webhook_notifications")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """One change of an order's state, and how its telling stands.

    Attributes:
        order_state: The state that is told of.
        attempts: Begun; one that nobody saw the end of counts.
        http_status: What the address answered last; None: nothing.
        error: Why the last try wasn't taken, or why it was given up.
    """

    id: int
    token: str
    order_id: int
    order_state: str
    state: str
    attempts: int
    created_at: dt.datetime
    attempted_at: dt.datetime | None
    finished_at: dt.datetime | None
    http_status: int | None
    error: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which notifications; every one that is given must hold."""

    order_id: int | None = None
    token: str | None = None
    states: tuple[str, ...] = ()


def message_id(notification_id: int) -> str:
    """Return the header `webhook-id` of a notification: the same at each try, by which a receiver knows a repeat."""
    return f"msg_{notification_id}"


async def list_notifications(
    database: Database, filters: Filters, *, before_id: int | None = None, limit: int = DEFAULT_PAGE
) -> list[NotificationView]:
    """Return notifications, newest first.

    Raises:
        DatabaseUnavailable: The database is away.
    """
    async with database.transaction() as connection:
        values = {**_parameters(filters), "before_id": before_id, "limit": limit}
        cursor = await connection.execute(_SQL["list_notifications"], values, prepare=False)
        return [NotificationView(**row) for row in await cursor.fetchall()]


async def send_again(
    database: Database,
    filters: Filters,
    *,
    by: str,
    ids: tuple[int, ...] = (),
    since: dt.datetime | None = None,
    origin: str | None = SHELL,
) -> int:
    """Have notifications that are over sent again, each under its own id; return how many.

    What isn't over is on its way; what belongs to a webhook that is off, or to a token that isn't in use, stays.

    Args:
        origin: From where, for the audit; None: a call, which has rows of its own.

    Raises:
        InvalidInput: Nothing says which.
        DatabaseUnavailable: The database is away.
    """
    if not ids and filters.order_id is None and not filters.states:
        rule = "or an order or a state must say which notifications to send again."
        raise errors.InvalidInput.of("notification_ids", rule)
    if len(ids) > MAX_IDS:
        raise errors.InvalidInput.of("notification_ids", f"may name up to {MAX_IDS}.")
    values: dict[str, Any] = {
        **_parameters(filters),
        "ids": list(ids) or None,
        "since": since,
        "by": by,
        "origin": origin,
    }
    asked = {"ids": list(ids[:20]), "order_id": filters.order_id, "token": filters.token, "states": filters.states}
    async with database.transaction() as connection:
        cursor = await connection.execute(_SQL["send_again"], {**values, "request": Jsonb(asked)}, prepare=False)
        row = await cursor.fetchone()
    assert row is not None
    return int(row["count"])


def _parameters(filters: Filters) -> dict[str, Any]:
    return {"order_id": filters.order_id, "token": filters.token, "states": list(filters.states) or None}
