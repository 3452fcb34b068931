"""Clients without luck: the service dies between the commit and the answer, and the client does as he is told."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from orders_service.v1 import orders_pb2, orders_pb2_grpc
from tests.integration.orders_service.serving import clean_env, run_cli
from tests.servers import free_port
from tests.system import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Database

ROWS = 2
#: `make test-long` dies at each step, every day some do.
STRIDE = int(os.environ.get("ORDERS_DEATH_STRIDE", "6"))
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
]


class Dying:
    """Services that die one after the other, each one step later."""

    def __init__(self, database: Database, folder: Path, first: int = 0) -> None:
        self.port = free_port()
        self.env = clean_env(
            {**database.env(), "ORDERS_SERVICE_HOST": "127.0.0.1", "ORDERS_SERVICE_PORT": str(self.port)}
        )
        module = "tests.integration.orders_service.api.dying_service"
        self.process = Process(
            "dying", [sys.executable, "-m", module, str(self.port), str(first), str(STRIDE)], self.env, folder
        )
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=OPTIONS)
        self._stub: Any = orders_pb2_grpc.OrdersServiceStub(self._channel)

    def submit(self, batch: str) -> tuple[list[orders_pb2.CreatedOrder], int]:
        """Ask for the orders of a batch, the same again until an answer comes; and how often none came."""
        orders = [
            orders_pb2.NewOrder(cad_num=f"77:01:0001001:{row + 1}", idempotency_key=f"{batch}:{row}")
            for row in range(ROWS)
        ]
        request = orders_pb2.BatchCreateOrdersRequest(orders=orders)
        lost = 0
        while True:
            try:
                return list(self._stub.BatchCreateOrders(request, timeout=60, wait_for_ready=True).orders), lost
            except grpc.RpcError as error:
                assert isinstance(error, grpc.Call)
                assert error.code() is grpc.StatusCode.UNAVAILABLE, (error.details(), self.process.log)
                lost += 1
                assert lost < 20, self.process.log

    def close(self) -> None:
        self._channel.close()
        self.process.kill()


@pytest.fixture
def dying(fresh_database: Database, tmp_path: Path) -> Iterator[Dying]:
    services = Dying(fresh_database, tmp_path)
    yield services
    services.close()


def rows_of(database: Database) -> list[tuple[str, int, int]]:
    """Of each key: how many orders there are, and how many steps in their history."""
    with database.connect() as connection:
        return connection.execute(
            "select idempotency_key, count(distinct orders.id), count(order_events.id) "
            "from orders join order_events on order_events.order_id = orders.id group by 1 order by 1"
        ).fetchall()


@pytest.mark.timeout(600)
def test_whatever_step_the_service_dies_at_the_repeat_of_the_same_call_makes_each_order_once(
    dying: Dying, fresh_database: Database, tmp_path: Path
) -> None:
    step = 0
    were_stored: list[bool] = []
    while True:
        told, lost = dying.submit(f"death {step}")
        if not lost:
            break
        were_stored.append(all(one.is_existing for one in told))
        assert {one.is_existing for one in told} == {were_stored[-1]}, "all of a call or none"
        step += STRIDE

    assert were_stored[0] is False, "before the commit nothing is stored"
    assert were_stored == sorted(were_stored), "and after it everything is"
    assert any(were_stored), "there are steps between the commit and the answer"
    rows = rows_of(fresh_database)
    assert len(rows) == ROWS * (len(were_stored) + 1)
    assert {(orders, events) for _, orders, events in rows} == {(1, 1)}

    # The same by the shell, which is told to run the same command again.
    after_commit = STRIDE * were_stored.index(True) + 1
    last = Dying(fresh_database, tmp_path, first=after_commit)
    try:
        # A row's own key is what the service dies of.
        rows_by_hand = "".join(f"77:01:0001001:{row};death {after_commit}:by hand {row}\n" for row in (1, 2))
        (tmp_path / "orders.csv").write_text(f"cad_num;idempotency_key\n{rows_by_hand}")
        command = ("orders", "submit", "--file", "orders.csv")
        last.submit("it serves")
        lost_answer = run_cli(*command, env=last.env, folder=tmp_path)
        last.submit("the next one serves")
        again = run_cli(*command, env=last.env, folder=tmp_path)
    finally:
        last.close()

    assert lost_answer.returncode == 3, lost_answer.stderr
    assert "The orders may be accepted: run the SAME command again, it orders nothing twice." in lost_answer.stderr
    assert (again.returncode, "0 accepted, 2 already there." in again.stdout) == (0, True), again.stderr
    assert len(rows_of(fresh_database)) == len(rows) + 2 * ROWS + 2
