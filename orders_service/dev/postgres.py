"""The embedded PostgreSQL: on a unix socket only, with all that a commit's durability rests on switched on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg

from orders_service.dev import binaries, errors, privileges
from orders_service.dev.children import MARKER_ENV, Child, Program, Rank, run_to_end
from orders_service.dev.process import wait_gone

if TYPE_CHECKING:
    from collections.abc import Mapping

USER = "postgres"
PORT = 5432

# sun_path holds 108 bytes with its end, 104 on macOS; PostgreSQL adds ".s.PGSQL.5432.lock" to the folder.
_MAX_SOCKET_FOLDER_BYTES = 103 - len("/.s.PGSQL.5432.lock")

# Only what a fresh cluster wouldn't have by itself. fsync, synchronous_commit and full_page_writes are on, and stay on:
# they are what "acknowledged" means.
_SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "fsync": "on",
    "synchronous_commit": "on",
}


class EmbeddedPostgres:
    """One cluster in one folder, for one owner; the socket's folder is closed to everybody else, so there is no
    password.

    Args:
        home: Where cluster and socket lie; belongs to this server alone.
        run_dir: Where its pid file goes.
        log_path: Its log.
        marker: The state folder of the run, see `children.MARKER_ENV`.
        settings: More settings of postgresql.conf.
    """

    def __init__(
        self, home: Path, *, run_dir: Path, log_path: Path, marker: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._home = home.resolve()
        self._run_dir = run_dir.resolve()
        self._log_path = log_path.resolve()
        self._marker = marker.resolve()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._bin = binaries.find_postgres_bin()
        self._less_user = privileges.find_less_user([self._bin / "postgres", self._home])
        self.socket_dir = self._choose_socket_dir()

    @property
    def env(self) -> dict[str, str]:
        """What points a program of ours at it; the database's name is the caller's business."""
        return {"DB_HOST": str(self.socket_dir), "DB_PORT": str(PORT), "DB_USERNAME": USER, "DB_PASSWORD": ""}

    def conninfo(self, database: str = "postgres") -> str:
        """What psycopg connects with."""
        return psycopg.conninfo.make_conninfo(host=str(self.socket_dir), port=PORT, user=USER, dbname=database)

    def ensure_cluster(self) -> None:
        """Make the cluster unless it is there. A crash midway leaves a folder that the next call throws away."""
        data = self._home / "data"
        if data.exists():
            return
        self._home.mkdir(parents=True, exist_ok=True)
        privileges.give(self._home, self._less_user)
        unfinished = self._home / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        argv = [
            *(str(self._bin / "initdb"), "--pgdata", str(unfinished), "--username", USER, "--auth", "trust"),
            # The built-in provider: the same order and case rules on each machine, whatever locales it has.
            *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ]
        run_to_end(self._program("initdb", argv), timeout_s=60)
        unfinished.rename(data)

    def start(self) -> Child:
        """Start it; returns at once, see `is_ready`."""
        if self.socket_dir != self._home:
            self._make_socket_dir()
        settings = {**self._settings, "unix_socket_directories": str(self.socket_dir)}
        argv = [str(self._bin / "postgres"), "-D", str(self._home / "data"), "-p", str(PORT)]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(self._program("postgresql", argv))

    def is_ready(self) -> bool:
        """Whether it answers a query."""
        try:
            with psycopg.connect(self.conninfo(), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _program(self, name: str, argv: list[str]) -> Program:
        return Program(
            name=name,
            argv=tuple(argv),
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", MARKER_ENV: str(self._marker)},
            log_path=self._log_path,
            run_dir=self._run_dir,
            rank=Rank.SERVER,
            # "Fast": open sessions are ended, a checkpoint is written. SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace_s=20.0,
            less_user=self._less_user,
        )

    def _choose_socket_dir(self) -> Path:
        if len(os.fsencode(self._home)) <= _MAX_SOCKET_FOLDER_BYTES:
            return self._home
        short = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"rosq-pg-{os.geteuid()}-{short}"

    def _make_socket_dir(self) -> None:
        """Make the short folder in /tmp; one that somebody else made there before is refused: he could listen in."""
        uid = self._less_user.uid if self._less_user else os.geteuid()
        try:
            self.socket_dir.mkdir(mode=0o700)
        except FileExistsError:
            found = self.socket_dir.lstat()
            if found.st_uid not in (uid, os.geteuid()) or found.st_mode & 0o170077 != 0o040000:
                raise errors.FolderUnfit(
                    f"{self.socket_dir} is needed for PostgreSQL's socket, but belongs to somebody else: remove it, "
                    "or give a folder with a shorter path with --dir."
                ) from None
        privileges.give(self.socket_dir, self._less_user)


def kill_cluster(child: Child) -> None:
    """Kill a PostgreSQL and all of its processes with SIGKILL; return when the last of them is gone.

    As long as one of them lives, a new server on the same folder is refused.
    """
    try:
        helpers = psutil.Process(child.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        helpers = []
    child.kill()
    for helper in helpers:
        with contextlib.suppress(psutil.NoSuchProcess):
            helper.kill()
    wait_gone(helpers, timeout_s=10)
