"""What the service is measured on: an embedded PostgreSQL and Valkey of the benchmark's own, and the service itself."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import grpc
import psycopg
import redis
from psycopg import sql

from benchmarks import server
from benchmarks.errors import SideFailed
from benchmarks.process import die_with_parent
from orders_service.dev.folder import free_port
from orders_service.dev.postgres import EmbeddedPostgres
from orders_service.domain.orders import LANE_MAIN
from orders_service.settings import DatabaseSettings, Settings
from orders_service.store import migrating, migrations
from rosq import Queue, RedisSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_SQL = Path(__file__).parents[2] / "sql"
_TEMPLATE = "benchmark_template"
_START_TIMEOUT_S = 60.0
_JOBS_TIMEOUT_S = 120.0
#: Durability is that of production; memory that of a small server.
_POSTGRES = {"shared_buffers": "256MB", "max_wal_size": "2GB", "max_connections": "60"}
#: A setting of the user's would change what is measured.
_FOREIGN = ("DB_", "REDIS_", "ROSQ_", "ROSREESTR_", "ORDERS_", "ORDER_", "EXTRACT_", "RECONCILE_", "RELAY_", "WEBHOOK_")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database with the whole schema and nothing in it."""

    conninfo: str
    env: dict[str, str]

    def connect(self) -> psycopg.Connection[Any]:
        """A connection, each statement by itself."""
        return psycopg.connect(self.conninfo, autocommit=True)

    @property
    def settings(self) -> Settings:
        """What the service's own parts are made from."""
        return Settings.from_env(self.env)

    def analyze(self) -> None:
        """Let the planner know what is in it."""
        with self.connect() as connection:
            connection.execute("vacuum analyze")


class Servers:
    """PostgreSQL and Valkey, which all parts share: each takes a database and a queue of its own."""

    def __init__(self, postgres: EmbeddedPostgres, redis_url: str) -> None:
        self._postgres = postgres
        self._redis = RedisSettings(host="127.0.0.1", port=urlsplit(redis_url).port or 6379)
        self._client: Any = redis.Redis(port=self._redis.port)
        self._taken = 0
        asyncio.run(_make_template({**postgres.env, "DB_NAME": _TEMPLATE}))

    @property
    def version(self) -> str:
        """PostgreSQL's."""
        with psycopg.connect(self._postgres.conninfo()) as connection:
            return f"PostgreSQL {connection.info.server_version // 10000}"

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """A new database, dropped at the end of the block."""
        self._taken += 1
        name = f"benchmark_{self._taken}"
        self._execute("create database {} template {}", name, _TEMPLATE)
        env = {**self._postgres.env, "DB_NAME": name, "ROSQ_QUEUE": name}
        try:
            yield Database(conninfo=self._postgres.conninfo(name), env=env)
        finally:
            self._execute("drop database {} with (force)", name)

    @contextlib.contextmanager
    def queue(self, database: Database) -> Iterator[Queue]:
        """The queue of the database's orders."""
        with Queue(self._redis, database.env["ROSQ_QUEUE"]) as queue:
            yield queue

    @contextlib.contextmanager
    def service(self, database: Database, **env: str) -> Iterator[Service]:
        """`orders-service serve` on the database, killed at the end of the block."""
        there = {"REDIS_HOST": self._redis.host, "REDIS_PORT": str(self._redis.port)}
        with tempfile.TemporaryFile() as log:
            one = Service({**database.env, **there, **env}, cast("BinaryIO", log))
            try:
                one.wait_ready()
                yield one
            finally:
                one.close()

    def empty_redis(self) -> None:
        """Lose all of its data, as a server without a disk does."""
        self._client.flushall()

    def wait_for_jobs(self, queue: Queue, count: int) -> None:
        """Return when so many jobs wait in the queue's main lane.

        Raises:
            SideFailed: They don't come.
        """
        deadline_s = time.monotonic() + _JOBS_TIMEOUT_S
        while (waiting := int(self._client.xlen(queue.keys.lane(LANE_MAIN)))) < count:
            if time.monotonic() > deadline_s:
                raise SideFailed(f"{waiting:,} of {count:,} jobs are there after {_JOBS_TIMEOUT_S:.0f} s.")
            time.sleep(0.01)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._postgres.conninfo(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Service:
    """One running service, and a channel to it."""

    def __init__(self, env: dict[str, str], log: BinaryIO) -> None:
        self._port = free_port()
        self._log = log
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        own = {
            "ORDERS_SERVICE_LISTEN": f"127.0.0.1:{self._port}",
            "ORDERS_SERVICE_REST_LISTEN": f"127.0.0.1:{free_port()}",
            "ROSREESTR_CRYPTO_SECRET": "a secret of the benchmark's own",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orders_service.cli", "serve"],
            env={**kept, **own, **env},
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=die_with_parent,
        )
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self._port}",
            options=[("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)],
        )

    def wait_ready(self) -> None:
        """Return when it serves.

        Raises:
            SideFailed: It ended, or didn't come up in time.
        """
        try:
            grpc.channel_ready_future(self.channel).result(_START_TIMEOUT_S)
        except grpc.FutureTimeoutError:
            raise SideFailed(f"The service doesn't serve. Its last words: {self._last_words()}") from None

    def close(self) -> None:
        """Kill it."""
        self.channel.close()
        self._process.kill()
        self._process.wait()

    def _last_words(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-500:]


@contextlib.contextmanager
def running() -> Iterator[Servers]:
    """Start both servers; they end with the block, and with the benchmark's process."""
    folder = Path(tempfile.mkdtemp(prefix="rosq-benchmark-"))
    postgres = EmbeddedPostgres(
        folder / "pg", run_dir=folder, log_path=folder / "postgres.log", marker=folder, settings=_POSTGRES
    )
    postgres.ensure_cluster()
    child = postgres.start()
    try:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while not postgres.is_ready():
            if not child.is_running or time.monotonic() > deadline_s:
                raise SideFailed(f"PostgreSQL doesn't start:\n{(folder / 'postgres.log').read_text()[-500:]}")
            time.sleep(0.05)
        with server.embedded(is_logging=False) as url:
            yield Servers(postgres, url)
    finally:
        child.request_stop()
        if not child.wait(20):
            child.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(env: dict[str, str]) -> None:
    settings = DatabaseSettings.from_env(env)
    await migrating.create_database(settings)
    await migrating.migrate(settings, migrations.read_folder(_SQL))
