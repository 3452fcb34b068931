"""Orders to measure with: as a client sends them, and as rows that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from benchmarks.service.stack import Database

COLUMNS = ("cad_num", "recipient", "comment", "is_urgent", "idempotency_key", "request_hash")
_HASH = "0" * 64


def cad_num(number: int) -> str:
    """The number of an object that no other has."""
    return f"77:01:{number // 100_000_000 + 1:07}:{number % 100_000_000 + 1}"


def filled_cad_num(number: int) -> str:
    """That of the object of an order that `fill` stored."""
    return f"77:01:{number // 100_000 + 1:07}:{number % 100_000 + 1}"


def wanted(start: int, count: int) -> Iterator[orders_pb2.NewOrder]:
    """So many orders of objects of their own, with key, recipient and comment."""
    for number in range(start, start + count):
        yield orders_pb2.NewOrder(
            cad_num=cad_num(number),
            idempotency_key=f"benchmark-{number}",
            recipient=f"Recipient {number}",
            comment="An order of the benchmark",
        )


def rows(start: int, count: int) -> Iterator[tuple[object, ...]]:
    """The same as values of `COLUMNS`."""
    for number in range(start, start + count):
        yield (
            cad_num(number),
            f"Recipient {number}",
            "An order of the benchmark",
            False,
            f"benchmark-{number}",
            _HASH,
        )


def copy_in(connection: psycopg.Connection[Any], start: int, count: int) -> None:
    """Store so many by COPY."""
    statement = f"copy orders ({', '.join(COLUMNS)}) from stdin"
    with connection.cursor().copy(statement.encode()) as copy:
        for row in rows(start, count):
            copy.write_row(row)


def fill(database: Database, count: int) -> None:
    """Store so many orders of a year in every state, of twenty accounts and three clients.

    The journal of what was sent isn't made: lists and searches don't look at it.
    """
    with database.connect() as connection:
        connection.execute(
            "insert into rosreestr_users (username) select 'account_' || one from generate_series(1, 20) one"
        )
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "insert into orders (client, cad_num, idempotency_key, state, error, rosreestr_user_id, bound_at, "
            "person_oid, rosreestr_order_num, registered_at, finished_at, relayed_at, next_at, created_at) "
            "select (array['alpha', 'beta', 'gamma'])[1 + one %% 3], "
            "'77:01:' || lpad((one / 100000 + 1)::text, 7, '0') || ':' || (one %% 100000 + 1), 'fill-' || one, "
            "(case when one %% 100 < 90 then 'registered' when one %% 100 < 95 then 'failed' else 'queued' end)"
            "::order_state, "
            "case when one %% 100 between 90 and 94 then 'an error' end, "
            "case when one %% 100 < 95 then 1 + one / 100 %% 20 end, case when one %% 100 < 95 then now() end, "
            "case when one %% 100 < 95 then (1 + one / 100 %% 20)::text end, "
            "case when one %% 100 < 90 then '80-' || one end, case when one %% 100 < 90 then now() end, "
            "case when one %% 100 between 90 and 94 then now() end, now(), now() + interval '1 day', "
            "now() - interval '365 days' * (1 - one / %(count)s::float) "
            "from generate_series(1, %(count)s) one",
            {"count": count},
        )
        connection.execute("reset session_replication_role")
    database.analyze()
