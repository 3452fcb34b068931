"""Who calls, and whether his role may, is asked before anything of a request is read; by gRPC and by REST alike."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import select
import socket
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from orders_service.access.callers import Role
from orders_service.api.auth.rules import RULES
from orders_service.api.rest.bindings import read_bindings
from orders_service.listening import ListenSettings
from orders_service.server import REST_SERVICES
from tests.integration.orders_service.access.house import LOOPBACK, House, opened_house
from tests.unit.orders_service.api.auth.contract import RPCS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests import postgres

BODIES = {
    f"{one.verb} {one.template.text}": one
    for one in read_bindings(REST_SERVICES)
    if one.verb in ("POST", "PUT", "PATCH")
}
NAMES = {Role.CLIENT: "crm", Role.VIEWER: "auditor", Role.OPERATOR: "ivan", Role.WORKER: "worker-1"}
#: Long enough for any answer, and shorter than the time that a request has to come.
SOON_S = 10


@pytest.fixture(scope="module")
def house(postgres_server: postgres.PostgresServer, template_database: postgres.Database) -> Iterator[House]:
    database = postgres_server.create_database("rosq_test_access_door", template_database.name)
    try:
        with opened_house(database, ListenSettings(address=LOOPBACK, rest=LOOPBACK)) as house:
            house.add_token("crm", Role.CLIENT, client="crm")
            house.add_token("shop", Role.CLIENT, client="shop")
            house.add_token("auditor", Role.VIEWER)
            house.add_token("ivan", Role.OPERATOR)
            house.add_token("worker-1", Role.WORKER, account="account_1")
            yield house
    finally:
        postgres_server.drop_database(database.name)


@contextlib.contextmanager
def half_a_request(house: House, verb: str, path: str, token: str = "") -> Iterator[socket.socket]:
    """Send the head of a request whose body never comes."""
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    head += f"Authorization: Bearer {house.secrets[token]}\r\n" if token else ""
    with socket.create_connection(("127.0.0.1", house.addresses[-1].port), timeout=SOON_S) as connection:
        connection.sendall(f"{head}\r\n".encode())
        yield connection


def answer_of(connection: socket.socket) -> tuple[int, str]:
    """Status and reason of the answer, which must come soon."""
    received = b""
    while b"}" not in received:
        piece = connection.recv(65536)
        assert piece, "the connection was closed without an answer"
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["reason"]


def path_of(text: str) -> str:
    return text.replace("{", "").replace("}", "").replace("order_id", "1").replace("account_id", "1")


@pytest.mark.parametrize("call", sorted(BODIES))
def test_by_rest_nobody_unknown_is_waited_for(house: House, call: str) -> None:
    binding = BODIES[call]
    with half_a_request(house, binding.verb, path_of(binding.template.text)) as connection:
        assert answer_of(connection) == (401, "NO_TOKEN")


@pytest.mark.parametrize("call", sorted(BODIES))
def test_by_rest_no_role_that_may_not_is_waited_for(house: House, call: str) -> None:
    binding = BODIES[call]
    rpc = binding.rpc.removeprefix("/orders_service.v1.")
    for role in sorted(set(NAMES) - RULES[rpc].roles):
        with half_a_request(house, binding.verb, path_of(binding.template.text), NAMES[role]) as connection:
            assert answer_of(connection) == (403, "ROLE_FORBIDDEN"), role


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_by_grpc_no_role_that_may_not_is_waited_for(house: House, rpc: str) -> None:
    for role in sorted(set(NAMES) - RULES[rpc].roles):
        code = house.run(functools.partial(opened, house, rpc, NAMES[role]))
        assert code is grpc.StatusCode.PERMISSION_DENIED, role


async def opened(house: House, rpc: str, name: str) -> Any:
    """Open a call without a message, and return how it ends."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{house.addresses[0].port}") as channel:
        return await begin(channel, house, rpc, name).code()


def begin(channel: grpc.aio.Channel, house: House, rpc: str, name: str) -> Any:
    """Open a call without a message."""
    metadata = (("authorization", f"Bearer {house.secrets[name]}"),)
    path = f"/orders_service.v1.{rpc}"
    if RPCS[rpc].server_streaming:
        return channel.stream_stream(path)(metadata=metadata, timeout=SOON_S)
    return channel.stream_unary(path)(metadata=metadata, timeout=SOON_S)


@pytest.mark.parametrize("rpc", sorted(rpc for rpc, rule in RULES.items() if rule.few is not None))
def test_of_calls_that_take_much_one_token_has_a_few_at_once_and_another_has_its_own(house: House, rpc: str) -> None:
    few = RULES[rpc].few
    assert few is not None

    async def ask() -> tuple[Any, bool]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{house.addresses[0].port}") as channel:
            calls = [begin(channel, house, rpc, "crm") for _ in range(few.of_one + 1)]
            ended = [asyncio.ensure_future(call.code()) for call in calls]
            over, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=SOON_S)
            other = begin(channel, house, rpc, "shop")
            await other.done_writing()
            codes = [one.result() for one in over], await other.code()
            for call in calls:
                call.cancel()
            await asyncio.wait(ended)
            return codes

    codes, others = house.run(ask)
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED], "one too many is told at once, and the others go on"
    assert others is grpc.StatusCode.INVALID_ARGUMENT, "it was let in, and said nothing"


def test_one_token_cant_take_every_place(house: House) -> None:
    async def ask() -> tuple[Any, Any]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{house.addresses[0].port}") as channel:
            calls = [begin(channel, house, "OrdersService/ListOrders", "crm") for _ in range(501)]
            ended = [asyncio.ensure_future(call.code()) for call in calls]
            over, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=SOON_S)
            other = begin(channel, house, "OrdersService/ListOrders", "shop")
            await other.done_writing()
            codes = {one.result() for one in over}, await other.code()
            for call in calls:
                call.cancel()
            await asyncio.wait(ended)
            return codes

    codes, others = house.run(ask)
    assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert others is grpc.StatusCode.INVALID_ARGUMENT


def test_by_rest_one_token_leaves_places_to_others(house: House) -> None:
    with contextlib.ExitStack() as waiting:
        connections = [waiting.enter_context(half_a_request(house, "POST", "/v1/orders", "crm")) for _ in range(101)]
        refused = first_answered(connections)
        with half_a_request(house, "POST", "/v1/orders", "shop") as other:
            other.sendall(b"x" * 1000)
            others = answer_of(other)

    assert refused == (429, "TOO_MANY_CALLS")
    assert others == (400, "INVALID_INPUT")


def first_answered(connections: list[socket.socket]) -> tuple[int, str]:
    readable, _, _ = select.select(connections, [], [], SOON_S)
    assert readable, "none was refused"
    return answer_of(readable[0])


def test_each_request_of_a_connection_is_asked_anew(house: House) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{house.addresses[-1].port}", timeout=30, trust_env=False) as web:

        def ask(name: str | None) -> int:
            headers = {} if name is None else {"authorization": f"Bearer {house.secrets[name]}"}
            return web.get("/rosreestr-users", headers=headers).status_code

        said = [ask(name) for name in ("ivan", None, "crm", "ivan", None)]
        (connection,) = map(str, web._transport._pool.connections)  # type: ignore[attr-defined]

    assert said == [200, 401, 403, 200, 401]
    assert "Request Count: 5" in connection, "all by one connection"
