"""Calls that come in masses leave connections to those that can't wait."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from orders_service.store.share import Share, share_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.postgres import Database as TestDatabase


def on_small_pool(database: TestDatabase, work: Callable[[Database], Awaitable[Any]], **settings: Any) -> Any:
    small = dataclasses.replace(DatabaseSettings.from_env(database.env()), pool_size=3, **settings)

    async def opened() -> Any:
        whole = Database(small)
        await whole.open()
        try:
            return await work(whole)
        finally:
            await whole.close()

    return asyncio.run(opened())


def test_any_number_of_calls_in_a_share_leave_the_rest_of_the_pool_free(fresh_database: TestDatabase) -> None:
    async def work(whole: Database) -> int:
        share, free, inside = share_of(whole), asyncio.Event(), 0

        async def bulk() -> None:
            nonlocal inside
            async with share.transaction():
                inside += 1
                await free.wait()

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(bulk())
            # Those of the share hold what they may have, and go on holding it; a gate passes beside them.
            async with whole.transaction() as connection:
                await connection.execute("select 1")
            held = inside
            free.set()
        return held

    # One of three: six tenths, and at least one.
    assert on_small_pool(fresh_database, work, acquire_timeout_s=60.0) <= 1


def test_who_waits_too_long_for_his_turn_is_told_that_nothing_was_stored(fresh_database: TestDatabase) -> None:
    async def work(whole: Database) -> None:
        share = Share(whole, 1)
        async with share.transaction():
            with pytest.raises(errors.DatabaseUnavailable, match="nothing was stored"):
                async with share.transaction():
                    pass
        async with share.transaction():
            pass

    on_small_pool(fresh_database, work, acquire_timeout_s=0.2)


def test_a_turn_is_given_back_whatever_becomes_of_the_call(fresh_database: TestDatabase) -> None:
    async def work(whole: Database) -> None:
        share = Share(whole, 1)
        for error in (ZeroDivisionError, asyncio.CancelledError):
            with contextlib.suppress(error):
                async with share.transaction():
                    raise error
        async with share.transaction():
            pass

    on_small_pool(fresh_database, work, acquire_timeout_s=5.0)
