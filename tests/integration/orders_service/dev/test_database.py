"""The stack takes a database that is its own or empty, and never one that may hold real orders."""

from __future__ import annotations

import asyncio

import pytest

from orders_service.dev import database, errors
from orders_service.settings import DatabaseSettings
from tests.postgres import SQL_DIR


def prepare(target):
    asyncio.run(database.prepare(DatabaseSettings.from_env(target.env()), SQL_DIR))


def test_a_missing_database_is_made_and_migrated_and_can_be_used_again(postgres_server):
    target = postgres_server.database("rosq_dev_test")
    try:
        prepare(target)
        with target.connect() as connection:
            connection.execute("insert into rosreestr_users (username) values ('a')")
        prepare(target)
        with target.connect() as connection:
            assert connection.execute("select username from rosreestr_users").fetchall() == [("a",)]
    finally:
        postgres_server.drop_database(target.name)


def test_an_empty_database_is_taken(empty_database):
    prepare(empty_database)
    prepare(empty_database)


def test_a_database_with_tables_of_others_is_refused_and_left_as_it_was(fresh_database):
    with fresh_database.connect() as connection:
        connection.execute("insert into rosreestr_users (username) values ('real')")

    with pytest.raises(errors.DevError, match=f"The database '{fresh_database.name}' .* perhaps real orders"):
        prepare(fresh_database)

    with fresh_database.connect() as connection:
        assert connection.execute("select username from rosreestr_users").fetchall() == [("real",)]
        row = connection.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
        ).fetchone()
        assert row == (None,)
