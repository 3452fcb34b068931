"""Which queues there are: a list for tools that look for the only one. No queue depends on it.

The list's key belongs to no queue, so on a Cluster it may lie on another node than any of them.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq import errors, facts
from rosq.connection.connecting import Connector, make_client, make_cluster_guide
from rosq.connection.reading import read_hashes
from rosq.connection.translating import is_wrong_type
from rosq.connection.wire import Wire
from rosq.names import is_queue_name
from rosq.store.keys import QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from rosq.redis_settings import RedisSettings

log = logging.getLogger(__name__)

#: Steps of SCAN when the list is lost; each looks at a thousand keys.
_SCAN_STEPS = 200


def note_queue(name: str, settings: RedisSettings, call: Callable[..., Any]) -> None:
    """Put a queue's name on the list.

    Args:
        call: Sends a command to the server that has the queue: the list is there too, except on a Cluster. There a
            connection of its own is opened for it, and where that fails the queue goes to work all the same.
    """
    try:
        _change_list("SADD", name, settings, call)
    except (errors.ServerUnreachable, errors.ScriptFailed, redis_errors.ResponseError) as error:
        # Nor does a queue depend on what something else wrote in the list's place.
        is_harmless = is_wrong_type(error) or (isinstance(error, errors.ServerUnreachable) and settings.cluster_nodes)
        if not is_harmless:
            raise
        log.warning(
            "The queue's name couldn't be noted; `rosq inspect` needs --queue until a further process notes it",
            extra={"event": "queue_not_noted", "queue": name, **facts.of_error(error)},
        )


def list_noted(client: redis.Redis) -> list[str]:
    """The names on the list that a queue can have; none where something else lies in its place."""
    pipe = client.pipeline(transaction=False)
    pipe.smembers(QUEUES)
    [names] = read_hashes(pipe)
    return sorted(name for name in names or () if is_queue_name(name))


def strike_queue(name: str, settings: RedisSettings, call: Callable[..., Any]) -> None:
    """Take a queue's name off the list; `call` as of `note_queue`.

    Raises:
        ServerUnreachable: No answer; it may be off or not.
    """
    _change_list("SREM", name, settings, call)


def _change_list(command: str, name: str, settings: RedisSettings, call: Callable[..., Any]) -> None:
    if not settings.cluster_nodes:
        call(command, QUEUES, name)
        return
    wire = Wire(Connector(settings, QUEUES), "rosq-registry")
    try:
        wire.call(command, QUEUES, name)
    finally:
        wire.close()


def scan_for_queues(settings: RedisSettings) -> list[str]:
    """Look for queues by their keys, for a bounded while: the list of names is lost with all data, and comes back late.

    Raises:
        redis.RedisError: A server gives no answer.
    """
    names: set[str] = set()
    for each in _list_servers(settings):
        with make_client(each, "rosq-inspect", QUEUES) as client:
            names.update(_scan(client))
    return sorted(names)


def _list_servers(settings: RedisSettings) -> list[RedisSettings]:
    if not settings.cluster_nodes:
        return [settings]
    masters = make_cluster_guide(settings, QUEUES).list_masters()
    return [dataclasses.replace(settings, cluster_nodes=(), host=host, port=port) for host, port in masters]


def _scan(client: redis.Redis) -> set[str]:
    names: set[str] = set()
    cursor = 0
    for _ in range(_SCAN_STEPS):
        cursor, found = client.scan(cursor, match="rosq:{*}:meta", count=1000)
        told = (str(key).removeprefix("rosq:{").removesuffix("}:meta") for key in found)
        names.update(name for name in told if is_queue_name(name))
        if cursor == 0:
            break
    return names
