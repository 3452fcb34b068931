"""A real PostgreSQL for tests.

Embedded by default; the one at `TEST_DATABASE_URL` when that is set (testcontainers), else the one that `DB_HOST` and
its siblings name. Each test that asks for `fresh_database` gets one of its own, cloned from a template with the whole
schema. A test that stops or kills its server asks for `own_postgres`: always embedded, and nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from orders_service.dev.postgres import EmbeddedPostgres as Server
from orders_service.dev.postgres import kill_cluster
from orders_service.settings import DatabaseSettings
from orders_service.store import migrating, migrations
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orders_service.dev.children import Child

SQL_DIR = Path(__file__).parent.parent / "sql"
START_TIMEOUT_S = 30.0

# Durability stays as it is in production; only memory and connections are those of a small machine.
CHEAP_SETTINGS = {"shared_buffers": "32MB", "max_connections": "60", "max_wal_size": "256MB", "autovacuum": "off"}


class Database:
    """One database; `env()` is what a process of ours needs to find it."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    @property
    def name(self) -> str:
        return str(conninfo_to_dict(self.conninfo)["dbname"])

    def env(self) -> dict[str, str]:
        """The `DB_*` variables that point a process at it."""
        parts = conninfo_to_dict(self.conninfo)
        return {
            "DB_HOST": str(parts.get("host", "127.0.0.1")),
            "DB_PORT": str(parts.get("port", 5432)),
            "DB_USERNAME": str(parts.get("user", "postgres")),
            "DB_PASSWORD": str(parts.get("password", "")),
            "DB_NAME": self.name,
        }

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection:
        """A new plain connection; the caller closes it (it is a context manager)."""
        return psycopg.connect(self.conninfo, autocommit=autocommit)


class PostgresServer:
    """A server that tests make databases on."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def database(self, name: str) -> Database:
        """One of its databases, which need not exist yet."""
        return Database(make_conninfo(self._conninfo, dbname=name))

    def create_database(self, name: str, template: str | None = None) -> Database:
        """Make a database, empty or as a clone; nobody may be connected to the template."""
        statement = sql.SQL("create database {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" template {}").format(sql.Identifier(template))
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(statement)
        return self.database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and end whoever is still connected to it."""
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


class EmbeddedPostgres(PostgresServer):
    """A cluster of the tests' own: `start` after `stop` or `kill` brings back the same socket and data."""

    def __init__(self, **settings: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rosq-test-pg-"))
        run_dir = self._folder / "run"
        run_dir.mkdir()
        self._server = Server(
            self._folder / "pg",
            run_dir=run_dir,
            log_path=self._folder / "server.log",
            marker=self._folder,
            settings={**CHEAP_SETTINGS, **settings},
        )
        self._server.ensure_cluster()
        self._child: Child | None = None
        super().__init__(self._server.conninfo())

    @property
    def _data(self) -> Path:
        return self._folder / "pg" / "data"

    @property
    def pid(self) -> int:
        assert self._child is not None, "the server isn't running"
        return self._child.pid

    @property
    def log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and return when it answers. Main thread only: the server ends with the thread that started it."""
        assert self._child is None, "the server runs already"
        self._child = child = self._server.start()

        def is_ready() -> bool:
            assert child.is_running, f"the server ended at once:\n{self.log}"
            return self._server.is_ready()

        wait_until(is_ready, "PostgreSQL answers", START_TIMEOUT_S)

    def stop(self) -> None:
        """End it in order: sessions are ended, a checkpoint is written."""
        if self._child is not None:
            self._child.request_stop()
            assert self._child.wait(20), f"the server didn't stop:\n{self.log}"
            self._child = None

    def copy_to(self, other: EmbeddedPostgres) -> None:
        """Give another server, that doesn't run either, this one's data: a standby, as far as it had come."""
        assert self._child is None
        assert other._child is None
        shutil.rmtree(other._data)
        # Files keep their owner: a server that runs as somebody else made them.
        subprocess.run(["cp", "-a", str(self._data), str(other._data)], check=True, timeout=60)

    def become_standby(self) -> None:
        """From its next start on it waits for a primary, and takes no changes."""
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        shutil.copystat(self._data / "PG_VERSION", signal_file)
        owner = (self._data / "PG_VERSION").stat()
        os.chown(signal_file, owner.st_uid, owner.st_gid)

    def kill(self) -> None:
        """End it with SIGKILL, as if the machine had died."""
        if self._child is not None:
            kill_cluster(self._child)
            self._child = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)


@contextlib.contextmanager
def embedded_postgres(**settings: str) -> Iterator[EmbeddedPostgres]:
    """Start an embedded server, with extra settings of postgresql.conf (`fsync="off"`); end it afterwards."""
    server = EmbeddedPostgres(**settings)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """The server that the environment names, else an embedded one."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield PostgresServer(url)
    elif host := os.environ.get("DB_HOST"):
        yield PostgresServer(
            make_conninfo(
                host=host,
                port=os.environ.get("DB_PORT") or 5432,
                user=os.environ.get("DB_USERNAME") or "postgres",
                password=os.environ.get("DB_PASSWORD") or None,
                dbname="postgres",
            )
        )
    else:
        with embedded_postgres() as server:
            yield server


def apply_schema(database: Database) -> None:
    """Bring an empty database to the schema of sql/, by the runner that `orders-service migrate` is."""
    settings = DatabaseSettings.from_env(database.env())
    asyncio.run(migrating.migrate(settings, migrations.read_folder(SQL_DIR)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server shared by the whole run: use `fresh_database`; never stop it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """An empty database with the whole schema, to clone from; never connect to it."""
    database = postgres_server.create_database(f"rosq_template_{uuid.uuid4().hex[:12]}")
    try:
        apply_schema(database)
        yield database
    finally:
        postgres_server.drop_database(database.name)


@pytest.fixture
def fresh_database(postgres_server: PostgresServer, template_database: Database) -> Iterator[Database]:
    """A database of this test alone, with the schema and no rows."""
    database = postgres_server.create_database(f"rosq_test_{uuid.uuid4().hex[:12]}", template_database.name)
    try:
        yield database
    finally:
        postgres_server.drop_database(database.name)


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database of this test alone without any table."""
    database = postgres_server.create_database(f"rosq_test_{uuid.uuid4().hex[:12]}")
    try:
        yield database
    finally:
        postgres_server.drop_database(database.name)


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A server of this test alone, to stop and kill; without the schema (see `apply_schema`)."""
    with embedded_postgres() as server:
        yield server
