"""Access tokens: what lets in, what doesn't any more, and what is said of it."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from orders_service import errors
from orders_service.access import tokens
from orders_service.access.book import KEPT_S, TokenBook
from orders_service.access.callers import Role
from orders_service.channel.settings import ChannelSettings
from orders_service.v1 import orders_pb2, orders_pb2_grpc
from tests.integration.orders_service.access.house import House, opened_house

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orders_service.store.db import Database
    from tests import postgres

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def house(fresh_database: postgres.Database) -> Iterator[House]:
    with opened_house(fresh_database) as house:
        yield house


def refusal(channel: grpc.Channel) -> tuple[grpc.StatusCode, str, str]:
    """How a call is refused: code, reason, sentence."""
    with pytest.raises(grpc.RpcError) as caught:
        orders_pb2_grpc.OrdersServiceStub(channel).ListOrders(orders_pb2.ListOrdersRequest(), timeout=30)
    error: Any = caught.value
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details)
    return error.code(), info.reason, error.details()


def is_let_in(channel: grpc.Channel) -> bool:
    orders_pb2_grpc.OrdersServiceStub(channel).ListOrders(orders_pb2.ListOrdersRequest(), timeout=30)
    return True


def test_a_service_without_tokens_on_loopback_asks_nobody_until_the_first_is_made(
    fresh_database: postgres.Database,
) -> None:
    now = [0.0]
    with opened_house(fresh_database, clock=lambda: now[0]) as house:
        assert is_let_in(house.channel())

        house.add_token("ivan", Role.OPERATOR)
        now[0] += KEPT_S

        code, reason, sentence = refusal(house.channel())
        assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "NO_TOKEN")
        assert "orders-service tokens add" in sentence
        assert "ORDERS_SERVICE_TOKEN" in sentence
        assert is_let_in(house.channel("ivan"))


def test_a_token_that_isnt_known_over_or_revoked_lets_nobody_in(house: House) -> None:
    house.add_token("ivan", Role.OPERATOR)
    over = house.add_token("over", Role.OPERATOR, ends_at=dt.datetime.now(dt.UTC) - MINUTE)
    revoked = house.add_token("revoked", Role.OPERATOR)
    house.run(lambda: tokens.revoke_token(house.db, "revoked", revoked_by="test"))
    cases = {
        "ost_" + "x" * 43: "TOKEN_UNKNOWN",
        "rubbish": "TOKEN_UNKNOWN",
        over: "TOKEN_ENDED",
        revoked: "TOKEN_REVOKED",
    }

    for secret, expected in cases.items():
        code, reason, sentence = refusal(house.channel(settings=ChannelSettings(token=secret)))
        assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, expected)
        assert secret not in sentence


def test_what_isnt_sent_as_bearer_is_no_token_rather_than_none(fresh_database: postgres.Database) -> None:
    with opened_house(fresh_database) as house:
        stub = orders_pb2_grpc.OrdersServiceStub(house.channel())
        for header in ("Basic aXZhbjppdmFu", "ost_without_scheme_at_all", "Bearer"):
            with pytest.raises(grpc.RpcError) as caught:
                stub.ListOrders(orders_pb2.ListOrdersRequest(), timeout=30, metadata=(("authorization", header),))
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, header


def test_a_revoked_token_is_taken_for_a_few_seconds_at_most(fresh_database: postgres.Database) -> None:
    now = [0.0]
    with opened_house(fresh_database, clock=lambda: now[0]) as house:
        house.add_token("ivan", Role.OPERATOR)
        channel = house.channel("ivan")
        assert is_let_in(channel)
        house.run(lambda: tokens.revoke_token(house.db, "ivan", revoked_by="test"))

        now[0] += KEPT_S

        assert refusal(channel)[1] == "TOKEN_REVOKED"


def test_a_service_stays_closed_when_its_last_token_is_revoked(fresh_database: postgres.Database) -> None:
    now = [0.0]
    with opened_house(fresh_database, clock=lambda: now[0]) as house:
        house.add_token("ivan", Role.OPERATOR)
        house.run(lambda: tokens.revoke_token(house.db, "ivan", revoked_by="test"))
        now[0] += KEPT_S

        assert refusal(house.channel())[1] == "NO_TOKEN"


def test_health_asks_nobody_and_reflection_asks_for_any_token(house: House) -> None:
    house.add_token("auditor", Role.VIEWER)
    health = health_pb2_grpc.HealthStub(house.channel())

    assert health.Check(health_pb2.HealthCheckRequest(), timeout=30)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as caught:
        list(
            reflection_pb2_grpc.ServerReflectionStub(house.channel()).ServerReflectionInfo(iter([request]), timeout=30)
        )
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    stub = reflection_pb2_grpc.ServerReflectionStub(house.channel("auditor"))
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=30)
    assert "orders_service.v1.OrdersService" in {one.name for one in answer.list_services_response.service}


def test_nothing_that_is_stored_lets_anybody_in(house: House) -> None:
    secret = house.add_token("ivan", Role.OPERATOR)

    stored = house.rows("select t::text from tokens t union all select a::text from audit a")

    assert stored
    assert not [row for (row,) in stored if secret in row or secret.removeprefix("ost_") in row]


def test_a_name_is_in_use_once_and_free_again_when_its_token_was_revoked(house: House) -> None:
    house.add_token("ivan", Role.OPERATOR)
    with pytest.raises(errors.AlreadyExists, match="There is a token ivan already"):
        house.add_token("ivan", Role.VIEWER)

    house.run(lambda: tokens.revoke_token(house.db, "ivan", revoked_by="test"))
    house.add_token("ivan", Role.VIEWER)

    listed = house.run(lambda: tokens.list_tokens(house.db, with_past=True))
    assert [(token.role, token.revoked_at is None) for token in listed] == [(Role.OPERATOR, False), (Role.VIEWER, True)]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": "a b", "role": Role.OPERATOR}, "name"),
        ({"name": "", "role": Role.OPERATOR}, "name"),
        ({"name": "a", "role": Role.CLIENT}, "client"),
        ({"name": "a", "role": Role.WORKER}, "account"),
        ({"name": "a", "role": Role.OPERATOR, "client": "crm"}, "client"),
        ({"name": "a", "role": Role.CLIENT, "client": "crm", "account": "b"}, "account"),
        ({"name": "a", "role": Role.CLIENT, "client": ""}, "client"),
    ],
)
def test_a_token_that_breaks_a_rule_isnt_made(house: House, wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        house.add_token(**wanted)

    assert [violation.field for violation in caught.value.violations] == [field]
    assert house.rows("select count(*) from tokens") == [(0,)]


def test_who_used_a_token_last_is_noted_once_a_minute(
    fresh_database: postgres.Database, run: Callable[[Any], Any]
) -> None:
    now = [0.0]
    used: list[str | None] = []

    async def work(database: Database) -> None:
        book = TokenBook(database, is_required=True, clock=lambda: now[0])
        wanted = tokens.NewToken(name="ivan", role=Role.OPERATOR, created_by="test")
        _, secret = await tokens.add_token(database, wanted)
        for step_s in (0.0, KEPT_S, 20.0, 60.0):
            now[0] += step_s
            caller = await book.find_caller(secret, f"peer {len(used)}")
            assert caller.actor == "operator:ivan"
            (token,) = await tokens.list_tokens(database)
            used.append(token.last_used_from)

    run(work)

    assert used == ["peer 0", "peer 0", "peer 0", "peer 3"]


def test_many_calls_at_once_look_a_token_up_once(fresh_database: postgres.Database, run: Callable[[Any], Any]) -> None:
    async def work(database: Database) -> int:
        book = TokenBook(database, is_required=True)
        _, secret = await tokens.add_token(
            database, tokens.NewToken(name="ivan", role=Role.OPERATOR, created_by="test")
        )
        looked_up = 0
        look_up = book._look_up

        async def counted(*args: Any, **more: Any) -> Any:
            nonlocal looked_up
            looked_up += 1
            return await look_up(*args, **more)

        book._look_up = counted  # type: ignore[method-assign]
        await asyncio.gather(*(book.find_caller(secret, "peer") for _ in range(50)))
        return looked_up

    assert run(work) == 1
