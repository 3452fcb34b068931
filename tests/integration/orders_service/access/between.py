"""A database as it is, with something in between: for tests of what it does at the wrong moment."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from orders_service import errors
from orders_service.store.db import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orders_service.store.db import Connection


class Between(Database):
    """Hands transactions on to the whole.

    Attributes:
        silent: So many commits are done, and it isn't told that they are.
        held: So many transactions wait for `free` before they begin.
    """

    def __init__(self, whole: Database) -> None:
        self.settings = whole.settings
        self._whole = whole
        self.silent = 0
        self.held = 0
        self.free = asyncio.Event()
        self.waiting = 0
        #: Set when one waits.
        self.is_waited = asyncio.Event()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        if self.held:
            self.held -= 1
            self.waiting += 1
            self.is_waited.set()
            await self.free.wait()
        async with self._whole.transaction() as connection:
            yield connection
        if self.silent:
            self.silent -= 1
            raise errors.DatabaseUnavailable("It went away during the commit.", is_outcome_unknown=True)
