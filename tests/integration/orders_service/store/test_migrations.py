"""Bringing the schema up to date."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors as pg

from orders_service import errors
from orders_service.settings import DatabaseSettings
from orders_service.store import db, migrating, migrations
from orders_service.store.migrating import Patience
from orders_service.store.migrations import Phase
from tests.integration.orders_service.serving import clean_env, run_cli
from tests.postgres import SQL_DIR
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orders_service.store.migrations import Plan
    from tests.postgres import Database, PostgresServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("create table first (id integer);\ninsert into first values (1);\n")
    (tmp_path / "0002_second.sql").write_text("create table second (id integer);\n")
    return tmp_path


def migrate(
    database: Database,
    folder: Path,
    *,
    is_dry_run: bool = False,
    phase: Phase = Phase.ALL,
    patience: Patience | None = None,
) -> Plan:
    settings = DatabaseSettings.from_env(database.env())
    files = migrations.read_folder(folder)
    return asyncio.run(migrating.migrate(settings, files, is_dry_run=is_dry_run, phase=phase, patience=patience))


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

    assert require_current(empty_database, folder).unknown == ("0002_second.sql",)


def test_two_migrations_at_once_apply_each_file_once(empty_database: Database, folder: Path) -> None:
    # The index would wait for ever for a second migration that waits inside the server.
    (folder / "0003_index.sql").write_text("-- no-transaction\ncreate index concurrently by_id on second (id);\n")
    settings = DatabaseSettings.from_env(empty_database.env())
    files = migrations.read_folder(folder)

    async def at_once() -> list[Plan]:
        return await asyncio.gather(*(migrating.migrate(settings, files) for _ in range(3)))

    plans = asyncio.run(at_once())

    assert sorted(len(plan.pending) for plan in plans) == [0, 0, 3]


def test_a_missing_database_is_named_and_made_on_request(postgres_server: PostgresServer, folder: Path) -> None:
    database = postgres_server.database("rosq_made_by_migrate")
    settings = DatabaseSettings.from_env(database.env())
    try:
        with pytest.raises(errors.DatabaseMissing, match="There is no database 'rosq_made_by_migrate'"):
            migrate(database, folder)

        assert asyncio.run(migrating.create_database(settings)) is True
        assert asyncio.run(migrating.create_database(settings)) is False
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


INDEX = "-- no-transaction\ncreate unique index concurrently if not exists only_once on first (id);\n"


def indexes(database: Database) -> dict[str, bool]:
    """Each index, and whether it is valid."""
    with database.connect() as connection:
        rows = connection.execute(
            "select indexrelid::regclass::text, indisvalid from pg_index "
            "where indrelid in ('first'::regclass, 'second'::regclass)"
        ).fetchall()
    return dict(rows)


def test_a_unique_index_that_failed_to_build_is_never_taken_for_built(empty_database: Database, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0003_index.sql").write_text(INDEX)
    with empty_database.connect() as connection:
        connection.execute("insert into first values (1)")

    for _ in range(2):
        with pytest.raises(errors.MigrationFailed, match=r"0003_index\.sql can't be applied: could not create unique"):
            migrate(empty_database, folder)
        assert indexes(empty_database) == {"only_once": False}
    with empty_database.connect() as connection:
        connection.execute("delete from first where ctid = (select max(ctid) from first)")

    assert pending(migrate(empty_database, folder)) == ["0003_index.sql"]
    assert indexes(empty_database) == {"only_once": True}


def test_no_file_is_recorded_beside_an_index_that_guards_nothing(empty_database: Database, folder: Path) -> None:
    migrate(empty_database, folder)
    with empty_database.connect() as connection:
        connection.execute("insert into first values (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently somebodys on first (id)")
    (folder / "0003_index.sql").write_text("-- no-transaction\ncreate index concurrently by_id on second (id);\n")

    with pytest.raises(errors.MigrationFailed, match=r"invalid index \(somebodys\): the file isn't recorded"):
        migrate(empty_database, folder)

    with empty_database.connect() as connection:
        connection.execute("drop index somebodys, by_id")
    assert pending(migrate(empty_database, folder)) == ["0003_index.sql"]


def test_a_change_that_waits_for_a_lock_lets_others_pass_and_comes_when_it_can(
    empty_database: Database, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(empty_database, folder)
    (folder / "0003_third.sql").write_text("alter table first add column name text;\n")
    patience = Patience(lock_timeout_s=0.1, attempts=1000, pause_s=0.02)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with caplog.at_level(logging.INFO), empty_database.connect(autocommit=False) as long_query:
            long_query.execute("select * from first")
            applying = pool.submit(migrate, empty_database, folder, patience=patience)
            wait_until(
                lambda: "migration_lock_waiting" in {vars(line).get("event") for line in caplog.records}, "a try"
            )
            with empty_database.connect() as service:
                # Behind a change that waits without an end this one would wait, too.
                assert service.execute("select count(*) from first").fetchone() == (1,)
            assert not applying.done()
            long_query.rollback()
        assert pending(applying.result(60)) == ["0003_third.sql"]


def test_a_lock_that_cant_be_had_is_given_up_naming_who_may_have_it(empty_database: Database, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0003_third.sql").write_text("insert into second values (1);\nalter table first add column name text;\n")
    patience = Patience(lock_timeout_s=0.05, attempts=3, pause_s=0.01)

    with empty_database.connect(autocommit=False) as long_query:
        long_query.execute("set application_name = 'a nightly report'")
        long_query.execute("select * from first")
        with pytest.raises(errors.MigrationFailed, match=r"0003_third\.sql had to .* after 3 tries .*a nightly report"):
            migrate(empty_database, folder, patience=patience)

    with empty_database.connect() as connection:
        assert connection.execute("select count(*) from second").fetchone() == (0,), "nothing of it was done"


@pytest.fixture
def marked(folder: Path) -> Path:
    """Two releases: each adds something before it is deployed, and the first takes something away after that."""
    (folder / "0003_add.sql").write_text("-- Adds.\n-- before-deploy\ncreate table third (id integer);\n")
    (folder / "0004_drop.sql").write_text("-- Takes away.\n-- after-deploy\ndrop table first;\n")
    return folder


def test_before_and_after_the_deploy_each_apply_their_own(empty_database: Database, marked: Path) -> None:
    before = migrate(empty_database, marked, phase=Phase.BEFORE_DEPLOY)
    assert pending(before) == ["0001_first.sql", "0002_second.sql", "0003_add.sql"]
    assert [one.name for one in before.left] == ["0004_drop.sql"]
    assert require_current(empty_database, marked).pending, "the new version serves before the last file is there"

    after = migrate(empty_database, marked, phase=Phase.AFTER_DEPLOY)

    assert pending(after) == ["0004_drop.sql"]
    assert "first" not in tables(empty_database)
    assert pending(migrate(empty_database, marked, phase=Phase.AFTER_DEPLOY)) == []


def test_all_at_once_asks_for_no_phase(empty_database: Database, marked: Path) -> None:
    assert len(migrate(empty_database, marked).pending) == 4


def test_what_waits_for_after_a_deploy_is_overtaken_by_what_comes_before_the_next(
    empty_database: Database, marked: Path
) -> None:
    (marked / "0005_add.sql").write_text("create table fifth (id integer);\n")

    with pytest.raises(errors.MigrationFailed, match=r"0001_first\.sql.*0005_add\.sql are for before the deploy"):
        migrate(empty_database, marked, phase=Phase.AFTER_DEPLOY)
    assert tables(empty_database) == set()

    assert pending(migrate(empty_database, marked, phase=Phase.BEFORE_DEPLOY))[-1] == "0005_add.sql"
    (marked / "0006_late.sql").write_text("create table sixth (id integer);\n")
    assert pending(migrate(empty_database, marked, phase=Phase.BEFORE_DEPLOY)) == ["0006_late.sql"]
    assert pending(migrate(empty_database, marked, phase=Phase.AFTER_DEPLOY)) == ["0004_drop.sql"]
    assert require_current(empty_database, marked).pending == ()


#: Everything that makes a schema, as text.
SCHEMA = """
select 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
    || coalesce(column_default, '') || coalesce(generation_expression, '')
from information_schema.columns where table_schema = 'public'
union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace
union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all select 'function ' || pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
union all select 'value ' || enumtypid::regtype || ' ' || enumlabel || ' ' || enumsortorder from pg_enum
order by 1
"""


def test_the_schema_is_the_same_with_all_at_once_and_with_each_deploys_own(
    empty_database: Database, template_database: Database, postgres_server: PostgresServer
) -> None:
    migrate(empty_database, SQL_DIR, phase=Phase.BEFORE_DEPLOY)
    migrate(empty_database, SQL_DIR, phase=Phase.AFTER_DEPLOY)
    name = f"rosq_test_{uuid.uuid4().hex[:12]}"
    at_once = postgres_server.create_database(name, template_database.name)
    try:
        with empty_database.connect() as one, at_once.connect() as other:
            assert one.execute(SCHEMA).fetchall() == other.execute(SCHEMA).fetchall()
    finally:
        postgres_server.drop_database(name)


def test_a_service_that_lacks_a_file_of_before_its_deploy_is_refused(empty_database: Database, marked: Path) -> None:
    (marked / "0003_add.sql").rename(marked / "0005_add.sql")

    with pytest.raises(errors.NotMigrated, match=r"0001_first\.sql, 0002_second\.sql, 0005_add\.sql are missing"):
        require_current(empty_database, marked)


def test_a_file_for_before_and_after_is_refused(marked: Path) -> None:
    (marked / "0004_drop.sql").write_text("-- before-deploy\n-- after-deploy\nselect 1;\n")

    with pytest.raises(errors.MigrationFailed, match="marked for before and for after the deploy"):
        migrations.read_folder(marked)


def require_current(database: Database, folder: Path) -> Plan:
    async def require() -> Plan:
        connection = await db.connect(DatabaseSettings.from_env(database.env()))
        try:
            return await migrations.require_current(connection, migrations.read_folder(folder))
        finally:
            await connection.close()

    return asyncio.run(require())


@pytest.fixture
def stranger(empty_database: Database) -> Iterator[str]:
    """A user who may connect, and no more: what PostgreSQL 15 and newer gives to a user who isn't the owner."""
    name = f"stranger_{uuid.uuid4().hex[:12]}"
    with empty_database.connect() as connection:
        connection.execute(f"create role {name} login password 'for-tests-only'".encode())
        connection.execute(b"revoke create on schema public from public")
    yield name
    with empty_database.connect() as connection:
        connection.execute(f"drop owned by {name}".encode())
        connection.execute(f"drop role {name}".encode())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "grant create on schema public to {user}`"),
        ('set search_path = "$user"', 'search_path is "$user"): create one of them'),
    ],
)
def test_a_user_without_rights_is_told_which_in_one_sentence(
    empty_database: Database, stranger: str, tmp_path: Path, settings: str, words: str
) -> None:
    if settings:
        with empty_database.connect() as connection:
            connection.execute(f"alter role {stranger} {settings}".encode())
    env = clean_env({**empty_database.env(), "DB_USERNAME": stranger, "DB_PASSWORD": "for-tests-only"})

    result = run_cli("migrate", env=env, folder=tmp_path)

    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
    assert words.format(user=stranger) in result.stderr


def test_a_user_without_rights_may_learn_that_nothing_is_to_be_done(
    empty_database: Database, stranger: str, folder: Path
) -> None:
    migrate(empty_database, folder)
    with empty_database.connect() as connection:
        connection.execute(f"grant select on schema_migrations to {stranger}".encode())
    env = {**empty_database.env(), "DB_USERNAME": stranger, "DB_PASSWORD": "for-tests-only"}

    plan = asyncio.run(migrating.migrate(DatabaseSettings.from_env(env), migrations.read_folder(folder)))

    assert plan.pending == ()


def test_what_else_postgresql_refuses_is_one_sentence_too(
    empty_database: Database, stranger: str, folder: Path
) -> None:
    migrate(empty_database, folder)
    env = {**empty_database.env(), "DB_USERNAME": stranger, "DB_PASSWORD": "for-tests-only"}

    with pytest.raises(errors.MigrationFailed, match="The schema can't be changed: permission denied for table"):
        asyncio.run(migrating.migrate(DatabaseSettings.from_env(env), migrations.read_folder(folder)))


def codes_of_trouble() -> list[str]:
    """Everything for which psycopg has the error of a server that is away, also where it answers."""
    kinds = [
        kind for kind in vars(pg).values() if isinstance(kind, type) and issubclass(kind, psycopg.OperationalError)
    ]
    return sorted(kind.sqlstate for kind in kinds if kind.sqlstate and not kind.sqlstate.startswith("08"))


#: The server ends its sessions, or takes none.
ENDED = {"53300", "57P01", "57P02", "57P03", "57P05"}


def test_a_server_that_answers_is_never_told_as_one_that_is_away(empty_database: Database, tmp_path: Path) -> None:
    codes = codes_of_trouble()
    assert {"53100", "57014", "53200", "55P03", *ENDED} <= set(codes), "a full disk, a cancelled statement, memory"
    file = tmp_path / "0001_first.sql"
    for code in codes:
        file.write_text(f"do $$ begin raise exception 'no room left' using errcode = '{code}'; end $$;\n")
        kind = errors.DatabaseUnavailable if code in ENDED else errors.MigrationFailed
        with pytest.raises(kind) as caught:
            migrate(empty_database, tmp_path, patience=Patience(lock_timeout_s=0.1, attempts=1))
        if code not in ENDED:
            assert "0001_first.sql" in str(caught.value), code
        else:
            assert "what was applied stays" in str(caught.value), code
