"""Writes rows of the audit that nobody waits for: many at once, a moment later."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from orders_service.access import audit
from orders_service.queueing.loops import Loop

if TYPE_CHECKING:
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
#: Kept while the database is away; then the oldest are given up, with a line in the log.
_MAX_KEPT: Final = 10_000
_AT_ONCE: Final = 500


class Scribe:
    """Takes rows, and writes them from `run`; `write_all` writes what is left at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[audit.Done] = []
        self._loop = Loop("audit", self.write_all, interval_s=_EVERY_S)

    def take(self, done: audit.Done) -> None:
        """Write this down soon."""
        if len(self._waiting) >= _MAX_KEPT:
            lost = self._waiting.pop(0)
            logger.error(
                "A row of the audit was given up: the database has been away for long",
                extra={"event": "audit_lost", "action": lost.deed.action, "actor": lost.deed.caller.actor},
            )
        self._waiting.append(done)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        await self._loop.run()

    async def write_all(self) -> None:
        """Write all that was taken.

        Raises:
            DatabaseUnavailable: The database is away; what wasn't written is kept.
        """
        while self._waiting:
            batch = self._waiting[:_AT_ONCE]
            await audit.end_many(self._database, batch)
            del self._waiting[: len(batch)]
