"""Health and reflection, which anybody may ask: they take no more of the service than they should."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from orders_service.access.callers import Role
from orders_service.api.grpc import taking
from orders_service.v1 import orders_pb2, orders_pb2_grpc
from tests.integration.orders_service.access.house import House, opened_house

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres

SOON_S = 10


@pytest.fixture
def house(fresh_database: postgres.Database) -> Iterator[House]:
    with opened_house(fresh_database) as house:
        yield house


def address(house: House) -> str:
    return f"127.0.0.1:{house.addresses[0].port}"


def test_a_machine_watches_health_so_often_at_once_and_stands_in_nobodys_way(house: House) -> None:
    async def ask() -> tuple[Any, Any, Any]:
        async with grpc.aio.insecure_channel(address(house)) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            calls: list[Any] = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(101)]
            ended = [asyncio.ensure_future(call.code()) for call in calls]
            over, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=SOON_S)
            check = await stub.Check(health_pb2.HealthCheckRequest(), timeout=SOON_S)
            orders: Any = orders_pb2_grpc.OrdersServiceStub(channel)
            listed = await orders.ListOrders(orders_pb2.ListOrdersRequest(), timeout=SOON_S)
            for call in calls:
                call.cancel()
            await asyncio.wait(ended)
            return [one.result() for one in over], check, listed

    codes, check, listed = house.run(ask)
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert check == health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
    assert listed == orders_pb2.ListOrdersResponse()


def test_a_watch_is_told_of_each_change_and_ends_with_the_service(house: House) -> None:
    """A stop doesn't wait for those who only watch."""

    async def ask() -> list[int]:
        async with grpc.aio.insecure_channel(address(house)) as channel:
            call: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            told = [(await call.read()).status]
            await house.server._look_at_health()
            told.append((await call.read()).status)
            stopping = asyncio.ensure_future(house.server.stop())
            while (answer := await call.read()) is not grpc.aio.EOF:
                told.append(answer.status)
            await asyncio.wait_for(stopping, 5)
            return told

    health = health_pb2.HealthCheckResponse
    assert house.run(ask) == [health.NOT_SERVING, health.SERVING, health.NOT_SERVING]


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_whoever_asks_after_health_and_then_says_nothing_is_let_go_of(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    with_idle_s(0.3, monkeypatch)

    async def ask() -> tuple[Any, str]:
        async with grpc.aio.insecure_channel(address(house)) as channel:
            call: Any = channel.stream_stream(f"/grpc.health.v1.Health/{method}")(timeout=SOON_S)
            return await call.code(), await call.details()

    code, details = house.run(ask)
    assert (code, "didn't come in time" in details) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)


def test_reflection_that_isnt_asked_any_more_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add_token("auditor", Role.VIEWER)
    with_idle_s(0.3, monkeypatch)

    async def ask() -> tuple[int, Any, str]:
        async with grpc.aio.insecure_channel(address(house)) as channel:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
            metadata = (("authorization", f"Bearer {house.secrets['auditor']}"),)
            call = stub.ServerReflectionInfo(metadata=metadata, timeout=SOON_S)
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            services = len((await call.read()).list_services_response.service)
            return services, await call.code(), await call.details()

    services, code, details = house.run(ask)
    assert services > 4
    # Told by the service, not by the deadline of the test.
    assert (code, "didn't come in time" in details) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)


def with_idle_s(idle_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Any = taking._Taking.__init__

    def init(self: Any, *args: Any) -> None:
        original(self, *args[:-1], idle_s)

    monkeypatch.setattr(taking._Taking, "__init__", init)
