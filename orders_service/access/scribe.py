"""Writes rows of the audit that nobody waits for: many at once, a moment later."""

from __future__ import annotations

import asyncio
import collections
import logging
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.access import audit
from orders_service.queueing.loops import Loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
#: Kept while the database is away; then the oldest are given up, with a line in the log.
_MAX_KEPT: Final = 10_000
_AT_ONCE: Final = 500


class Scribe:
    """Takes rows, and writes them from `run`; `write_all` writes what is left at the end.

    A row is one in the audit however often it is written: where a commit's end isn't known, it is written again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: collections.deque[audit.Done] = collections.deque()
        # Who writes has taken his rows off: what is given up meanwhile are others.
        self._turn = asyncio.Lock()
        self._loop = Loop("audit", self.write_all, interval_s=_EVERY_S)

    def take(self, done: audit.Done) -> None:
        """Write this down soon."""
        if len(self._waiting) >= _MAX_KEPT:
            _give_up(self._waiting.popleft(), "The database has been away for long.")
        self._waiting.append(done)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        await self._loop.run()

    async def write_all(self) -> None:
        """Write all that was taken.

        Raises:
            DatabaseUnavailable: The database is away; what wasn't written is kept.
        """
        async with self._turn:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                try:
                    await self._write(batch)
                except BaseException:
                    self._waiting.extendleft(reversed(batch))
                    raise

    async def _write(self, batch: Sequence[audit.Done]) -> None:
        try:
            await audit.end_many(self._database, batch)
        except errors.OrdersServiceError:
            raise
        except Exception:
            # One that the database doesn't take mustn't keep the others: alone, each shows which it is.
            for done in batch:
                await self._write_one(done)

    async def _write_one(self, done: audit.Done) -> None:
        try:
            await audit.end_many(self._database, [done])
        except errors.OrdersServiceError:
            raise
        except Exception as error:
            _give_up(done, f"{type(error).__name__}: {error}")


def _give_up(lost: audit.Done, reason: str) -> None:
    logger.error(
        "A row of the audit was given up",
        extra={
            "event": "audit_lost",
            "action": lost.deed.action,
            "actor": lost.deed.caller.actor,
            "call_id": str(lost.deed.call_id),
            "error": reason,
        },
    )
