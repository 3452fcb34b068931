"""A database of the test's own, opened as the service opens it, and the use cases on one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest

from orders_service.crypto import Secretbox
from orders_service.settings import Settings
from orders_service.store.db import Database
from tests.integration.orders_service.life.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.postgres import Database as TestDatabase

T = TypeVar("T")

SECRET = "secret of the tests"


@pytest.fixture
def settings(fresh_database: TestDatabase, queue_name: str) -> Settings:
    """The service's settings, pointed at a fresh database, with a queue of the test's own."""
    return Settings.from_env(
        {**fresh_database.env(), "ROSQ_QUEUE": queue_name, "ORDER_LEASE_S": "1", "RECONCILE_INTERVAL_S": "0.2"}
    )


@pytest.fixture
def box() -> Secretbox:
    """Seals with the tests' secret."""
    return Secretbox(SECRET)


@pytest.fixture
def run(settings: Settings) -> Callable[[Callable[[Database], Awaitable[T]]], T]:
    """Run an async function on an open database: `run(lambda db: create_orders(db, [...]))`."""

    def run_on_database(work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = Database(settings)
            await database.open()
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(opened())

    return run_on_database


@pytest.fixture
def bench(fresh_database: TestDatabase) -> Iterator[Bench]:
    """The use cases, on a database of this test alone, with the account `first` opened."""
    with Bench(fresh_database) as made:
        made.add_account("first")
        yield made
