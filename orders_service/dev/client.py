"""What stack and demo ask of the running system, as any client would: the service by gRPC, the simulator by HTTP.

Synchronous, unlike the service itself: it talks to a few processes of its own, and looks for signals between calls.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orders_service.channel.opening import open_channel
from orders_service.channel.settings import ChannelSettings
from orders_service.dev import errors
from orders_service.v1 import orders_pb2, orders_pb2_grpc, rosreestr_users_pb2, rosreestr_users_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

TIMEOUT_S = 10.0

# The simulator is on this machine, whatever proxy the environment names.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

FINAL_STATES = frozenset(
    {orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED, orders_pb2.ORDER_STATE_CANCELLED}
)


class Client:
    """A client of the orders service. Errors of a call are grpc.RpcError."""

    def __init__(self, address: str, token: str | None = None) -> None:
        # The service is being started: don't wait long before the next try to connect.
        options = [
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
        ]
        self._channel = open_channel(address, ChannelSettings(token=token), options)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._orders = orders_pb2_grpc.OrdersServiceStub(self._channel)
        self._users = rosreestr_users_pb2_grpc.RosreestrUsersServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._channel.close()

    def is_serving(self) -> bool:
        """Whether the service says of itself that it serves."""
        try:
            answer = self._health.Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def ensure_account(self, username: str, password: str, declarant_category: str, comment: str) -> None:
        """Add an account, or give the one of an earlier run this password; it is active afterwards."""
        try:
            self._users.CreateRosreestrUser(
                rosreestr_users_pb2.CreateRosreestrUserRequest(
                    account=username, password=password, declarant_category=declarant_category, comment=comment
                ),
                timeout=TIMEOUT_S,
            )
        except grpc.RpcError as exc:
            if not isinstance(exc, grpc.Call) or exc.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            self._users.UpdateRosreestrUser(
                rosreestr_users_pb2.UpdateRosreestrUserRequest(
                    account=username, password=password, declarant_category=declarant_category
                ),
                timeout=TIMEOUT_S,
            )
            self._users.ActivateRosreestrUser(
                rosreestr_users_pb2.ActivateRosreestrUserRequest(account=username), timeout=TIMEOUT_S
            )

    def epoch(self, username: str) -> int:
        """How often a worker opened the account: it grows when a worker is ready."""
        request = rosreestr_users_pb2.GetRosreestrUserRequest(account=username)
        return self._users.GetRosreestrUser(request, timeout=TIMEOUT_S).user.epoch

    def create_orders(self, orders: Iterable[orders_pb2.NewOrder]) -> list[int]:
        """Submit orders in one call, all or nothing; their ids."""
        request = orders_pb2.BatchCreateOrdersRequest(orders=list(orders))
        return [created.order_id for created in self._orders.BatchCreateOrders(request, timeout=TIMEOUT_S).orders]

    def get_order(self, order_id: int) -> orders_pb2.Order:
        """One order as it stands now."""
        return self._orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id), timeout=TIMEOUT_S).order

    def list_orders(self) -> list[orders_pb2.Order]:
        """All orders, by id."""
        orders: list[orders_pb2.Order] = []
        token = ""
        while True:
            request = orders_pb2.ListOrdersRequest(page_size=500, page_token=token)
            page = self._orders.ListOrders(request, timeout=TIMEOUT_S)
            orders += page.orders
            token = page.next_page_token
            if not token:
                return sorted(orders, key=lambda order: order.order_id)

    def download(self, order_id: int, folder: Path) -> Path:
        """Fetch the extract of an order into a folder; the file appears there whole or not at all.

        Raises:
            DemoFailed: What came isn't what was announced.
        """
        request = orders_pb2.DownloadPaperRequest(order_id=order_id)
        parts = self._orders.DownloadPaper(request, timeout=TIMEOUT_S)
        header = next(parts).header
        content = b"".join(part.chunk for part in parts)
        if hashlib.sha256(content).hexdigest() != header.sha256 or len(content) != header.size_bytes:
            raise errors.DemoFailed(f"The extract of order {order_id} came in another shape than was announced.")
        # The name comes from elsewhere: only its last part is a name, never a way into another folder.
        # Short enough to be shown whole on a terminal of 80 columns.
        name = header.file_name.replace("/", "_").removeprefix("Response-")
        path = folder / f"{order_id}-{name}"
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(content)
        temporary.rename(path)
        return path


def read_json(url: str) -> Any:
    """GET a JSON document of the simulator's own side (`/_simulator/…`).

    Raises:
        OSError: It can't be reached, or answers with an error.
    """
    with _DIRECT.open(url, timeout=TIMEOUT_S) as answer:
        return json.load(answer)
