"""Bulk calls don't keep the event loop from others: no step of it is longer than a short one should be.

Held against what the loop's own thread computes in a step, which is the same on a machine that has other work to do.
Texts that go through gRPC and to PostgreSQL as they are take it some 3 ms a megabyte: a batch of the longest that there
may be, 64 MiB, still keeps it longer.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from orders_service.v1 import orders_pb2, orders_pb2_grpc
from tests.integration.orders_service.serving import clean_env
from tests.servers import free_port
from tests.system import Process
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Database, PostgresServer

#: What no call may keep the loop for.
MOST_MS = 20.0
ORDERS = 10_000


class Watched:
    def __init__(self, database: Database, folder: Path) -> None:
        port = free_port()
        module = "tests.integration.orders_service.api.watched_service"
        self.process = Process("watched", [sys.executable, "-m", module, str(port)], clean_env(database.env()), folder)
        options = [("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self.orders: Any = orders_pb2_grpc.OrdersServiceStub(self.channel)
        wait_until(lambda: '"serving"' in self.process.log, "the service to serve", 60)

    def steps(self, since: int) -> list[dict[str, Any]]:
        """What the service told of itself since then."""
        return [json.loads(line) for line in self.process.log[since:].splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def watched(
    postgres_server: PostgresServer, template_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    database = postgres_server.create_database("rosq_test_event_loop", template_database.name)
    service = Watched(database, tmp_path_factory.mktemp("watched"))
    try:
        yield service
    finally:
        service.channel.close()
        service.process.kill()
        postgres_server.drop_database(database.name)


def batch(name: str, **more: Any) -> list[orders_pb2.NewOrder]:
    return [
        orders_pb2.NewOrder(
            cad_num=f"77:01:0001001:{number}", idempotency_key=f"{name}:{number}", recipient="Иванов Иван", **more
        )
        for number in range(1, ORDERS + 1)
    ]


CALLS = {
    "new orders": lambda stub, name: stub.BatchCreateOrders(
        orders_pb2.BatchCreateOrdersRequest(orders=batch(name)), timeout=120
    ),
    "orders that are there": lambda stub, _: stub.BatchCreateOrders(
        orders_pb2.BatchCreateOrdersRequest(orders=batch("same")), timeout=120
    ),
    "notes": lambda stub, name: stub.BatchCreateOrders(
        orders_pb2.BatchCreateOrdersRequest(orders=batch(name, comment="ж" * 200)), timeout=120
    ),
    "checks": lambda stub, name: stub.CheckOrders(orders_pb2.CheckOrdersRequest(orders=batch(name)), timeout=120),
    "bad rows": lambda stub, _: stub.CheckOrders(
        orders_pb2.CheckOrdersRequest(orders=[orders_pb2.NewOrder(cad_num="77", comment="\0")] * ORDERS),
        timeout=120,
    ),
}


@pytest.mark.parametrize("kind", CALLS)
def test_no_step_of_a_bulk_call_keeps_the_loop(watched: Watched, kind: str) -> None:
    CALLS[kind](watched.orders, f"{kind} first")
    began = len(watched.process.log)

    for turn in range(3):
        CALLS[kind](watched.orders, f"{kind} {turn}")

    steps = [one for one in watched.steps(began) if "step" in one]
    assert not [one for one in steps if one["cpu_ms"] > MOST_MS]
