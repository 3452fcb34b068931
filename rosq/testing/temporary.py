"""A queue that is there for one test."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from rosq.connection.connecting import make_client
from rosq.queue import Queue
from rosq.settings import RedisSettings
from rosq.store import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rosq.hooks import Hook
    from rosq.settings import QueueSettings

_BATCH = 1_000


@contextlib.contextmanager
def temporary_queue(
    redis_settings: RedisSettings | None = None,
    *,
    settings: QueueSettings | None = None,
    hooks: Iterable[Hook] = (),
) -> Iterator[Queue]:
    """Give a queue with a name of its own for the time of the block, and delete all its keys at the end.

    Nobody else's keys are touched, so it may lie on a server that others use. A worker that still runs at the end
    makes some of the keys anew: stop it before. A process that is killed leaves the queue behind, named `test-…`.

    Args:
        redis_settings: Where Redis is; this machine's by default.
        settings: What the queue keeps.
        hooks: As of `Queue`.

    Raises:
        ServerUnreachable: From the queue's methods, or at the end: the keys are still there then.
    """
    where = redis_settings or RedisSettings()
    with Queue(where, f"test-{secrets.token_hex(8)}", settings, hooks=hooks) as queue:
        try:
            yield queue
        finally:
            _delete_keys(queue)


def _delete_keys(queue: Queue) -> None:
    with contextlib.closing(make_client(queue.redis_settings, "rosq-testing", queue.keys.meta)) as client:
        batch: list[str] = []
        for key in client.scan_iter(match=f"rosq:{{{queue.name}}}:*", count=_BATCH):
            batch.append(str(key))
            if len(batch) == _BATCH:
                client.unlink(*batch)
                batch.clear()
        if batch:
            client.unlink(*batch)
        registry.strike_queue(queue.name, queue.redis_settings, client.execute_command)
