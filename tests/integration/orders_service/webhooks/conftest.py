"""A receiver, and the webhooks beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.orders_service.webhooks.house import opened_receiver, opened_teller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres
    from tests.integration.orders_service.webhooks.house import Receiver, Teller
    from tests.servers import RedisServer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An HTTP server of this test alone."""
    with opened_receiver() as opened:
        yield opened


@pytest.fixture
def teller(fresh_database: postgres.Database, redis_server: RedisServer, queue_name: str) -> Iterator[Teller]:
    """Not started yet."""
    with opened_teller(fresh_database, redis_server, queue_name) as opened:
        yield opened
