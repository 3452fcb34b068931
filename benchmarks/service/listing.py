"""Lists and searches with few and with many orders, on a service each, call by call in turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.errors import SideFailed
from benchmarks.service import orders
from orders_service.v1 import orders_pb2, orders_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.service.result import Figures
    from benchmarks.service.stack import Servers

FEW = 10_000
_CALLS = 150
_TIMEOUT_S = 60.0

#: Each way to look for orders, of a database with so many.
_QUERIES: dict[str, Callable[[int], orders_pb2.ListOrdersRequest]] = {
    "the newest": lambda count: orders_pb2.ListOrdersRequest(page_size=50),
    "in a state": lambda count: orders_pb2.ListOrdersRequest(page_size=50, states=[orders_pb2.ORDER_STATE_FAILED]),
    "of an account": lambda count: orders_pb2.ListOrdersRequest(page_size=50, account="account_7"),
    "of an account in a state": lambda count: orders_pb2.ListOrdersRequest(
        page_size=50, account="account_7", states=[orders_pb2.ORDER_STATE_FAILED]
    ),
    "of an object": lambda count: orders_pb2.ListOrdersRequest(page_size=50, cad_num=orders.filled_cad_num(count // 2)),
}


def measure(servers: Servers, figures: Figures, rounds: int, many: int) -> None:
    """The hundredth of each way's calls, with many orders as a multiple of that with few."""
    with servers.database() as small, servers.database() as large:
        orders.fill(small, FEW)
        orders.fill(large, many)
        with servers.service(small) as near, servers.service(large) as far:
            stubs = [(orders_pb2_grpc.OrdersServiceStub(near.channel), FEW)]
            stubs.append((orders_pb2_grpc.OrdersServiceStub(far.channel), many))
            for number in range(rounds + 1):
                for name, make in _QUERIES.items():
                    taken: list[list[float]] = [[], []]
                    for _ in range(_CALLS):
                        for (stub, count), times in zip(stubs, taken, strict=True):
                            begun = time.perf_counter()
                            answer = stub.ListOrders(make(count), timeout=_TIMEOUT_S)
                            times.append(time.perf_counter() - begun)
                            if not answer.orders:
                                raise SideFailed(f"There are no orders {name}.")
                    few_s, many_s = (sorted(times)[int(_CALLS * 0.99)] for times in taken)
                    if number:
                        figures.add(f"list {name}: {FEW:,}, p99 ms", few_s * 1000)
                        figures.add(f"list {name}: {many:,}, p99 ms", many_s * 1000)
                        figures.add("list of few", many_s / few_s)
