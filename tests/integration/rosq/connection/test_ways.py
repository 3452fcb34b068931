"""Every way to one server: by URL, unix socket, password, and as a user who may do no more than the docs say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from rosq import EnqueueOutcome, Queue, RedisSettings, ServerRefused
from tests.integration.rosq.commands.test_cli import run
from tests.integration.rosq.conftest import ROOT
from tests.integration.rosq.every_step import run_every_step
from tests.servers import EmbeddedRedis, embedded_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PASSWORD = "p@ss/w:rd%"
_QUOTED = "p%40ss%2Fw%3Ard%25"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server with a password, a socket, and the users of the docs."""
    path = str(tmp_path_factory.mktemp("s") / "redis.sock")
    with embedded_redis(requirepass=_PASSWORD, unixsocket=path) as server, server.client() as client:
        for line in list_acl_lines():
            client.execute_command(*line.replace("PASSWORD", _PASSWORD).split())
        yield server


def list_acl_lines() -> list[str]:
    """The commands of docs/servers.md that make its three users."""
    lines = re.findall(r"^ACL SETUSER .*$", (ROOT / "docs" / "servers.md").read_text(), re.MULTILINE)
    assert [line.split()[2] for line in lines] == ["rosq", "rosq-reader", "rosq-operator"]
    return lines


def _socket_of(server: EmbeddedRedis) -> str:
    with server.client() as client:
        return str(client.config_get("unixsocket")["unixsocket"])


def _ways(server: EmbeddedRedis) -> dict[str, dict[str, str]]:
    path = _socket_of(server)
    secret = {"REDIS_PASSWORD": _PASSWORD}
    user = {"REDIS_USERNAME": "rosq-operator", **secret}
    return {
        "host and port": {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), **secret},
        "url": {"REDIS_URL": f"redis://:{_QUOTED}@127.0.0.1:{server.port}"},
        "url with user": {"REDIS_URL": f"redis://default:{_QUOTED}@localhost:{server.port}/0"},
        "url with database": {"REDIS_URL": f"redis://:{_QUOTED}@127.0.0.1:{server.port}/5"},
        "url without password": {"REDIS_URL": f"redis://127.0.0.1:{server.port}", **user},
        "unix socket": {"REDIS_UNIX_SOCKET": path, **secret},
        "unix url": {"REDIS_URL": f"unix://:{_QUOTED}@{path}?db=5"},
    }


@pytest.mark.parametrize(
    "way",
    ["host and port", "url", "url with user", "url with database", "url without password", "unix socket", "unix url"],
)
def test_each_way_leads_to_the_same_queue_of_its_database(guarded: EmbeddedRedis, queue_name: str, way: str) -> None:
    env = _ways(guarded)[way]
    settings = RedisSettings.from_env(env)

    with Queue(settings, queue_name) as queue:
        assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.CREATED

    with guarded.client() as client:
        client.execute_command("SELECT", settings.db)
        assert client.exists(queue.keys.job("1"))
    assert settings.db == (5 if "database" in way or way == "unix url" else 0)

    class Environment:
        @staticmethod
        def env() -> dict[str, str]:
            return env

    given: Any = Environment
    shown = run(given, "--queue", queue_name, "inspect", "job", "1")
    assert (shown.returncode, "waiting" in shown.stdout) == (0, True), shown.stderr


def test_what_is_typed_wins_over_the_environment(guarded: EmbeddedRedis, queue_name: str) -> None:
    ways = _ways(guarded)
    with Queue(RedisSettings.from_env(ways["url"]), queue_name) as queue:
        queue.enqueue({}, job_id="1")

    class Environment:
        @staticmethod
        def env() -> dict[str, str]:
            return {"REDIS_SENTINELS": "127.0.0.1:1", "REDIS_SENTINEL_MASTER": "other"}

    given: Any = Environment
    shown = run(given, "--redis-url", ways["url"]["REDIS_URL"], "--queue", queue_name, "inspect", "job", "1")
    twice = run(given, "--redis-url", "redis://h", "--redis-host", "h", "--queue", queue_name, "inspect")

    assert (shown.returncode, "waiting" in shown.stdout) == (0, True), shown.stderr
    assert twice.returncode == 2
    assert "REDIS_URL and REDIS_HOST both say where Redis is" in twice.stderr


def test_users_with_the_rights_of_the_docs_and_no_others_can_do_all_that_is_theirs(
    guarded: EmbeddedRedis, queue_name: str
) -> None:
    def as_user(name: str) -> RedisSettings:
        return RedisSettings(port=guarded.port, username=name, password=_PASSWORD)

    with guarded.client() as admin:
        admin.execute_command("ACL", "LOG", "RESET")

        run_every_step(
            as_user("rosq"), queue_name, admin, operator=as_user("rosq-operator"), reader=as_user("rosq-reader")
        )

        # The doctor asks for the configuration, and does without where it may not
        refused: Any = admin.acl_log()
        assert {entry["object"] for entry in refused} <= {"config|get", "config", "slowlog|get", "slowlog"}


def test_a_user_without_a_right_is_told_which_and_nothing_is_written(guarded: EmbeddedRedis, queue_name: str) -> None:
    with guarded.client() as admin:
        settings = RedisSettings(port=guarded.port, username="rosq-reader", password=_PASSWORD)
        with Queue(settings, queue_name) as queue, pytest.raises(ServerRefused, match=r"(?i)sadd"):
            queue.enqueue({}, job_id="1")

        assert not admin.keys(f"rosq:{{{queue_name}}}:*")


def test_the_socket_is_named_where_it_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.sock")

    shown = run(_Nobody, "--redis-unix-socket", path, "inspect")  # type: ignore[arg-type]

    assert shown.returncode == 3
    assert path in shown.stderr


class _Nobody:
    @staticmethod
    def env() -> dict[str, str]:
        return {}
