"""The worker beside everything that it talks to, as real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system import System, running_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Database
    from tests.servers import RedisServer


@pytest.fixture
def stack(fresh_database: Database, redis_server: RedisServer, queue_name: str) -> Iterator[System]:
    """Simulator and service, the latter with account a1; the test starts the workers, and more accounts."""
    with running_system(fresh_database.env(), redis_server, queue_name) as system:
        system.start_simulator()
        system.start_service()
        system.add_accounts("a1")
        yield system
