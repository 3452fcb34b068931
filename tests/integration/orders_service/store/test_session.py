"""What a session is set to and asked, whatever role, database, server or pooler made it otherwise."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from orders_service import errors
from orders_service.settings import DatabaseSettings
from orders_service.store import fitness, migrating, migrations, session
from orders_service.store.db import Database
from tests.integration.orders_service.serving import clean_env, run_cli
from tests.pooler import pooler
from tests.postgres import SQL_DIR, EmbeddedPostgres, apply_schema
from tests.servers import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from tests.postgres import Database as TestDatabase
    from tests.postgres import PostgresServer

#: Another value than ours for each setting that is pinned, and how the server spells ours.
OTHER_VALUES = {
    "synchronous_commit": ("off", "on"),
    "statement_timeout": ("17s", "30s"),
    "idle_in_transaction_session_timeout": ("17s", "5min"),
    "lock_timeout": ("17s", "0"),
    "idle_session_timeout": ("17s", "0"),
    "transaction_timeout": ("17s", "0"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "default_transaction_deferrable": ("on", "off"),
    "client_encoding": ("LATIN1", "UTF8"),
    "TimeZone": ("Asia/Vladivostok", "UTC"),
    "DateStyle": ("German, DMY", "ISO, MDY"),
    "IntervalStyle": ("iso_8601", "postgres"),
    "bytea_output": ("escape", "hex"),
    "extra_float_digits": ("-3", "1"),
    "array_nulls": ("off", "on"),
    "standard_conforming_strings": ("off", "on"),
}
#: Everybody else's session in the database ends.
TERMINATE = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where datname = current_database() and pid <> pg_backend_pid()"
)
#: A SET that is answered, and has no effect.
DEAF = (b"set_config(name, value, false)", b"coalesce(value, value, value) ")


def settings_of(env: Mapping[str, str], **changes: Any) -> DatabaseSettings:
    """Impatient enough for tests of what can't be had."""
    settings = DatabaseSettings.from_env(env)
    return DatabaseSettings(
        **{
            "host": settings.host,
            "port": settings.port,
            "username": settings.username,
            "password": settings.password,
            "name": settings.name,
            "acquire_timeout_s": 2.0,
            "pool_size": 3,
            **changes,
        }
    )


@contextlib.asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncIterator[Database]:
    database = Database(settings)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def on_database(settings: DatabaseSettings, work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with opened(settings) as database:
            return await work(database)

    return asyncio.run(run())


async def read_settings(database: Database) -> dict[str, str]:
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "select name, current_setting(name) as value from pg_settings where name = any(%s)", [list(OTHER_VALUES)]
        )
        return {row["name"]: row["value"] for row in await cursor.fetchall()}


def set_all_otherwise(database: TestDatabase) -> dict[str, str]:
    """Give the database each setting that this server knows in another value; returns what it must be for us."""
    with database.connect() as connection:
        known = {row[0] for row in connection.execute("select name from pg_settings").fetchall()}
        for name, (other, _) in OTHER_VALUES.items():
            if name in known:
                connection.execute(f"alter database {database.name} set {name} = '{other}'".encode())
    return {name: ours for name, (_, ours) in OTHER_VALUES.items() if name in known}


def test_the_table_of_tests_has_every_setting_that_is_pinned() -> None:
    assert set(OTHER_VALUES) == set(session.pinned(DatabaseSettings()))


def test_a_session_is_what_the_code_takes_for_granted_whatever_the_database_says(fresh_database: TestDatabase) -> None:
    expected = set_all_otherwise(fresh_database)

    assert on_database(settings_of(fresh_database.env()), read_settings) == expected


@pytest.mark.parametrize("how", ["refuses_options", "drops_options"])
def test_a_session_is_that_behind_a_pooler_that_wants_no_options(fresh_database: TestDatabase, how: str) -> None:
    expected = set_all_otherwise(fresh_database)

    with pooler(fresh_database, **{how: True}) as way:
        found = on_database(settings_of(way.env(fresh_database)), read_settings)

    assert found == expected


def test_connections_outside_the_pool_are_pinned_too(fresh_database: TestDatabase) -> None:
    expected = set_all_otherwise(fresh_database)

    async def read(database: Database) -> dict[str, str]:
        connection = await database.connect()
        try:
            cursor = await connection.execute(
                "select name, current_setting(name) as value from pg_settings where name = any(%s)", [list(expected)]
            )
            return {row["name"]: row["value"] for row in await cursor.fetchall()}
        finally:
            await connection.close()

    assert on_database(settings_of(fresh_database.env()), read) == expected


def test_a_pooler_that_keeps_no_setting_is_refused_by_name(fresh_database: TestDatabase) -> None:
    set_all_otherwise(fresh_database)

    with pooler(fresh_database, replaces=DEAF) as way:
        settings = settings_of(way.env(fresh_database))
        with pytest.raises(errors.UnsafeServer, match=r"doesn't keep what a session is set to .* pool_mode = session"):
            on_database(settings, read_settings)


def test_a_session_that_was_changed_behind_our_back_is_let_go_of(fresh_database: TestDatabase) -> None:
    async def change_and_read(database: Database) -> tuple[int, int, str]:
        async with database.transaction() as connection:
            before = connection.pgconn.backend_pid
            await connection.execute("set synchronous_commit = off")
        async with database.transaction() as connection:
            row = await (await connection.execute("select current_setting('synchronous_commit') as value")).fetchone()
            assert row is not None
            return before, connection.pgconn.backend_pid, row["value"]

    before, after, value = on_database(settings_of(fresh_database.env()), change_and_read)

    assert (before != after, value) == (True, "on")


def test_a_failed_statement_that_nobody_was_told_of_is_never_committed(fresh_database: TestDatabase) -> None:
    async def swallow(database: Database) -> None:
        async with database.transaction() as connection:
            with contextlib.suppress(psycopg.errors.DivisionByZero):
                await connection.execute("select 1 / 0")

    with pytest.raises(psycopg.InternalError, match="nobody was told"):
        on_database(settings_of(fresh_database.env()), swallow)


@contextlib.contextmanager
def of_encoding(server: PostgresServer, encoding: str) -> Iterator[TestDatabase]:
    name = f"rosq_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.database("postgres").conninfo, autocommit=True) as connection:
        connection.execute(
            f"create database {name} encoding '{encoding}' template template0 "
            "lc_collate 'C' lc_ctype 'C' locale_provider libc".encode()
        )
    try:
        yield server.database(name)
    finally:
        server.drop_database(name)


@pytest.fixture(params=["SQL_ASCII", "WIN1251", "LATIN1"])
def other_encoding(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[TestDatabase]:
    with of_encoding(postgres_server, request.param) as database:
        yield database


def test_a_database_of_another_encoding_is_refused_before_anything_is_made_in_it(other_encoding: TestDatabase) -> None:
    settings = settings_of(other_encoding.env())

    for is_dry_run in (True, False):
        with pytest.raises(errors.UnsafeServer, match=r"has the encoding (SQL_ASCII|WIN1251|LATIN1): what the portal"):
            asyncio.run(migrating.migrate(settings, migrations.read_folder(SQL_DIR), is_dry_run=is_dry_run))
    with pytest.raises(errors.UnsafeServer, match="has the encoding"):
        on_database(settings, read_settings)

    with other_encoding.connect() as connection:
        row = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert row == (0,)


def test_migrate_and_serve_say_so_in_one_sentence(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with of_encoding(postgres_server, "SQL_ASCII") as database:
        env = clean_env({**database.env(), "ROSREESTR_CRYPTO_SECRET": "secret of the tests"})
        for command in ("migrate", "serve"):
            result = run_cli(command, env=env, folder=tmp_path)
            assert (result.returncode, len(result.stderr.splitlines())) == (1, 1), result.stderr
            assert "has the encoding SQL_ASCII" in result.stderr


def test_sessions_of_a_server_that_took_no_changes_for_a_while_are_let_go_of(fresh_database: TestDatabase) -> None:
    name = fresh_database.name
    settings = settings_of(fresh_database.env())

    def steer(*statements: str) -> None:
        with fresh_database.connect() as connection:
            # Whoever steers may write, whatever the database says.
            connection.execute("set default_transaction_read_only = off")
            for statement in statements:
                connection.execute(statement.encode())

    async def go_through(database: Database) -> None:
        await database.require_fit()
        await asyncio.to_thread(steer, f"alter database {name} set default_transaction_read_only = on", TERMINATE)
        for _ in range(2):
            with pytest.raises(
                errors.DatabaseUnavailable, match=r"takes no changes \(default_transaction_read_only is on"
            ):
                await database.require_fit()
        await asyncio.to_thread(steer, f"alter database {name} reset default_transaction_read_only")
        await come_back(database)

    on_database(settings, go_through)


async def come_back(database: Database) -> None:
    """Without anybody's doing anything."""
    for _ in range(20):
        with contextlib.suppress(errors.DatabaseUnavailable):
            await database.require_fit()
            return
    raise AssertionError("the pool didn't come back")


def test_the_pool_follows_its_address_from_a_demoted_primary_to_the_new_one() -> None:
    first, second = EmbeddedPostgres(), EmbeddedPostgres()
    try:
        first.start()
        old = first.create_database("rosreestr_extracts")
        apply_schema(old)
        first.stop()
        # The standby, as far as it had come: it becomes the new primary; the old one comes back as its standby.
        first.copy_to(second)
        first.become_standby()
        first.start()
        second.start()
        new = second.database("rosreestr_extracts")
        with pooler(new) as way:
            settings = settings_of(way.env(old), pool_size=3)

            async def go_through(database: Database) -> None:
                async with database.transaction() as one, database.transaction() as two:
                    assert one is not two
                way.lead_to(old)
                with pytest.raises(errors.DatabaseUnavailable, match="is a standby: point DB_HOST to the primary"):
                    await asyncio.to_thread(terminate, new)
                    await database.require_fit()
                way.lead_to(new)
                await come_back(database)

            on_database(settings, go_through)
    finally:
        first.close()
        second.close()


def terminate(database: TestDatabase) -> None:
    with database.connect() as connection:
        connection.execute(TERMINATE.encode())


def test_a_standby_is_refused_at_the_start_and_of_several_hosts_the_one_that_takes_changes_is_taken(
    own_postgres: EmbeddedPostgres,
) -> None:
    standby = EmbeddedPostgres()
    try:
        own_postgres.stop()
        own_postgres.copy_to(standby)
        standby.become_standby()
        standby.start()
        own_postgres.start()
        env = standby.database("postgres").env()

        with pytest.raises(errors.ReadOnlyServer, match="is a standby: point DB_HOST to the primary"):
            on_database(settings_of(env), read_settings)
        both = f"{env['DB_HOST']},{own_postgres.database('postgres').env()['DB_HOST']}"
        on_database(settings_of({**env, "DB_HOST": both}), lambda database: database.require_fit())
    finally:
        standby.close()


def test_a_server_that_is_told_to_forget_while_it_runs_gets_no_order_until_it_is_told_otherwise(
    own_postgres: EmbeddedPostgres,
) -> None:
    maintenance = own_postgres.database("postgres")

    def steer(setting: str, value: str) -> None:
        with maintenance.connect() as connection:
            connection.execute(f"alter system set {setting} = {value}".encode())
            connection.execute("select pg_reload_conf()")

            def is_so() -> bool:
                # Each session hears of it by itself.
                with maintenance.connect() as other:
                    return other.execute(f"show {setting}".encode()).fetchone() == (value,)

            wait_until(is_so, f"{setting} = {value}")

    async def go_through(database: Database) -> None:
        await asyncio.to_thread(steer, "full_page_writes", "off")
        with pytest.raises(
            errors.DatabaseUnavailable, match=r"runs with full_page_writes = off.*Set full_page_writes = on"
        ):
            # Each session hears of it by itself, at its next statement but one at the latest.
            for _ in range(100):
                await database.require_fit()
        await asyncio.to_thread(steer, "full_page_writes", "on")
        await come_back(database)

    on_database(settings_of(maintenance.env()), go_through)


def test_a_role_that_skips_triggers_and_foreign_keys_is_refused(fresh_database: TestDatabase) -> None:
    with fresh_database.connect() as connection:
        connection.execute(f"alter database {fresh_database.name} set session_replication_role = replica".encode())

    with pytest.raises(errors.UnsafeServer, match="skips triggers and foreign keys"):
        on_database(settings_of(fresh_database.env()), read_settings)


def check(database: TestDatabase) -> None:
    needed = migrations.read_folder(SQL_DIR)
    on_database(settings_of(database.env()), lambda opened: fitness.check_database(opened, needed))


def test_an_index_that_a_failed_build_left_is_refused_by_name(fresh_database: TestDatabase) -> None:
    with fresh_database.connect() as connection:
        connection.execute("insert into orders (cad_num) values ('77:01:0001001:1'), ('77:01:0001001:1')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently only_once on orders (cad_num)")

        with pytest.raises(errors.UnsafeServer, match=r"Index only_once of the database is invalid.*`reindex index"):
            check(fresh_database)

        connection.execute("delete from orders where id = (select max(id) from orders)")
        connection.execute("reindex index only_once")
    check(fresh_database)


def test_an_index_that_is_being_built_is_in_nobodys_way(fresh_database: TestDatabase) -> None:
    def build() -> None:
        with fresh_database.connect() as connection:
            connection.execute("create index concurrently by_comment on orders (comment)")

    def is_building() -> bool:
        with fresh_database.connect() as other:
            return other.execute("select 1 from pg_index where not indisvalid").fetchone() is not None

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with fresh_database.connect(autocommit=False) as old:
            # The build waits for this transaction to end.
            old.execute("insert into orders (cad_num) values ('77:01:0001001:1')")
            building = pool.submit(build)
            wait_until(is_building, "the build to wait", 60)
            check(fresh_database)
            assert not building.done()
        building.result(60)
    check(fresh_database)


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="no PgBouncer here")
@pytest.mark.parametrize("extra", ["", "ignore_startup_parameters = options"])
def test_pgbouncer_that_pools_sessions_may_stand_between(fresh_database: TestDatabase, extra: str) -> None:
    expected = set_all_otherwise(fresh_database)

    with running_pgbouncer(fresh_database, "session", extra) as env:
        assert on_database(settings_of(env), read_settings) == expected


@contextlib.contextmanager
def running_pgbouncer(database: TestDatabase, pool_mode: str, extra: str) -> Iterator[dict[str, str]]:
    """It mayn't run as root, and another user reaches neither our folders nor the server's socket: by TCP, then."""
    env, port = database.env(), free_port()
    password = f" password='{env['DB_PASSWORD']}'" if env.get("DB_PASSWORD") else ""
    with tempfile.TemporaryDirectory(prefix="rosq-test-pgbouncer-") as folder, pooler(database) as way:
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n{env['DB_NAME']} = host=127.0.0.1 port={way.port} user={env['DB_USERNAME']}{password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {pool_mode}\n{extra}\n"
        )
        Path(folder).chmod(0o755)
        as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
        with subprocess.Popen(
            ["pgbouncer", "-q", *as_user, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                through = {**env, "DB_HOST": "127.0.0.1", "DB_PORT": str(port)}

                def answers() -> bool:
                    assert process.poll() is None, "PgBouncer ended at once"
                    with contextlib.suppress(OSError):
                        socket.create_connection(("127.0.0.1", port), timeout=5).close()
                        return True
                    return False

                wait_until(answers, "PgBouncer to answer", 30)
                yield through
            finally:
                process.terminate()


def test_migrate_runs_behind_a_pooler_that_wants_no_options(empty_database: TestDatabase) -> None:
    with pooler(empty_database, refuses_options=True) as way:
        settings = DatabaseSettings.from_env(way.env(empty_database))
        plan = asyncio.run(migrating.migrate(settings, migrations.read_folder(SQL_DIR)))

    assert plan.pending
