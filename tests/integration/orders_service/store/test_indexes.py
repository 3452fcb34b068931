"""Each index stands for a question that somebody asks; without it the whole table would be read."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.store.queries import load
from tests.integration.orders_service.store.test_old_statements import SELECT_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.postgres import Database, PostgresServer

#: A year of orders of ten accounts: most are over, a few failed, some wait.
FILL = """
insert into rosreestr_users (username) select 'a' || n from generate_series(1, 10) n;
insert into orders (cad_num, idempotency_key, state, error, rosreestr_user_id, created_at, updated_at, finished_at,
                    relayed_at)
select '77:01:0001001:' || n, 'k' || n,
    (case when n % 500 = 0 then 'failed' when n % 100 = 1 then 'queued' else 'cancelled' end)::order_state,
    case when n % 500 = 0 then 'нет' end,
    case when n % 100 <> 1 then 1 + n % 10 end,
    timestamptz '2025-06-01' + n * interval '1 year' / 20000, timestamptz '2026-06-01',
    case when n % 100 <> 1 then timestamptz '2026-06-01' end, now()
from generate_series(1, 20000) n;
analyze orders;
"""


class Filters(dict[str, Any]):
    """What isn't given is no filter."""

    def __missing__(self, name: str) -> None:
        return None


@pytest.fixture(scope="module")
def year(postgres_server: PostgresServer, template_database: Database) -> Iterator[psycopg.Connection]:
    """A database with a year of orders; nobody changes it."""
    database = postgres_server.create_database("rosq_test_indexes", template_database.name)
    try:
        with database.connect() as connection:
            connection.execute(FILL)
            yield connection
    finally:
        postgres_server.drop_database(database.name)


def plan(connection: psycopg.Connection, statement: str, values: dict[str, Any]) -> str:
    """How the server would go about it."""
    rows = connection.execute(f"explain {statement}".encode(), values).fetchall()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"created_from": dt.datetime(2026, 5, 31, tzinfo=dt.UTC)}, "orders_by_creation"),
        ({"account_id": 3, "states": ["failed"]}, "orders_"),
        ({"account_id": 3}, "orders_"),
        ({"cad_key": "77:1:1001:7"}, "orders_by_cad_key"),
        ({"only_on_hold": True}, "orders_on_hold"),
    ],
)
def test_a_list_with_a_filter_reads_what_fits_it(year: psycopg.Connection, filters: dict[str, Any], index: str) -> None:
    found = plan(year, load("search")["list_ids"], Filters({"only_on_hold": False, "limit": 51} | filters))

    assert index in found
    assert "Seq Scan" not in found
    if "states" in filters:
        assert "orders_pkey" not in found, f"it would walk through all orders for one that isn't there:\n{found}"


@pytest.mark.parametrize("days", [1, 30])
def test_counting_reads_the_orders_of_its_span(year: psycopg.Connection, days: int) -> None:
    end = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    span = {"created_from": end - dt.timedelta(days=days), "created_before": end, "time_zone": "Europe/Moscow"}

    found = plan(year, load("statistics")["count_orders"], Filters(span))

    assert "orders_by_creation" in found
    assert "Seq Scan on orders" not in found


def test_the_old_statement_of_what_failed_reads_what_failed(year: psycopg.Connection) -> None:
    assert "orders_failed" in plan(year, SELECT_FAILED.replace("%", "%%"), {})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sends", "submission_id"),
        ("facts", "send_id"),
        ("orders", "extract_id"),
        ("order_extracts", "extract_id"),
    ],
)
def test_what_refers_to_a_row_is_found_when_that_row_goes(year: psycopg.Connection, table: str, column: str) -> None:
    with year.transaction(force_rollback=True):
        year.execute("set local enable_seqscan = off")
        statement = f"select 1 from {table} where {column} = %(value)s"
        value = "00000000-0000-0000-0000-000000000001" if column == "send_id" else 1

        assert "Seq Scan" not in plan(year, statement, {"value": value})
