"""The embedded PostgreSQL: what it keeps, and that nothing of it stays."""

from __future__ import annotations

import psutil
import psycopg
import pytest

from tests.postgres import apply_schema
from tests.waiting import wait_until


def test_a_fresh_database_has_the_schema_and_no_rows(fresh_database):
    with fresh_database.connect() as connection:
        tables = {row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")}
        assert {"orders", "order_events", "rosreestr_users"} <= tables
        assert connection.execute("select count(*) from orders").fetchone() == (0,)
        connection.execute("insert into rosreestr_users (username) values ('left_by_this_test')")


def test_a_fresh_database_shows_nothing_of_another_test(fresh_database):
    with fresh_database.connect() as connection:
        assert connection.execute("select count(*) from rosreestr_users").fetchone() == (0,)


def test_what_was_acknowledged_survives_a_sigkill(own_postgres):
    database = own_postgres.create_database("kept")
    apply_schema(database)
    with database.connect() as connection:
        connection.execute("insert into rosreestr_users (username) values ('a')")

    own_postgres.kill()
    own_postgres.start()

    with database.connect() as connection:
        assert connection.execute("select username from rosreestr_users").fetchall() == [("a",)]


def test_every_setting_that_durability_rests_on_is_on(own_postgres):
    with own_postgres.database("postgres").connect() as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert connection.execute(f"show {name}").fetchone() == ("on",)


def test_stopping_ends_open_sessions_and_leaves_no_process(own_postgres):
    processes = [psutil.Process(own_postgres.pid), *psutil.Process(own_postgres.pid).children()]
    connection = own_postgres.database("postgres").connect()

    own_postgres.stop()

    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    connection.close()
    wait_until(lambda: not any(process.is_running() for process in processes), "all of its processes are gone")
