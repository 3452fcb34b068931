"""Whether a server, and what lies on it, can be trusted with jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import errors, facts
from rosq.store.fields import read_whole
from rosq.store.keys import SCHEMA_VERSION

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

#: The oldest server whose streams do what the scripts need (XAUTOCLAIM, exclusive ranges).
OLDEST_VERSION = (6, 2)


def check_server(wire: Wire) -> None:
    """Refuse a server on which a queue's jobs wouldn't be safe.

    A policy that evicts is refused without a memory limit too: the limit can be set at any time while workers run, and
    what goes first under the volatile policies is the hold on a worker's name.

    Raises:
        ServerUnfit: It evicts keys, or is older than 6.2.
    """
    info = parse_info(wire.call("INFO"))
    version = info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        raise errors.ServerUnfit(f"Redis at {wire.address} is version {version}. rosq needs 6.2 or newer: upgrade it.")
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise errors.ServerUnfit(
            f"Redis at {wire.address} may evict keys (maxmemory-policy is {policy}), and jobs would vanish. "
            "Set maxmemory-policy to noeviction."
        )


def check_schema(found: str | None, keys: Keys) -> None:
    """Refuse a queue whose keys a newer rosq has written.

    Raises:
        QueueNewer: Its key-schema version is above ours.
        QueueDamaged: It is no number.
    """
    if found is None:
        return
    version = read_whole(found)
    if version is None:
        raise errors.QueueDamaged(keys.queue, f"no rosq writes a key schema {facts.clean(found)[:20]!r}")
    if version > SCHEMA_VERSION:
        raise errors.QueueNewer(keys.queue, version, SCHEMA_VERSION)


def parse_info(text: str) -> dict[str, str]:
    """Read what INFO answers."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}
