"""redis-py's client as rosq uses it: text answers, RESP2, no repeating of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from rosq.settings import RedisSettings


def make_client(settings: RedisSettings, client_name: str) -> redis.Redis:
    """Return a client that connects when it is first used; the caller closes it."""
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        db=settings.db,
        username=settings.username,
        password=settings.password,
        socket_connect_timeout=settings.connect_timeout_s,
        socket_timeout=settings.answer_timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=True,
        client_name=client_name,
    )
