"""The embedded PostgreSQL: what it keeps, and that nothing of it stays."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from orders_service.dev import errors
from orders_service.dev.folder import StateFolder
from orders_service.dev.postgres import EmbeddedPostgres
from orders_service.dev.supervisor import Supervisor
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


def make_server(home, folder):
    return EmbeddedPostgres(home, run_dir=folder.run_dir, log_path=folder.log_path("pg"), marker=folder.path)


@pytest.fixture
def folder(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        yield folder


def test_a_folder_with_a_long_path_gets_a_socket_elsewhere_for_its_owner_only(folder):
    home = folder.path / ("long" * 25) / "pg"
    server = make_server(home, folder)
    server.ensure_cluster()
    try:
        with Supervisor() as supervisor:
            supervisor.wait_ready(supervisor.adopt(server.start()), server.is_ready)

            assert not server.socket_dir.is_relative_to(folder.path)
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(server.socket_dir)


def test_a_socket_folder_that_somebody_else_opened_is_refused(folder):
    server = make_server(folder.path / ("long" * 25) / "pg", folder)
    server.ensure_cluster()
    server.socket_dir.mkdir()
    server.socket_dir.chmod(0o777)
    try:
        with pytest.raises(errors.FolderUnfit, match="belongs to somebody else"):
            server.start()
    finally:
        server.socket_dir.rmdir()


def test_a_cluster_whose_making_was_broken_off_is_made_anew(folder):
    home = folder.path / "pg"
    (home / "data.unfinished" / "base").mkdir(parents=True)
    server = make_server(home, folder)

    server.ensure_cluster()

    assert (home / "data" / "PG_VERSION").is_file()
    assert not (home / "data.unfinished").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up being root")
@pytest.mark.parametrize(("mode", "kept_right"), [(0o700, 1 << 1), (0o711, 0)], ids=["closed", "open"])
def test_as_root_it_runs_as_nobody_and_no_folder_is_opened_for_it(mode, kept_right):
    outer = Path(tempfile.mkdtemp())
    try:
        outer.chmod(mode)
        with StateFolder(outer / "state") as folder, Supervisor() as supervisor:
            server = make_server(folder.path / "pg", folder)
            server.ensure_cluster()
            child = supervisor.adopt(server.start())
            supervisor.wait_ready(child, server.is_ready)

            assert psutil.Process(child.pid).username() == "nobody"
            # CAP_DAC_OVERRIDE where a parent is closed, and no right at all where none is.
            rights = dict(line.split(":\t") for line in Path(f"/proc/{child.pid}/status").read_text().splitlines())
            assert int(rights["CapEff"], 16) == int(rights["CapPrm"], 16) == kept_right

        assert stat.S_IMODE(outer.stat().st_mode) == mode
    finally:
        shutil.rmtree(outer)
