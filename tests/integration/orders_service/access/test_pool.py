"""What is asked and written about a call takes of the pool what the call may: no masses hold up a worker."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.access import tokens
from orders_service.access.book import KEPT_S, TokenBook
from orders_service.access.callers import Caller, Role
from orders_service.api.auth.gatekeeper import Gatekeeper
from orders_service.settings import DatabaseSettings
from orders_service.store.db import Database
from orders_service.v1 import operator_pb2, orders_pb2, worker_pb2
from tests.integration.orders_service.access.between import Between

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.postgres import Database as TestDatabase

CRM = Caller(role=Role.CLIENT, name="crm", token_id=1, client="crm")
IVAN = Caller(role=Role.OPERATOR, name="ivan")
WORKER = Caller(role=Role.WORKER, name="worker-1", account="account_1")
#: What is asked before the call, and what is written before it.
OF_PEOPLE = {
    "whose orders": (CRM, "OrdersService/GetOrder", orders_pb2.GetOrderRequest(order_id=1)),
    "the audit": (
        IVAN,
        "OperatorService/GiveUpOrder",
        operator_pb2.GiveUpOrderRequest(basis=operator_pb2.DecisionBasis(order_id=1, case_no=1)),
    ),
}


def opened(database: TestDatabase, work: Callable[[Database], Awaitable[Any]]) -> Any:
    small = dataclasses.replace(DatabaseSettings.from_env(database.env()), pool_size=3, acquire_timeout_s=0.3)

    async def open_and_work() -> Any:
        whole = Database(small)
        await whole.open()
        try:
            return await work(whole)
        finally:
            await whole.close()

    return asyncio.run(open_and_work())


@pytest.mark.parametrize("what", OF_PEOPLE)
def test_calls_of_people_wait_for_their_share_and_a_workers_pass(fresh_database: TestDatabase, what: str) -> None:
    caller, rpc, request = OF_PEOPLE[what]

    async def work(whole: Database) -> str:
        gatekeeper = Gatekeeper(whole, is_token_required=False)
        # Bulk calls have all of the share, and go on having it.
        async with gatekeeper.share.transaction():
            with pytest.raises(errors.DatabaseUnavailable, match="Too many calls wait"):
                async with gatekeeper.passing(rpc, caller, "ipv4:10.0.0.1:1", request):
                    raise AssertionError("it took a connection that is a worker's")
            opening = worker_pb2.OpenAccountRequest(account="account_1", opened_by="test")
            async with gatekeeper.passing("WorkerService/OpenAccount", WORKER, "ipv4:10.0.0.2:1", opening):
                return "passed"

    assert opened(fresh_database, work) == "passed"


def test_whoever_tries_tokens_out_delays_none_that_was_known(fresh_database: TestDatabase) -> None:
    now = [0.0]

    async def work(whole: Database) -> str:
        wanted = tokens.NewToken(name="crm", role=Role.CLIENT, client="crm", created_by="test")
        _, secret = await tokens.add_token(whole, wanted)
        database = Between(whole)
        book = TokenBook(database, is_required=True, clock=lambda: now[0])
        await book.find_caller(secret, "10.0.0.1")
        now[0] += KEPT_S
        # As many as may be looked up at a time, and as slow as a database under load makes them.
        database.held = 2
        guesses = [asyncio.create_task(book.find_caller(f"ost_{n:043}", "10.6.6.6")) for n in range(20)]
        await database.is_waited.wait()
        caller = await asyncio.wait_for(book.find_caller(secret, "10.0.0.1"), 10)
        database.free.set()
        ended = await asyncio.gather(*guesses, return_exceptions=True)
        assert all(isinstance(one, errors.Unauthenticated) for one in ended)
        return caller.name

    assert opened(fresh_database, work) == "crm"


def test_a_machine_that_tries_many_tokens_at_once_is_told_to_come_again(fresh_database: TestDatabase) -> None:
    """So whoever comes from another one with a token of its own waits for a hundred at most."""

    async def work(whole: Database) -> tuple[set[type], str]:
        wanted = tokens.NewToken(name="crm", role=Role.CLIENT, client="crm", created_by="test")
        _, secret = await tokens.add_token(whole, wanted)
        database = Between(whole)
        book = TokenBook(database, is_required=True)
        database.held = 2
        guesses = [asyncio.create_task(book.find_caller(f"ost_{n:043}", "10.6.6.6")) for n in range(150)]
        await database.is_waited.wait()
        known = asyncio.create_task(book.find_caller(secret, "10.0.0.1"))
        database.free.set()
        ended = await asyncio.gather(*guesses, return_exceptions=True)
        return {type(one) for one in ended}, (await known).name

    assert opened(fresh_database, work) == ({errors.Unauthenticated, errors.TooManyCalls}, "crm")
