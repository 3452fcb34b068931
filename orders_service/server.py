"""The servers of one process: which services they offer, on which port, and who stands before them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from grpc_health.v1 import health_pb2

from orders_service import errors
from orders_service.api.grpc.guarding import Guard
from orders_service.api.grpc.interceptors import CallGuard
from orders_service.api.grpc.operator import OperatorServicer
from orders_service.api.grpc.orders import OrdersServicer
from orders_service.api.grpc.rosreestr_users import RosreestrUsersServicer
from orders_service.api.grpc.taking import Intake
from orders_service.api.grpc.worker import WorkerServicer
from orders_service.api.health import HealthServicer, Readiness
from orders_service.api.rest import app
from orders_service.api.rest.calls import Calls
from orders_service.api.rest.serving import HttpServer
from orders_service.listening import Certificates, is_loopback
from orders_service.orders.watch import Watch
from orders_service.ports import Port, PortUnavailable
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
    import grpc

    from orders_service.api.auth.gatekeeper import Gatekeeper
    from orders_service.crypto import Secretbox
    from orders_service.listening import ListenSettings
    from orders_service.settings import Settings
    from orders_service.store.db import Database

WORKER_SERVICE: Final = worker_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name
SERVICES: Final = (
    orders_pb2.DESCRIPTOR.services_by_name["OrdersService"].full_name,
    operator_pb2.DESCRIPTOR.services_by_name["OperatorService"].full_name,
    rosreestr_users_pb2.DESCRIPTOR.services_by_name["RosreestrUsersService"].full_name,
    WORKER_SERVICE,
)

#: Those that have rules for HTTP. Workers speak gRPC only.
REST_SERVICES: Final = (
    orders_pb2.DESCRIPTOR.services_by_name["OrdersService"],
    operator_pb2.DESCRIPTOR.services_by_name["OperatorService"],
    rosreestr_users_pb2.DESCRIPTOR.services_by_name["RosreestrUsersService"],
)

_HEALTH_INTERVAL_S: Final = 2.0
#: A look at the database may wait this long for a connection, and for its answer.
_HEALTH_VALID_S: Final = 45.0
_CERTIFICATE_INTERVAL_S: Final = 3600.0


def interceptors(gatekeeper: Gatekeeper | None = None) -> list[grpc.aio.ServerInterceptor]:
    """Return what stands around every call, outermost first: it turns the errors of the others into statuses, too.

    Args:
        gatekeeper: Who lets calls in; None: everybody may do everything.
    """
    return [CallGuard()] if gatekeeper is None else [CallGuard(), Guard(gatekeeper)]


class Server:
    """Offers every service on one port, or workers' on a port of its own; with reflection, and with health as the
    database's health is. The same servicers but the workers' answer by REST, too.
    """

    def __init__(
        self, database: Database, box: Secretbox, settings: Settings, listen: ListenSettings, gatekeeper: Gatekeeper
    ) -> None:
        self._database = database
        self._grace_s = settings.stop_grace_s
        self._listen = listen
        self._certificates = Certificates(listen.tls) if listen.tls is not None else None
        # Now, while nothing listens yet: it may find that the files can't be used.
        self._http_tls = self._certificates.https_context() if self._certificates is not None else None
        self._health = HealthServicer(("", *SERVICES))
        self._readiness = Readiness(valid_s=_HEALTH_VALID_S)
        self._http: HttpServer | None = None
        # A request by gRPC comes bit by bit, so there the intake is the outermost.
        around = [Intake(gatekeeper), *interceptors(gatekeeper)]
        own_port = (WORKER_SERVICE,) if listen.workers is not None else ()
        self._port = Port([one for one in SERVICES if one not in own_port], around, self._health)
        self._workers_port = self._port
        if own_port:
            self._workers_port = Port(own_port, around, self._health, option="--listen-workers")
        # Workers have the whole pool, the others a share of it.
        share = gatekeeper.share
        self._orders = Watch(database, share)
        self._calls = Calls(interceptors(gatekeeper), gatekeeper)
        # The very same for both: what a servicer does, it does whoever asks.
        for target in (self._port.server, self._calls):
            _register(target, share, box, settings, self._orders)
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(
            WorkerServicer(database, settings), self._workers_port.server
        )
        self._watch = Loop(
            "health",
            self._look_at_health,
            interval_s=_HEALTH_INTERVAL_S,
            expected=(errors.DatabaseUnavailable, errors.DatabaseUnfit),
        )

    async def start(self) -> list[Address]:
        """Listen, and return each address with the port that port 0 became.

        Raises:
            PortUnavailable: Somebody else listens there, or the address isn't this machine's.
        """
        addresses = [await self._port.start(self._listen.address, self._certificates)]
        if self._listen.workers is not None:
            addresses.append(await self._workers_port.start(self._listen.workers, self._certificates))
        if self._listen.rest is not None:
            addresses.append(await self._start_rest(self._listen.rest))
        return addresses

    async def _start_rest(self, address: Address) -> Address:
        rest = app.build(REST_SERVICES, self._calls, self._readiness, is_local=is_loopback(address.host))
        self._http = HttpServer(rest, grace_s=self._grace_s, tls=self._http_tls)
        try:
            port = await self._http.start(address.host, address.port)
        except OSError as exc:
            self._http = None
            # gRPC listens already, and nobody else will end it.
            await self._stop(0)
            raise PortUnavailable(address, exc.strerror or str(exc), "--rest-listen") from exc
        return Address(host=address.host, port=port)

    async def watch_certificates(self) -> None:
        """Say it when a certificate ends soon, until cancelled."""
        while self._certificates is not None:
            self._certificates.tell_of_end()
            await asyncio.sleep(_CERTIFICATE_INTERVAL_S)

    async def watch_orders(self) -> None:
        """Follow the steps of orders for those who watch, until cancelled."""
        await self._orders.run()

    async def watch_health(self) -> None:
        """Keep the answer of the health service true, until cancelled."""
        await self._watch.run()

    async def stop(self) -> None:
        """Take no new calls and let those under way end, up to the grace."""
        self._readiness.stop()
        self._health.stop()
        self._orders.stop()
        await asyncio.gather(self._stop(self._grace_s), *([self._http.stop()] if self._http is not None else []))

    async def abort(self) -> None:
        """Break off the calls under way."""
        if self._http is not None:
            self._http.hurry()
        await self._stop(0)

    async def _stop(self, grace_s: float) -> None:
        servers = {self._port.server, self._workers_port.server}
        await asyncio.gather(*(server.stop(grace_s) for server in servers))

    async def _look_at_health(self) -> None:
        status = health_pb2.HealthCheckResponse.NOT_SERVING
        # In words that tell a stranger nothing of the network: the log has the reason.
        trouble: str | None = "The look at the database failed: the service's log says how."
        try:
            await self._database.require_fit()
            status, trouble = health_pb2.HealthCheckResponse.SERVING, None
        except errors.DatabaseUnavailable:
            trouble = "The database can't be reached."
            raise
        except errors.DatabaseUnfit:
            trouble = "The database must not be used as it is: the service's log says why."
            raise
        finally:
            self._readiness.note(trouble)
            for service in ("", *SERVICES):
                self._health.set(service, status)


def _register(target: Any, database: Database, box: Secretbox, settings: Settings, watch: Watch) -> None:
    orders_pb2_grpc.add_OrdersServiceServicer_to_server(OrdersServicer(database, watch), target)
    operator_pb2_grpc.add_OperatorServiceServicer_to_server(OperatorServicer(database, settings), target)
    rosreestr_users_pb2_grpc.add_RosreestrUsersServiceServicer_to_server(RosreestrUsersServicer(database, box), target)
