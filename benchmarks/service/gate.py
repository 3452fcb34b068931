"""The gate, which a worker passes right before it pays: alone, and beside three bulk calls."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import TYPE_CHECKING

from google.protobuf import duration_pb2

from benchmarks.service import orders
from orders_service.v1 import orders_pb2, orders_pb2_grpc, worker_pb2, worker_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import grpc

    from benchmarks.service.result import Figures
    from benchmarks.service.stack import Database, Servers

_ACCOUNT = "benchmark"
_PASSES = 200
_BULK = 10_000
_CLIENTS = 3
_TIMEOUT_S = 120.0


def measure(servers: Servers, figures: Figures, rounds: int) -> None:
    """The hundredth of the gate's calls, each of an order of its own, with all that goes before."""
    with servers.database() as database, servers.service(database) as service:
        worker = _Worker(database, service.channel)
        worker.pass_gates(_PASSES)
        bulk = _Bulk(service.channel)
        for _ in range(rounds):
            alone_s = worker.pass_gates(_PASSES)
            with bulk.running():
                beside_s = worker.pass_gates(_PASSES)
            figures.add("gate: alone, p99 ms", alone_s * 1000)
            figures.add("gate: beside three bulk calls, p99 ms", beside_s * 1000)
            figures.add("gate of alone", beside_s / alone_s)


class _Worker:
    """Brings orders to the gate and through it, as a worker does."""

    def __init__(self, database: Database, channel: grpc.Channel) -> None:
        self._orders = orders_pb2_grpc.OrdersServiceStub(channel)
        self._stub = worker_pb2_grpc.WorkerServiceStub(channel)
        with database.connect() as connection:
            connection.execute(
                "insert into rosreestr_users (username, declarant_category) values (%s, '357013000000')", (_ACCOUNT,)
            )
        opened = self._stub.OpenAccount(worker_pb2.OpenAccountRequest(account=_ACCOUNT, opened_by="benchmark"))
        self._epoch = opened.account.epoch
        self._next = 900_000_000

    def pass_gates(self, count: int) -> float:
        """Let so many orders pass; the hundredth of what it took, in seconds."""
        wanted = list(orders.wanted(self._next, count))
        self._next += count
        request = orders_pb2.BatchCreateOrdersRequest(orders=wanted)
        created = self._orders.BatchCreateOrders(request, timeout=_TIMEOUT_S).orders
        taken = []
        for number, order in enumerate(created):
            holder = worker_pb2.OrderHolder(
                account=_ACCOUNT, epoch=self._epoch, order_id=order.order_id, fence=1, token=uuid.uuid4().hex
            )
            self._prepare(holder, wanted[number].cad_num)
            passing = worker_pb2.PassGateRequest(
                holder=holder,
                send_id=str(uuid.uuid4()),
                absent_after=duration_pb2.Duration(seconds=3600),
                is_portal_on_loopback=True,
            )
            begun = time.perf_counter()
            self._stub.PassGate(passing, timeout=_TIMEOUT_S)
            taken.append(time.perf_counter() - begun)
        return sorted(taken)[int(count * 0.99)]

    def _prepare(self, holder: worker_pb2.OrderHolder, cad_num: str) -> None:
        self._stub.ClaimOrder(worker_pb2.ClaimOrderRequest(holder=holder), timeout=_TIMEOUT_S)
        submission = worker_pb2.OrderSubmission(
            super_package_guid=str(uuid.uuid4()),
            statement_guid=str(uuid.uuid4()),
            package_guid=str(uuid.uuid4()),
            draft_guid=str(uuid.uuid4()),
            person_oid="1000000001",
            access_key="key",
            balance=1_000_000,
            portal_cad_num=cad_num,
        )
        intent = worker_pb2.RecordIntentRequest(holder=holder, submission=submission)
        self._stub.RecordIntent(intent, timeout=_TIMEOUT_S)
        self._stub.RecordUpload(worker_pb2.RecordUploadRequest(holder=holder), timeout=_TIMEOUT_S)


class _Bulk:
    """Clients that store ten thousand orders after the other."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = orders_pb2_grpc.OrdersServiceStub(channel)
        self._numbers = iter(range(0, 900_000_000, _BULK))
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Three of them at once, for the time of the block."""
        is_over = threading.Event()

        def store() -> None:
            while not is_over.is_set():
                with self._lock:
                    start = next(self._numbers)
                request = orders_pb2.BatchCreateOrdersRequest(orders=orders.wanted(start, _BULK))
                self._stub.BatchCreateOrders(request, timeout=_TIMEOUT_S)

        threads = [threading.Thread(target=store) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
