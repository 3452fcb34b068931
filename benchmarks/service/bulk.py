"""Ten thousand orders in one call, and one at a time, beside PostgreSQL's own ways to store the same rows."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.errors import SideFailed
from benchmarks.service import orders
from orders_service.v1 import orders_pb2, orders_pb2_grpc

if TYPE_CHECKING:
    import psycopg

    from benchmarks.service.result import Figures
    from benchmarks.service.stack import Servers

_BULK = 10_000
_TIMEOUT_S = 120.0
_TURNS = 10
_CALLS_A_TURN = 30
_INSERT = f"insert into orders ({', '.join(orders.COLUMNS)}) values (%s, %s, %s, %s, %s, %s) returning id".encode()


def measure_bulk(servers: Servers, figures: Figures, rounds: int) -> None:
    """Bulk calls end to end, alone and while the relay puts the orders of the one before on the queue; and COPY."""
    with (
        servers.database() as database,
        servers.database() as beside,
        servers.queue(database) as queue,
        servers.service(database) as service,
        beside.connect() as connection,
    ):
        stub = orders_pb2_grpc.OrdersServiceStub(service.channel)
        for number in range(-1, rounds):
            base = (number + 1) * 3 * _BULK
            copied_s = _time_copy(connection, base)
            alone_s = _time_call(stub, base)
            # The relay is busy with those of the call before.
            relaying_s = _time_call(stub, base + _BULK)
            servers.wait_for_jobs(queue, (number + 2) * 2 * _BULK)
            # The first round warms up: plans, code, the pools of both.
            if number >= 0:
                figures.add("bulk: COPY, s", copied_s)
                figures.add("bulk: gRPC, s", alone_s)
                figures.add("bulk: gRPC beside the relay, s", relaying_s)
                figures.add("bulk of COPY", copied_s / alone_s)
                figures.add("bulk of COPY, beside the relay", copied_s / relaying_s)


def measure_one(servers: Servers, figures: Figures, rounds: int) -> None:
    """One order a call, beside a bare INSERT of the same row in the same table."""
    with (
        servers.database() as database,
        servers.database() as beside,
        servers.service(database) as service,
        beside.connect() as connection,
    ):
        stub = orders_pb2_grpc.OrdersServiceStub(service.channel)
        number = 0
        for turn in range(rounds):
            inserted: list[float] = []
            called: list[float] = []
            for _ in range(_TURNS):
                wanted = list(orders.wanted(number, _CALLS_A_TURN))
                rows = list(orders.rows(number, _CALLS_A_TURN))
                number += _CALLS_A_TURN
                for row in rows:
                    begun = time.perf_counter()
                    connection.execute(_INSERT, row, prepare=True)
                    inserted.append(time.perf_counter() - begun)
                for order in wanted:
                    begun = time.perf_counter()
                    stub.CreateOrder(orders_pb2.CreateOrderRequest(order=order), timeout=_TIMEOUT_S)
                    called.append(time.perf_counter() - begun)
            if turn or rounds == 1:
                one_s, bare_s = statistics.median(called), statistics.median(inserted)
                figures.add("one: INSERT, ms", bare_s * 1000)
                figures.add("one: gRPC, ms", one_s * 1000)
                figures.add("one of INSERT", one_s / bare_s)


def _time_copy(connection: psycopg.Connection[Any], start: int) -> float:
    begun = time.perf_counter()
    orders.copy_in(connection, start, _BULK)
    return time.perf_counter() - begun


def _time_call(stub: orders_pb2_grpc.OrdersServiceStub, start: int) -> float:
    request = orders_pb2.BatchCreateOrdersRequest(orders=orders.wanted(start, _BULK))
    begun = time.perf_counter()
    answer = stub.BatchCreateOrders(request, timeout=_TIMEOUT_S)
    taken_s = time.perf_counter() - begun
    if len(answer.orders) != _BULK:
        raise SideFailed(f"The service answered {len(answer.orders)} orders of {_BULK}.")
    return taken_s
