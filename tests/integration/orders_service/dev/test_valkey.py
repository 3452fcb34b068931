"""The embedded Valkey: durable, closed to others, and never evicting."""

from __future__ import annotations

import signal
import stat

import pytest
import redis

from orders_service.dev.folder import StateFolder
from orders_service.dev.supervisor import Supervisor
from orders_service.dev.valkey import EmbeddedValkey, is_answering


@pytest.fixture
def folder(tmp_path):
    with StateFolder(tmp_path / "state") as folder:
        yield folder


@pytest.fixture
def server(folder):
    return EmbeddedValkey(
        folder.path / "valkey with space",
        port=folder.port("valkey"),
        password=folder.secret("redis-password"),
        run_dir=folder.run_dir,
        log_path=folder.log_path("valkey"),
        marker=folder.path,
    )


def connect(server):
    return redis.Redis(
        host=server.env["REDIS_HOST"],
        port=int(server.env["REDIS_PORT"]),
        password=server.env["REDIS_PASSWORD"],
        decode_responses=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_acknowledged_survives_its_end(server, number):
    with Supervisor() as supervisor:
        child = supervisor.adopt(server.start())
        supervisor.wait_ready(child, server.is_ready)
        with connect(server) as client:
            client.set("kept", "1")
        if number is signal.SIGKILL:
            supervisor.kill(child)

    with Supervisor() as supervisor:
        supervisor.wait_ready(supervisor.adopt(server.start()), server.is_ready)
        with connect(server) as client:
            assert client.get("kept") == "1"


def test_it_keeps_every_write_and_never_evicts(server):
    with Supervisor() as supervisor:
        supervisor.wait_ready(supervisor.adopt(server.start()), server.is_ready)
        with connect(server) as client:
            settings = {key: client.config_get(key)[key] for key in ("appendonly", "appendfsync", "maxmemory-policy")}

    assert settings == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


def test_nobody_gets_in_without_the_password_which_no_other_user_can_read(server, folder):
    with Supervisor() as supervisor:
        supervisor.wait_ready(supervisor.adopt(server.start()), server.is_ready)

        assert not is_answering("127.0.0.1", server.port, None)
        assert not is_answering("127.0.0.1", server.port, "guessed")

    config = folder.path / "valkey with space" / "valkey.conf"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
