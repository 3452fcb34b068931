"""Keys of a queue that are of another type than rosq's: something else wrote them, and no view of it can be had."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rosq import errors
from rosq.connection.reading import is_wrong_type
from rosq.inspect.bounds import MAX_LANES, MAX_WORKERS
from rosq.inspect.finding import ERROR, Finding

if TYPE_CHECKING:
    from rosq.store.keys import Keys


class QueueDamaged(errors.ScriptFailed):
    """A key of a queue is of another type than rosq's: only the doctor can look at it, and names the key."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        super().__init__(
            f"Queue {queue} is damaged: a key of it is of another type than rosq's. "
            f"`rosq --queue {queue} doctor` says which, and what to do."
        )


def find_damage(client: Any, keys: Keys) -> list[Finding]:
    """Name the keys of another type among those that views read: the queue's own, lanes, and holds of workers."""
    sorted_sets = (keys.workers, keys.delayed, keys.completed, keys.failed, keys.cancelled)
    lists = _find(client, [(keys.meta, "hash"), (keys.lanes, "set"), *((key, "sorted set") for key in sorted_sets)])
    damaged = {key for key, _ in lists}
    lanes = [] if keys.lanes in damaged else sorted(client.smembers(keys.lanes))[:MAX_LANES]
    workers = [] if keys.workers in damaged else client.zrange(keys.workers, 0, MAX_WORKERS - 1)
    others = [(keys.events, "stream"), *((keys.lane(lane), "stream") for lane in lanes)]
    others += [(keys.worker(name), "hash") for name in workers]
    return [_tell(key, kind) for key, kind in (*lists, *_find(client, others))]


def tell_of_unnamed(keys: Keys) -> Finding:
    """Say that there is such a key, where none of those that views read is one."""
    return Finding(
        level=ERROR,
        subject="keys",
        seen="A key of the queue is of another type than rosq's, so that not all was looked at.",
        advice=(
            f"Find it by its type, string, list and so on: `redis-cli --scan --pattern {shlex.quote(keys.pattern)} "
            "--type string`; docs/redis-keys.md has the type of each. Put it aside by RENAMENX."
        ),
    )


def _find(client: Any, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that aren't of the wanted type. Asked by reading: a user who only looks has no right to TYPE."""
    pipe = client.pipeline(transaction=False)
    for key, kind in wanted:
        if kind == "hash":
            pipe.hget(key, "")
        elif kind == "set":
            pipe.sismember(key, "")
        elif kind == "sorted set":
            pipe.zcard(key)
        else:
            pipe.xlen(key)
    found = []
    for each, answer in zip(wanted, pipe.execute(raise_on_error=False), strict=True):
        if isinstance(answer, Exception):
            if not is_wrong_type(answer):
                raise answer
            found.append(each)
    return found


def _tell(key: str, kind: str) -> Finding:
    # In one slot with the queue, as a Cluster demands, and outside of its keys.
    aside = f"{shlex.quote(key)} {shlex.quote(f'damaged:{key}')}"
    return Finding(
        level=ERROR,
        subject="keys",
        seen=f"{key} isn't a {kind}: something else wrote it, and what rosq kept there is gone.",
        advice=(
            f"Find out what writes it, put it aside (`redis-cli RENAMENX {aside}`), then look by `rosq doctor` and "
            "`rosq repair --dry-run` what can be mended."
        ),
    )
