"""The database goes away while an order is being committed: nobody knows, and nobody says he does."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from orders_service.v1 import orders_pb2
from tests.integration.orders_service.commands.test_commands import database, service, shared
from tests.integration.orders_service.serving import error_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.orders_service.serving import Service
    from tests.postgres import Database

__all__ = ["database", "service", "shared"]

LOCK = 4711
SLOW_COMMIT = f"""
create function wait_at_commit() returns trigger language plpgsql as $$
begin perform pg_advisory_xact_lock({LOCK}); return null; end $$;
create constraint trigger slow_commit after insert on orders deferrable initially deferred
    for each row execute function wait_at_commit();
"""


@contextlib.contextmanager
def commits_that_break_off(database: Database) -> Iterator[ThreadPoolExecutor]:
    """Each commit of an order waits, and `break_off` ends the session that does; the block gets helping hands."""
    with database.connect() as connection, ThreadPoolExecutor() as hands:
        connection.execute(SLOW_COMMIT.encode())
        connection.execute(f"select pg_advisory_lock({LOCK})".encode())
        try:
            yield hands
        finally:
            connection.execute(f"select pg_advisory_unlock({LOCK})".encode())
            connection.execute(b"drop function wait_at_commit cascade")


def break_off(database: Database) -> None:
    """Wait until a session is in its commit, and end it."""
    waiting = "select pid from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    with database.connect() as connection:
        row = wait_until(lambda: connection.execute(waiting, (LOCK,)).fetchone(), "a commit to wait", 30)
        connection.execute("select pg_terminate_backend(%s)", (row[0],))


def orders_of(database: Database, cad_num: str) -> int:
    with database.connect() as connection:
        row = connection.execute("select count(*) from orders where cad_num = %s", (cad_num,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_commit_whose_end_nobody_saw_is_told_as_that_and_its_repeat_makes_one_order(
    service: Service, database: Database
) -> None:
    cad_num = "77:01:0001001:81"
    order = orders_pb2.NewOrder(cad_num=cad_num, idempotency_key="unknown outcome")
    request = orders_pb2.CreateOrderRequest(order=order)

    with commits_that_break_off(database) as hands:
        asked = hands.submit(error_of, service.orders.CreateOrder, request)
        break_off(database)
        error = asked.result(30)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    status = rpc_status.from_call(error)
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert any(detail.Unpack(retry) for detail in status.details)
    assert info.reason == "OUTCOME_UNKNOWN"
    assert "it isn't known whether what was asked for is done" in (error.details() or "")
    first, again = (service.orders.CreateOrder(request, timeout=20) for _ in range(2))
    assert (again.order.order_id, again.is_existing) == (first.order.order_id, True)
    assert orders_of(database, cad_num) == 1


def test_the_shell_says_that_the_order_may_be_accepted_and_the_same_command_makes_one(
    service: Service, database: Database
) -> None:
    cad_num = "77:01:0001001:82"
    command = ("orders", "submit", "--cad-num", cad_num)

    with commits_that_break_off(database) as hands:
        asked = hands.submit(service.cli, *command)
        break_off(database)
        lost = asked.result(60)

    assert lost.returncode == 3
    assert "The order may be accepted: run the SAME command again, it orders nothing twice." in lost.stderr
    assert [service.cli(*command).returncode for _ in range(2)] == [0, 0]
    assert orders_of(database, cad_num) == 1
