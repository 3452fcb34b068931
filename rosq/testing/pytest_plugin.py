"""Fixtures for pytest. Not loaded by itself: `pytest_plugins = ["rosq.testing.pytest_plugin"]` in your conftest.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rosq.settings import RedisSettings
from rosq.testing.temporary import temporary_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq.queue import Queue


@pytest.fixture(scope="session")
def rosq_redis_settings() -> RedisSettings:
    """Where the tests' Redis is: what REDIS_HOST, REDIS_PORT and so on say. Write your own to say something else."""
    return RedisSettings.from_env(os.environ)


@pytest.fixture
def rosq_queue(rosq_redis_settings: RedisSettings) -> Iterator[Queue]:
    """A queue of this test alone; its keys are deleted afterwards."""
    with temporary_queue(rosq_redis_settings) as queue:
        yield queue
