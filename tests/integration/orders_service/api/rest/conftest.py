"""One service for these tests, asked by HTTP. Each test makes orders and accounts of its own."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.orders_service.serving import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres import Database, PostgresServer
    from tests.servers import RedisServer


@pytest.fixture(scope="session")
def database(postgres_server: PostgresServer, template_database: Database) -> Iterator[Database]:
    """A database for these tests."""
    made = postgres_server.create_database(f"rosq_test_{uuid.uuid4().hex[:12]}", template_database.name)
    try:
        yield made
    finally:
        postgres_server.drop_database(made.name)


@pytest.fixture(scope="session")
def service(
    database: Database, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A running service on it."""
    env = {**database.env(), **redis_server.env(), "ROSQ_QUEUE": f"rest-{uuid.uuid4().hex[:12]}"}
    # It stays until the end of the run, and others want the machine too.
    env["RECONCILE_INTERVAL_S"] = "5"
    running = Service(env, tmp_path_factory.mktemp("rest"))
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def web(service: Service) -> Iterator[httpx.Client]:
    """A client of the service's REST side."""
    with httpx.Client(base_url=f"http://127.0.0.1:{service.rest_port}", timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def new_number() -> Callable[[], str]:
    """Cadastral numbers, each another."""
    numbers = itertools.count(1)
    return lambda: f"77:01:0001001:{next(numbers)}"


@pytest.fixture
def order_id(web: httpx.Client, new_number: Callable[[], str]) -> int:
    """The id of an order of this test's own, just accepted."""
    body = {"cad_num": new_number(), "idempotency_key": uuid.uuid4().hex}
    answer = web.post("/v1/orders", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["order"]["order_id"])


@pytest.fixture
def account(web: httpx.Client) -> dict[str, object]:
    """An account of this test's own, as the service told it."""
    answer = web.post("/rosreestr-users", json={"account": f"user_{uuid.uuid4().hex[:8]}", "password": "hidden-word"})
    assert answer.status_code == 200, answer.text
    made: dict[str, object] = answer.json()
    return made
