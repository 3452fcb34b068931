"""redis-py's client as rosq uses it: text answers, RESP2, no repeating of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.connection.connecting import Connector

if TYPE_CHECKING:
    import redis

    from rosq.settings import RedisSettings


def make_client(settings: RedisSettings, client_name: str, key: str) -> redis.Redis:
    """Return a client that connects when it is first used; the caller closes it.

    Args:
        key: Any key of the queue: on a Cluster the client speaks to the node that has it, and to no other.
    """
    return Connector(settings, key).make_client(client_name)
