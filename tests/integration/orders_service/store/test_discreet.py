"""No error of the database carries the data that it is about."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.store.db import Database

CANARY = "Иванов 4509 773177"
STATEMENTS = {
    "check": "insert into orders (cad_num, recipient) values ('rubbish', %(canary)s)",
    "not null": "insert into orders (cad_num, recipient) values (null, %(canary)s)",
    "unique": (
        "insert into orders (cad_num, client, idempotency_key) select '77:01:0001001:1001', 'c', %(canary)s"
        " from generate_series(1, 2)"
    ),
    "foreign key": (
        "insert into order_events (order_id, actor, kind, reason) values (999, 'client', 'note', %(canary)s)"
    ),
    "syntax of a value": "select %(canary)s::text::integer",
    "syntax of json": "select %(canary)s::text::jsonb",
    "date": "select %(canary)s::text::timestamptz",
    "raised by a function": "delete from audit",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_an_error_says_what_is_wrong_and_not_with_whom(run: Callable[[Any], Any], statement: str) -> None:
    async def work(database: Database) -> None:
        async with database.transaction() as connection:
            if "audit" in statement:
                await connection.execute(
                    "insert into audit (call_id, step, actor, origin, action)"
                    " values (gen_random_uuid(), 'asked', %s, '', '')",
                    (CANARY,),
                )
            await connection.execute(statement, {"canary": CANARY})

    # What the database's user may not do is told as that.
    with pytest.raises((psycopg.Error, errors.RightMissing)) as caught:
        run(work)

    told = "".join(traceback.format_exception(caught.value))
    assert "4509" not in told
    assert "Иванов" not in told
    assert str(caught.value)


def test_several_rows_at_once_are_told_as_discreetly(
    run: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def work(database: Database) -> None:
        async with database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany("insert into orders (cad_num, recipient) values ('rubbish', %s)", [(CANARY,)] * 2)

    try:
        run(work)
    except psycopg.Error as error:
        logging.getLogger(__name__).error("as the service logs it", exc_info=error)

    assert "orders_cad_num_check" in caplog.text
    assert "4509" not in caplog.text


def test_what_isnt_about_data_is_told_in_full(run: Callable[[Any], Any]) -> None:
    async def work(database: Database) -> None:
        async with database.transaction() as connection:
            await connection.execute("selekt 1")

    with pytest.raises(psycopg.errors.SyntaxError, match="LINE 1: selekt 1"):
        run(work)
