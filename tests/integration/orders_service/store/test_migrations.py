"""Bringing the schema up to date."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from orders_service import errors
from orders_service.settings import DatabaseSettings
from orders_service.store import db, migrations

if TYPE_CHECKING:
    from pathlib import Path

    from orders_service.store.migrations import Plan
    from tests.postgres import Database, PostgresServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("create table first (id integer);\ninsert into first values (1);\n")
    (tmp_path / "0002_second.sql").write_text("create table second (id integer);\n")
    return tmp_path


def migrate(database: Database, folder: Path, *, is_dry_run: bool = False) -> Plan:
    settings = DatabaseSettings.from_env(database.env())
    return asyncio.run(migrations.migrate(settings, migrations.read_folder(folder), is_dry_run=is_dry_run))


def tables(database: Database) -> set[str]:
    with database.connect() as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


def pending(plan: Plan) -> list[str]:
    return [one.name for one in plan.pending]


def test_files_are_applied_once_in_order_and_noted(empty_database: Database, folder: Path) -> None:
    assert pending(migrate(empty_database, folder)) == ["0001_first.sql", "0002_second.sql"]
    (folder / "0003_third.sql").write_text("alter table second add column name text;\n")

    assert pending(migrate(empty_database, folder)) == ["0003_third.sql"]
    assert pending(migrate(empty_database, folder)) == []
    assert tables(empty_database) == {"first", "second", "schema_migrations"}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(empty_database: Database, folder: Path) -> None:
    assert pending(migrate(empty_database, folder, is_dry_run=True)) == ["0001_first.sql", "0002_second.sql"]
    assert tables(empty_database) == set()


def test_a_changed_applied_file_is_refused_by_name_and_nothing_else_is_applied(
    empty_database: Database, folder: Path
) -> None:
    migrate(empty_database, folder)
    (folder / "0001_first.sql").write_text("create table first (id bigint);\n")
    (folder / "0003_third.sql").write_text("create table third (id integer);\n")

    with pytest.raises(errors.MigrationChanged, match=r"0001_first\.sql was changed after being applied"):
        migrate(empty_database, folder)

    assert "third" not in tables(empty_database)


def test_other_line_ends_are_the_same_file(empty_database: Database, folder: Path) -> None:
    migrate(empty_database, folder)
    text = (folder / "0001_first.sql").read_bytes()
    (folder / "0001_first.sql").write_bytes(text.replace(b"\n", b"\r\n"))

    assert pending(migrate(empty_database, folder)) == []


def test_a_file_that_fails_leaves_nothing_of_itself_and_what_came_before(
    empty_database: Database, folder: Path
) -> None:
    (folder / "0002_second.sql").write_text("create table second (id integer);\nselect 1 / 0;\n")

    with pytest.raises(errors.MigrationFailed, match=r"0002_second\.sql can't be applied: division by zero"):
        migrate(empty_database, folder)

    assert tables(empty_database) == {"first", "schema_migrations"}


def test_a_file_marked_no_transaction_runs_outside_of_one(empty_database: Database, folder: Path) -> None:
    (folder / "0003_index.sql").write_text("-- no-transaction\ncreate index concurrently by_id on second (id);\n")

    assert "0003_index.sql" in pending(migrate(empty_database, folder))


def test_a_late_lower_number_is_refused(empty_database: Database, folder: Path) -> None:
    (folder / "0002_second.sql").rename(folder / "0003_second.sql")
    migrate(empty_database, folder)
    (folder / "0002_late.sql").write_text("create table late (id integer);\n")

    with pytest.raises(errors.MigrationFailed, match=r"0002_late\.sql would come after a higher number"):
        migrate(empty_database, folder)


def test_a_database_that_is_ahead_is_told_and_served(empty_database: Database, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0002_second.sql").unlink()

    async def require() -> Plan:
        connection = await db.connect(DatabaseSettings.from_env(empty_database.env()))
        try:
            return await migrations.require_current(connection, migrations.read_folder(folder))
        finally:
            await connection.close()

    assert asyncio.run(require()).unknown == ("0002_second.sql",)


def test_two_migrations_at_once_apply_each_file_once(empty_database: Database, folder: Path) -> None:
    # The index would wait for ever for a second migration that waits inside the server.
    (folder / "0003_index.sql").write_text("-- no-transaction\ncreate index concurrently by_id on second (id);\n")
    settings = DatabaseSettings.from_env(empty_database.env())
    files = migrations.read_folder(folder)

    async def at_once() -> list[Plan]:
        return await asyncio.gather(*(migrations.migrate(settings, files) for _ in range(3)))

    plans = asyncio.run(at_once())

    assert sorted(len(plan.pending) for plan in plans) == [0, 0, 3]


def test_a_missing_database_is_named_and_made_on_request(postgres_server: PostgresServer, folder: Path) -> None:
    database = postgres_server.database("rosq_made_by_migrate")
    settings = DatabaseSettings.from_env(database.env())
    try:
        with pytest.raises(errors.DatabaseMissing, match="There is no database 'rosq_made_by_migrate'"):
            migrate(database, folder)

        assert asyncio.run(migrations.create_database(settings)) is True
        assert asyncio.run(migrations.create_database(settings)) is False
        assert pending(migrate(database, folder)) == ["0001_first.sql", "0002_second.sql"]
    finally:
        postgres_server.drop_database(database.name)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "holds no schema files"),
        (["1_first.sql"], "isn't named like 0001_some_words.sql"),
        (["0001_a.sql", "0001_b.sql"], "have the same number"),
    ],
)
def test_a_folder_that_is_no_schema_is_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1;\n")

    with pytest.raises(errors.MigrationFailed, match=sentence):
        migrations.read_folder(tmp_path)


def test_the_schema_of_this_repository_is_found_beside_the_package() -> None:
    names = [one.name for one in migrations.read_folder(migrations.find_folder({}))]

    assert names[0] == "0001_accounts.sql"
