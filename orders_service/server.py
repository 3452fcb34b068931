"""The gRPC server: which services it offers, and on what it listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from orders_service import errors
from orders_service.api.grpc.interceptors import CallGuard
from orders_service.api.grpc.operator import OperatorServicer
from orders_service.api.grpc.orders import OrdersServicer
from orders_service.api.grpc.rosreestr_users import RosreestrUsersServicer
from orders_service.api.grpc.worker import WorkerServicer
from orders_service.queueing.loops import Loop
from orders_service.settings import Address
from orders_service.v1 import (
    operator_pb2,
    operator_pb2_grpc,
    orders_pb2,
    orders_pb2_grpc,
    rosreestr_users_pb2,
    rosreestr_users_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)

if TYPE_CHECKING:
    from orders_service.crypto import Secretbox
    from orders_service.settings import Settings
    from orders_service.store.db import Database

logger = logging.getLogger(__name__)

SERVICES: Final = (
    orders_pb2.DESCRIPTOR.services_by_name["OrdersService"].full_name,
    operator_pb2.DESCRIPTOR.services_by_name["OperatorService"].full_name,
    rosreestr_users_pb2.DESCRIPTOR.services_by_name["RosreestrUsersService"].full_name,
    worker_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name,
)

_HEALTH_INTERVAL_S: Final = 2.0
_OPTIONS: Final = (
    # Ten thousand orders with the longest notes.
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # Else a second server on the same port gets half of the calls, and neither says a word.
    ("grpc.so_reuseport", 0),
    # Workers ask rarely and want to notice a dead server: their pings between calls are welcome.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def interceptors() -> list[grpc.aio.ServerInterceptor]:
    """Return what stands around every call, outermost first: it turns the errors of the others into statuses, too."""
    return [CallGuard()]


class PortUnavailable(errors.OrdersServiceError):
    """The service can't listen where it was told to."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(f"The service can't listen on {address}: {reason}. Choose another with --listen.")
        self.address = address


class Server:
    """Offers every service on one port, with reflection, and with health as the database's health is."""

    def __init__(self, database: Database, box: Secretbox, settings: Settings) -> None:
        self._database = database
        self._grace_s = settings.stop_grace_s
        self._server = grpc.aio.server(interceptors=interceptors(), options=_OPTIONS)
        orders_pb2_grpc.add_OrdersServiceServicer_to_server(OrdersServicer(database), self._server)
        operator_pb2_grpc.add_OperatorServiceServicer_to_server(OperatorServicer(database, settings), self._server)
        rosreestr_users_pb2_grpc.add_RosreestrUsersServiceServicer_to_server(
            RosreestrUsersServicer(database, box), self._server
        )
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(WorkerServicer(database, settings), self._server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self._watch = Loop(
            "health",
            self._look_at_health,
            interval_s=_HEALTH_INTERVAL_S,
            expected=(errors.DatabaseUnavailable, errors.DatabaseUnfit),
        )

    async def start(self, address: Address) -> Address:
        """Listen, and return the address with the port that port 0 became.

        Raises:
            PortUnavailable: Somebody else listens there, or the address isn't this machine's.
        """
        await asyncio.to_thread(_probe, address)
        try:
            port = self._server.add_insecure_port(str(address))
        except RuntimeError as exc:
            raise PortUnavailable(address, "it was taken a moment ago") from exc
        await self._server.start()
        return Address(host=address.host, port=port)

    async def watch_health(self) -> None:
        """Keep the answer of the health service true, until cancelled."""
        await self._watch.run()

    async def stop(self) -> None:
        """Take no new calls and let those under way end, up to the grace."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._grace_s)

    async def abort(self) -> None:
        """Break off the calls under way."""
        await self._server.stop(0)

    async def _look_at_health(self) -> None:
        status = health_pb2.HealthCheckResponse.NOT_SERVING
        try:
            await self._database.require_fit()
            status = health_pb2.HealthCheckResponse.SERVING
        finally:
            for service in ("", *SERVICES):
                await self._health.set(service, status)


def _probe(address: Address) -> None:
    """Try the address by a plain socket first: the operating system gives a reason, gRPC gives none."""
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            # Binding alone succeeds beside a listener that allows reuse; listening doesn't.
            probe.listen(1)
    except OSError as exc:
        raise PortUnavailable(address, exc.strerror or str(exc)) from exc
