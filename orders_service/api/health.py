"""Whether the service can do its work, as it was last seen; what gRPC's health service and /readyz answer from."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orders_service.api.grpc.status import Context


class Readiness:
    """Set by whoever looks; true only while somebody looks.

    Args:
        valid_s: A look counts this long. Older than that, nobody knows, and the answer is no.
    """

    def __init__(self, *, valid_s: float) -> None:
        self._valid_s = valid_s
        self._looked_at: float | None = None
        self._trouble: str | None = None
        self._is_stopping = False

    def note(self, trouble: str | None) -> None:
        """Note what is in the way just now, in words that anybody may read; None: nothing."""
        self._looked_at, self._trouble = time.monotonic(), trouble

    def stop(self) -> None:
        """Say no from now on: the service takes no more work."""
        self._is_stopping = True

    @property
    def trouble(self) -> str | None:
        """What is in the way; None: nothing."""
        if self._is_stopping:
            return "It is stopping."
        if self._looked_at is None:
            return "It is starting: the database wasn't looked at yet."
        if self._trouble is None and time.monotonic() - self._looked_at > self._valid_s:
            return f"The database wasn't looked at for {time.monotonic() - self._looked_at:.0f} s."
        return self._trouble


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the package has no types
    """gRPC's health service. A stop ends its watches: else they would be what the stop waits for."""

    def __init__(self, services: Iterable[str]) -> None:
        # Until somebody has looked, nobody knows.
        self._statuses: dict[str, int] = dict.fromkeys(services, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._is_stopping = False
        self._changed = asyncio.Event()

    def set(self, service: str, status: int) -> None:
        """Say from now on that this service has this status."""
        if not self._is_stopping and self._statuses.get(service) != status:
            self._statuses[service] = status
            self._tell()

    def stop(self) -> None:
        """Say NOT_SERVING from now on, to those who watch as the last."""
        self._statuses = dict.fromkeys(self._statuses, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._is_stopping = True
        self._tell()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Say how the service stands now."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service here.")
        return _response(status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Say it at once, and whenever it changes; of changes that come too fast the last."""
        told: int | None = None
        while True:
            changed, is_last = self._changed, self._is_stopping
            status = self._statuses.get(request.service, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            if status != told:
                await context.write(_response(status))
                told = status
            if is_last:
                return
            await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _response(status: int) -> health_pb2.HealthCheckResponse:
    return health_pb2.HealthCheckResponse(status=status)
