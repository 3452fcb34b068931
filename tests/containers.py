"""`pytest --containers`: the same tests on Redis 7 and PostgreSQL in containers, by testcontainers.

The containers are announced as TEST_REDIS_URL and TEST_DATABASE_URL, which the fixtures of `tests.servers` and
`tests.postgres` follow. Tests that stop or kill a server of their own keep to the embedded ones.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIS_IMAGE = "redis:7-alpine"
POSTGRES_IMAGE = "postgres:16-alpine"
PASSWORD = "for-tests-only"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers",
        action="store_true",
        help="run on Redis 7 and PostgreSQL in containers (needs a Docker engine) instead of the embedded servers",
    )


@contextlib.contextmanager
def running_containers() -> Iterator[dict[str, str]]:
    """Start both servers, durable as in compose.yml; the variables that name them."""
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.community.redis import RedisContainer

    redis = RedisContainer(REDIS_IMAGE, password=PASSWORD).with_command(
        f"redis-server --appendonly yes --maxmemory-policy noeviction --requirepass {PASSWORD}"
    )
    postgres = PostgresContainer(POSTGRES_IMAGE, username="rosq", password=PASSWORD, dbname="rosq", driver=None)
    with redis, postgres:
        yield {
            "TEST_REDIS_URL": f"redis://:{PASSWORD}@{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0",
            "TEST_DATABASE_URL": postgres.get_connection_url(),
        }


@pytest.fixture(scope="session", autouse=True)
def containers(request: pytest.FixtureRequest) -> Iterator[None]:
    """With --containers: both servers for the whole run, before any other fixture looks for one."""
    if not request.config.getoption("--containers"):
        yield
        return
    with running_containers() as variables:
        os.environ.update(variables)
        yield
        for name in variables:
            del os.environ[name]
