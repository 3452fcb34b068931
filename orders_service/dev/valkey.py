"""The embedded Valkey, which is Redis to everybody: with a log of every write, and never evicting."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orders_service.dev import binaries
from orders_service.dev.children import MARKER_ENV, Child, Program, Rank

if TYPE_CHECKING:
    from pathlib import Path

# appendfsync everysec: the log is written before a command is answered, so the death of the process loses nothing, and
# a power cut a second at most. `always` would cost an fsync for every job, for a schedule that is rebuilt from
# PostgreSQL anyway: no promise about an order rests on it.
_CONFIG = """\
bind 127.0.0.1
port {port}
dir {data}
requirepass {password}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
# The command line stays as it was started: by it a later run tells that this process is its own.
set-proc-title no
"""


# Whoever waits for readiness asks again by himself.
_ONCE = Retry(NoBackoff(), 0)


class EmbeddedValkey:
    """One server on a loopback port, behind a password: any user of the machine can reach the port.

    Args:
        home: Where its data and its settings lie; belongs to this server alone.
        port: Where it listens.
        password: What its clients say.
        run_dir: Where its pid file goes.
        log_path: Its log.
        marker: The state folder of the run, see `children.MARKER_ENV`.
    """

    def __init__(self, home: Path, *, port: int, password: str, run_dir: Path, log_path: Path, marker: Path) -> None:
        self._home = home.resolve()
        self._run_dir = run_dir.resolve()
        self._log_path = log_path.resolve()
        self._marker = marker.resolve()
        self._password = password
        self._program = binaries.find_valkey_server()
        self.port = port

    @property
    def env(self) -> dict[str, str]:
        """What points a program of ours at it."""
        return {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.port),
            "REDIS_PASSWORD": self._password,
            "REDIS_DB": "0",
        }

    def start(self) -> Child:
        """Start it; returns at once, see `is_ready`."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._home.chmod(0o700)
        config = self._home / "valkey.conf"
        descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_CONFIG.format(port=self.port, data=_quote(self._home), password=self._password))
        return Child(
            Program(
                name="valkey",
                argv=(str(self._program), str(config)),
                env={"PATH": os.defpath, "LC_ALL": "C", MARKER_ENV: str(self._marker)},
                log_path=self._log_path,
                run_dir=self._run_dir,
                rank=Rank.SERVER,
                death_signal=signal.SIGTERM,
            )
        )

    def is_ready(self) -> bool:
        """Whether it answers, with its data read."""
        return is_answering("127.0.0.1", self.port, self._password)


def is_answering(host: str, port: int, password: str | None, db: int = 0) -> bool:
    """Whether a server answers a PING there, asked once."""
    client = redis.Redis(host=host, port=port, password=password, db=db, socket_timeout=2, retry=_ONCE)
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()


def _quote(path: Path) -> str:
    """Write a path as valkey.conf reads it."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
