"""TLS: a server that can't prove who it is gets nothing, one that can is used like any other.

The embedded server was built without TLS: before it stands a proxy that ends it. Where a server that was built with it
is there (`TEST_REDIS_BINARY`, or a `redis-server` of the system), the same tests speak to that one directly too.
"""

from __future__ import annotations

import dataclasses
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    EnqueueOutcome,
    JobState,
    Queue,
    RedisSettings,
    ServerRefused,
    ServerUnreachable,
    ServerUntrusted,
    WorkerSettings,
)
from tests import servers
from tests.certificates import Authority
from tests.integration.rosq.commands.test_cli import run
from tests.integration.rosq.every_step import run_every_step
from tests.tls_proxy import running_tls_proxy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis


@dataclasses.dataclass(frozen=True)
class TlsServer:
    """A server behind TLS that asks every client for a certificate."""

    port: int
    plain: EmbeddedRedis
    authority: Authority
    client_files: tuple[Path, Path]

    def env(self) -> dict[str, str]:
        """The variables that point a process at it, with all that it asks for."""
        return {
            "REDIS_URL": f"rediss://127.0.0.1:{self.port}/0",
            "REDIS_TLS_CA_FILE": str(self.authority.ca_file),
            "REDIS_TLS_CERT_FILE": str(self.client_files[0]),
            "REDIS_TLS_KEY_FILE": str(self.client_files[1]),
        }


@pytest.fixture(params=["proxy", "server"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TlsServer]:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.sign("127.0.0.1")
    client_files = authority.sign("worker")
    if request.param == "proxy":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        with servers.embedded_redis() as server, running_tls_proxy(server.port, context) as proxy:
            yield TlsServer(proxy.port, server, authority, client_files)
        return
    port = servers.free_port()
    files: Any = {"tls_cert_file": str(cert_file), "tls_key_file": str(key_file)}
    files |= {"tls_port": str(port), "tls_ca_cert_file": str(authority.ca_file)}
    with servers.starting_tls_servers(), servers.embedded_redis(**files) as server:
        yield TlsServer(port, server, authority, client_files)


def test_every_script_and_view_works_over_tls(tls: TlsServer, queue_name: str) -> None:
    with tls.plain.client() as admin:
        run_every_step(RedisSettings.from_env(tls.env()), queue_name, admin)


def test_a_sleeping_worker_is_woken_over_tls_by_its_bell_and_by_time(
    tls: TlsServer, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    with Queue(RedisSettings.from_env(tls.env()), queue_name) as queue:
        # Round after round the same connection, longer than a test may take if a wake-up were missed
        running = start_worker(queue, lambda _: None, settings=WorkerSettings(round_s=60))
        wait_until(lambda: running.worker._is_holding, "the worker")
        for number in range(20):
            # Long data fill more than one record of TLS.
            queue.enqueue({"pad": "x" * number * 3_000}, job_id=str(number), delay_s=0.02 * (number % 2))
            wait_until(lambda n=number: _is_completed(queue, str(n)), f"job {number}", 5)  # type: ignore[misc]
        running.stop()
    assert running.error is None


def _is_completed(queue: Queue, job_id: str) -> bool:
    job = queue.find_job(job_id)
    return job is not None and job.state is JobState.COMPLETED


def test_the_command_line_speaks_tls(tls: TlsServer, queue_name: str) -> None:
    with Queue(RedisSettings.from_env(tls.env()), queue_name) as queue:
        queue.enqueue({}, job_id="1")

    class Environment:
        env = staticmethod(tls.env)

    given: Any = Environment
    shown = run(given, "--queue", queue_name, "inspect", "job", "1")

    assert (shown.returncode, "waiting" in shown.stdout) == (0, True), shown.stderr


def test_a_server_that_nobody_we_trust_vouches_for_gets_nothing(
    tls: TlsServer, queue_name: str, tmp_path: Path, start_worker: Callable[..., Running]
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    env = {**tls.env(), "REDIS_TLS_CA_FILE": str(stranger.ca_file), "REDIS_PASSWORD": "hush-hush"}

    with Queue(RedisSettings.from_env(env), queue_name) as queue:
        with pytest.raises(ServerUntrusted, match="REDIS_TLS_CA_FILE") as caught:
            queue.enqueue({}, job_id="1")
        running = start_worker(queue, lambda _: None)
        running.join()

    assert isinstance(running.error, ServerUntrusted), "a worker ends at its start, it doesn't wait for another server"
    assert "hush-hush" not in str(caught.value)
    with tls.plain.client() as client:
        assert client.keys("rosq:*") == []


def test_a_certificate_of_another_name_is_refused_unless_names_arent_checked(tls: TlsServer, queue_name: str) -> None:
    env = {**tls.env(), "REDIS_URL": f"rediss://localhost:{tls.port}/0"}

    with Queue(RedisSettings.from_env(env), queue_name) as queue, pytest.raises(ServerUntrusted, match="name"):
        queue.enqueue({}, job_id="1")
    with Queue(RedisSettings.from_env({**env, "REDIS_TLS_CHECK_NAME": "0"}), queue_name) as queue:
        assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.CREATED


def test_a_client_without_the_certificate_that_is_asked_for_is_refused(tls: TlsServer, queue_name: str) -> None:
    env = {
        name: value for name, value in tls.env().items() if name not in ("REDIS_TLS_CERT_FILE", "REDIS_TLS_KEY_FILE")
    }

    with (
        Queue(RedisSettings.from_env(env), queue_name) as queue,
        pytest.raises(ServerUnreachable) as caught,
    ):
        queue.enqueue({}, job_id="1")

    assert not isinstance(caught.value, ServerRefused) or "certificate" in str(caught.value)


def test_files_that_hold_no_certificate_or_dont_belong_together_are_told_in_a_sentence(
    queue_name: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    authority = Authority(tmp_path)
    (cert_file, key_file), (_, other_key_file) = authority.sign("one"), authority.sign("two")
    locked = subprocess.run(
        ["openssl", "pkey", "-in", str(key_file), "-aes256", "-passout", "pass:hush-hush"],
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "locked.pem").write_text(locked.stdout)
    wrong: list[dict[str, Any]] = [
        {"tls_ca_file": str(tmp_path / "empty.pem")},
        {"tls_cert_file": str(cert_file), "tls_key_file": str(other_key_file)},
        {"tls_cert_file": str(cert_file), "tls_key_file": str(tmp_path / "locked.pem")},
    ]

    for files in wrong:
        settings = RedisSettings(is_tls=True, port=1, **files)
        with (
            Queue(settings, queue_name) as queue,
            pytest.raises(ServerUnreachable, match="TLS_CA") as caught,
        ):
            queue.enqueue({}, job_id="1")
        assert caught.value.code == "TLS files"


def test_tls_with_a_server_that_speaks_none_is_told_as_that(own_redis: EmbeddedRedis, queue_name: str) -> None:
    settings = RedisSettings(port=own_redis.port, is_tls=True, connect_timeout_s=0.3)

    with Queue(settings, queue_name) as queue, pytest.raises(ServerUnreachable, match=r"by TLS.* REDIS_TLS") as caught:
        queue.enqueue({}, job_id="1")

    assert (type(caught.value), caught.value.code) == (ServerUnreachable, "no TLS")


def test_a_server_that_speaks_tls_only_is_named_to_who_speaks_none(tls: TlsServer, queue_name: str) -> None:
    settings = RedisSettings(port=tls.port, connect_timeout_s=0.3)

    with Queue(settings, queue_name) as queue, pytest.raises(ServerUnreachable, match="REDIS_TLS"):
        queue.enqueue({}, job_id="1")
