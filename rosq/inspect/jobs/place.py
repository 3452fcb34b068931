"""Where a waiting job stands in its lane, and who reads that lane."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.translating import is_missing
from rosq.names import RECOVERY_CONSUMER
from rosq.store.keys import GROUP
from rosq.store.liveness import find_last_delivered

if TYPE_CHECKING:
    from rosq.inspect.parts import WorkerView
    from rosq.store.keys import Keys

#: Entries that are counted one by one: a stream can't say how many lie before one.
_MAX_COUNTED = 5_000
_PAGE = 200
#: An idle worker looks into its lanes at least every so many seconds (`WorkerSettings.round_s`), with some to spare.
_ROUND_S = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a lane."""

    #: Jobs that will be handed out before it.
    ahead: int
    #: False: there are more than that.
    is_exact: bool


def find_place(client: Any, keys: Keys, lane: str, entry_id: str) -> Place:
    """Count the jobs ahead of an entry that was not handed out yet, up to a bound."""
    stream = keys.lane(lane)
    start = f"({last}" if (last := find_last_delivered(client, stream)) else "-"
    ahead = 0
    while ahead < _MAX_COUNTED:
        entries = client.xrange(stream, start, f"({entry_id}", count=_PAGE)
        ahead += len(entries)
        if len(entries) < _PAGE:
            return Place(ahead=ahead, is_exact=True)
        start = f"({entries[-1][0]}"
    return Place(ahead=ahead, is_exact=False)


def list_readers(client: Any, keys: Keys, lane: str, workers: list[WorkerView]) -> list[WorkerView]:
    """Name the living workers that read a lane, as far as the server knows: busy ones that ever did, and idle ones that
    did lately."""
    try:
        consumers = client.xinfo_consumers(keys.lane(lane), GROUP)
    except redis_errors.ResponseError as error:
        if is_missing(error):
            return []
        raise
    idle_s = {consumer["name"]: consumer["idle"] / 1000 for consumer in consumers}
    idle_s.pop(RECOVERY_CONSUMER, None)
    alive = [worker for worker in workers if worker.state != "lost" and worker.name in idle_s]
    return [worker for worker in alive if worker.state == "busy" or idle_s[worker.name] <= _ROUND_S]
