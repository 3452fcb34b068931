"""The rows of the audit that come later: each once, and none stands in another's way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.access import audit, scribe
from orders_service.access.callers import Caller, Role
from orders_service.access.scribe import Scribe
from orders_service.api.auth.gatekeeper import Gatekeeper
from orders_service.v1 import operator_pb2, orders_pb2
from tests.integration.orders_service.access.between import Between

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orders_service.store.db import Database

    Run = Callable[[Callable[[Database], Awaitable[Any]]], Any]

IVAN = Caller(role=Role.OPERATOR, name="ivan")


def done(action: str = "OrdersService/CreateOrder") -> audit.Done:
    return audit.Done(deed=audit.Deed(caller=IVAN, action=action, origin="10.0.0.1"), outcome=audit.OK)


async def rows(database: Database) -> list[tuple[str, str, str | None]]:
    """Step, action and outcome of every row, as they were written."""
    async with database.transaction() as connection:
        cursor = await connection.execute("select step, action, outcome from audit order by id")
        return [(row["step"], row["action"], row["outcome"]) for row in await cursor.fetchall()]


@pytest.mark.parametrize("way", ["one by one", "many at once"])
def test_a_row_whose_commit_nobody_saw_end_is_written_again_and_is_there_once(run: Run, way: str) -> None:
    async def work(whole: Database) -> list[Any]:
        database = Between(whole)
        scribe_, told = Scribe(database), done()
        database.silent = 1
        if way == "one by one":
            with pytest.raises(errors.DatabaseUnavailable):
                await audit.end(database, told)
            scribe_.take(told)
        else:
            scribe_.take(told)
            with pytest.raises(errors.DatabaseUnavailable):
                await scribe_.write_all()
        scribe_.take(done("Another/Call"))
        await scribe_.write_all()
        return await rows(whole)

    assert run(work) == [("done", "OrdersService/CreateOrder", "OK"), ("done", "Another/Call", "OK")]


def test_what_comes_while_others_are_written_isnt_taken_for_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many come that the oldest are given up: those that wait, not those that are being written."""
    monkeypatch.setattr(scribe, "_MAX_KEPT", 3)

    async def work(whole: Database) -> list[str]:
        database = Between(whole)
        taker = Scribe(database)
        for number in range(3):
            taker.take(done(f"First/{number}"))
        database.held = 1
        writing = asyncio.create_task(taker.write_all())
        await database.is_waited.wait()
        for number in range(5):
            taker.take(done(f"Second/{number}"))
        database.free.set()
        await writing
        await taker.write_all()
        return [action for _, action, _ in await rows(whole)]

    assert run(work) == ["First/0", "First/1", "First/2", "Second/2", "Second/3", "Second/4"]


def test_a_row_that_the_database_doesnt_take_keeps_no_other(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def work(whole: Database) -> list[str]:
        taker = Scribe(whole)
        for action in ("Good/1", "Bad\0", "Good/2"):
            taker.take(done(action))
        await taker.write_all()
        return [action for _, action, _ in await rows(whole)]

    assert run(work) == ["Good/1", "Good/2"]
    assert [record.event for record in caplog.records if hasattr(record, "event")] == ["audit_lost"]


def test_two_that_write_at_once_write_each_row_once(run: Run) -> None:
    async def work(whole: Database) -> int:
        taker = Scribe(whole)
        for number in range(1200):
            taker.take(done(f"Call/{number}"))
        await asyncio.gather(*(taker.write_all() for _ in range(3)))
        return len(await rows(whole))

    assert run(work) == 1200


def test_what_was_not_begun_since_the_audits_commit_is_unknown_is_told_as_not_done(run: Run) -> None:
    """Else its first row stood alone for ever, which says that nobody knows how it ended."""

    async def work(whole: Database) -> list[Any]:
        database = Between(whole)
        gatekeeper = Gatekeeper(database, is_token_required=False)
        request = operator_pb2.GiveUpOrderRequest(basis=operator_pb2.DecisionBasis(order_id=7, case_no=1))
        database.silent = 1
        with pytest.raises(errors.DatabaseUnavailable):
            async with gatekeeper.passing("OperatorService/GiveUpOrder", IVAN, "ipv4:10.0.0.1:1", request):
                raise AssertionError("it must not begin")
        await gatekeeper.finish()
        return await rows(whole)

    (asked, ended) = run(work)
    assert asked == ("asked", "OperatorService/GiveUpOrder", None)
    assert ended == ("done", "OperatorService/GiveUpOrder", "OUTCOME_UNKNOWN")


def test_what_was_done_is_told_as_done_though_the_caller_left_while_it_was_written_down(run: Run) -> None:
    async def work(whole: Database) -> list[Any]:
        database = Between(whole)
        gatekeeper = Gatekeeper(database, is_token_required=False)

        async def give_up() -> None:
            request = operator_pb2.GiveUpOrderRequest(basis=operator_pb2.DecisionBasis(order_id=7, case_no=1))
            async with gatekeeper.passing("OperatorService/GiveUpOrder", IVAN, "ipv4:10.0.0.1:1", request):
                database.held = 1

        call = asyncio.create_task(give_up())
        await database.is_waited.wait()
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        await gatekeeper.finish()
        return await rows(whole)

    assert run(work)[1] == ("done", "OperatorService/GiveUpOrder", "OK")


def test_the_last_rows_are_written_when_the_calls_that_were_broken_off_have_ended(run: Run) -> None:
    async def work(whole: Database) -> list[Any]:
        gatekeeper = Gatekeeper(whole, is_token_required=False)
        is_under_way, may_end = asyncio.Event(), asyncio.Event()

        async def create() -> None:
            request = orders_pb2.CreateOrderRequest()
            async with gatekeeper.passing("OrdersService/CreateOrder", IVAN, "ipv4:10.0.0.1:1", request):
                is_under_way.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await may_end.wait()

        call = asyncio.create_task(create())
        await is_under_way.wait()
        call.cancel()
        asyncio.get_running_loop().call_later(0.2, may_end.set)
        await gatekeeper.finish()
        return await rows(whole)

    assert run(work) == [("done", "OrdersService/CreateOrder", "CANCELLED")]
