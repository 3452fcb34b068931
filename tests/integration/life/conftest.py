"""An orders service without its server: the use cases on a real PostgreSQL, and ways to make orders quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.life.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Database


@pytest.fixture
def bench(fresh_database: Database) -> Iterator[Bench]:
    """The use cases, on a database of this test alone, with the account `first` opened."""
    with Bench(fresh_database) as made:
        made.add_account("first")
        yield made
