"""The fixture `system`: everything running, for a test to use or to break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system import running_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Database
    from tests.servers import EmbeddedRedis
    from tests.system import System


@pytest.fixture
def system(fresh_database: Database, own_redis: EmbeddedRedis, queue_name: str) -> Iterator[System]:
    """Simulator and service with accounts a1, a2, a3; the test starts the workers. PostgreSQL and Redis are its own."""
    with running_system(fresh_database.env(), own_redis, queue_name) as system:
        system.start_simulator()
        system.start_service()
        system.add_accounts("a1", "a2", "a3")
        yield system
