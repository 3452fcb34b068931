"""One port for gRPC: what it offers, to how many at once, and by which certificate it is known."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from orders_service import errors
from orders_service.settings import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.api.health import HealthServicer
    from orders_service.listening import Certificates

#: Ten thousand orders with the longest notes. What each call may have of it is in its rule.
_LONGEST_MESSAGE: Final = 64 << 20
#: Of clients most are watchers, who wait. What is more is refused, with RESOURCE_EXHAUSTED.
_MAX_CALLS: Final = 4_000
_HOUR_MS: Final = 3_600_000
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE),
    ("grpc.max_send_message_length", _LONGEST_MESSAGE),
    # Else a second server on the same port gets half of the calls, and neither says a word.
    ("grpc.so_reuseport", 0),
    # Workers ask rarely and want to notice a dead server: their pings between calls are welcome.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A connection that nobody uses is closed, and an old one ends in order: its calls are finished, the next one opens
    # another. So none outlives its certificate for long, and a new process of the service gets its share.
    ("grpc.max_connection_idle_ms", _HOUR_MS),
    ("grpc.max_connection_age_ms", 4 * _HOUR_MS),
    ("grpc.max_connection_age_grace_ms", _HOUR_MS),
)


class PortUnavailable(errors.OrdersServiceError):
    """The service can't listen where it was told to."""

    def __init__(self, address: Address, reason: str, option: str = "--listen") -> None:
        super().__init__(f"The service can't listen on {address}: {reason}. Choose another with {option}.")
        self.address = address


class Port:
    """A gRPC server, with reflection and health.

    Args:
        services: Full names of what will be added to `server`, for reflection.
        option: How another address is chosen, for messages.
    """

    def __init__(
        self,
        services: Sequence[str],
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        health_servicer: HealthServicer,
        *,
        option: str = "--listen",
    ) -> None:
        self.server = grpc.aio.server(interceptors=interceptors, options=_OPTIONS, maximum_concurrent_rpcs=_MAX_CALLS)
        self._option = option
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, self.server)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.server)

    async def start(self, address: Address, certificates: Certificates | None) -> Address:
        """Listen, and return the address with the port that port 0 became.

        Raises:
            PortUnavailable: Somebody else listens there, or the address isn't this machine's.
        """
        await asyncio.to_thread(_probe, address, self._option)
        try:
            if certificates is None:
                port = self.server.add_insecure_port(str(address))
            else:
                port = self.server.add_secure_port(str(address), certificates.credentials())
        except RuntimeError as exc:
            raise PortUnavailable(address, "it was taken a moment ago", self._option) from exc
        await self.server.start()
        return Address(host=address.host, port=port)


def _probe(address: Address, option: str) -> None:
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
        raise PortUnavailable(address, exc.strerror or str(exc), option) from exc
