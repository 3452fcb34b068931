"""Reserve calls to the portal: so many a day for a person, whichever worker, account or machine makes them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.life import loading
from orders_service.life.work import working
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.store.db import Database

_SQL: Final = queries.load("portal_calls")
#: More at once would be lost with a worker that dies.
MAX_CALLS: Final = 1000
_MAX_LIMIT: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What a worker may call.

    Attributes:
        granted: How many calls; fewer than asked for where the day's limit has no more left.
        day_left_s: Until the day of Moscow ends: what isn't used by then is void.
    """

    granted: int
    day_left_s: float


async def reserve_calls(db: Database, username: str, epoch: int, *, calls: int, daily_limit: int) -> Reserved:
    """Reserve calls of this day. A crash after it, or the repeat of a lost answer, leaves some unused: never too many.

    Raises:
        InvalidInput: A number that makes no sense.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    if not 0 < calls <= MAX_CALLS:
        raise errors.InvalidInput.of("calls", f"must be 1 to {MAX_CALLS}.")
    if not 0 < daily_limit <= _MAX_LIMIT:
        raise errors.InvalidInput.of("daily_limit", f"must be 1 to {_MAX_LIMIT}.")
    async with working(db) as work:
        account = await loading.lock_opened_account(work, username, epoch)
        await work.find(_SQL["lock_person"], account_id=account.id)
        row = await work.get(_SQL["reserve"], account_id=account.id, calls=calls, daily_limit=daily_limit)
        return Reserved(**row)
