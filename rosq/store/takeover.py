"""Taking over a queue that an older rosq made: from then on jobs are written that the older one doesn't understand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosq.errors import ServerUnfit
from rosq.scripts import loader
from rosq.store import fitness
from rosq.store.keys import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.store.keys import Keys


def take_over(call: Callable[..., Any], keys: Keys) -> None:
    """Note that the queue has our key schema, so that an older rosq refuses it (`take_over.lua`).

    Nothing is done where it has it already, or doesn't exist yet. An older rosq looks when it connects; one of its
    workers that is at work would drop jobs that it doesn't understand, so the queue is left alone while there is one.

    Args:
        call: Sends a command to the server that has the queue.

    Raises:
        ServerUnfit: A newer rosq has written it, or a worker of an older one still serves it.
    """
    found = call("HGET", keys.meta, "schema_version")
    fitness.check_schema(found, keys)
    if found is None or int(found) >= SCHEMA_VERSION:
        return
    workers: list[str] = call("ZRANGE", keys.workers, 0, -1)
    holds = [keys.worker(name) for name in workers]
    older = call("EVAL", loader.load("take_over").source, 1 + len(holds), keys.meta, *holds, SCHEMA_VERSION)
    if older:
        raise ServerUnfit(
            f"Queue {keys.queue} has an older key schema ({found}), and worker {workers[older - 1]} of an older rosq "
            "still serves it: stop it first, or wait until its hold on its name has run out."
        )
