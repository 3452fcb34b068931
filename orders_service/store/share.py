"""A share of the pool: calls that come in masses leave connections to those that can't wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.store.db import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orders_service.store.db import Connection


class Share(Database):
    """The same database, for so many transactions at once; who comes later waits for his turn.

    A worker's gate stands between a connection to the portal that is open and the paid call on it: it mustn't wait for
    ten bulk calls. Streams of answers hold no transaction while they wait, so they take no turn either.
    """

    def __init__(self, whole: Database, size: int) -> None:
        # Not Database's own: the pool is the whole's.
        self.settings = whole.settings
        self._whole = whole
        self._turns = asyncio.Semaphore(size)

    async def open(self) -> None:
        """Do nothing: it is open while the whole is."""

    async def close(self) -> None:
        """Do nothing: the whole is closed."""

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Run the block in one transaction, as the whole does, when it is its turn.

        Raises:
            DatabaseUnavailable: As for the whole; or its turn didn't come in time.
            NotMigrated: As for the whole.
        """
        try:
            async with asyncio.timeout(self.settings.acquire_timeout_s):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise errors.DatabaseUnavailable(
                "Too many calls wait for the database at this moment; nothing was stored. Try again."
            ) from exc
        try:
            async with self._whole.transaction() as connection:
                yield connection
        finally:
            self._turns.release()

    async def connect(self) -> Connection:
        """Open a connection of the caller's own, outside the pool."""
        return await self._whole.connect()


def share_of(whole: Database) -> Share:
    """Return the share of the pool that calls of clients and people have: some six tenths of it."""
    return Share(whole, max(1, whole.settings.pool_size * 6 // 10))
