"""The test server keeps what the other tests rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers import EmbeddedRedis


def test_a_killed_server_comes_back_on_the_same_port_with_its_data(own_redis: EmbeddedRedis) -> None:
    with own_redis.client() as client:
        client.set("kept", "yes")

    own_redis.kill()
    own_redis.start()

    with own_redis.client() as client:
        assert client.get("kept") == "yes"
