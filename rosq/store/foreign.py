"""Keys of a queue that are of another type than rosq's: something else wrote them, and what lay there is gone.

Who only looks names them. `rosq repair` puts them aside, under a name of their own, so that nothing is thrown away;
what can be made anew from the other keys is made by the mends of half-states.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq.facts import clean
from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

#: Keys that one step of a walk looks at.
_PAGE = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A key of another type."""

    key: str
    #: As TYPE calls it.
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.key} is a {_NAMES[self.found]}, not a {_NAMES[self.wanted]}"


_NAMES = {
    "string": "string",
    "list": "list",
    "hash": "hash",
    "set": "set",
    "zset": "sorted set",
    "stream": "stream",
}


def find_among(wire: Wire, keys: Keys, names: Sequence[str]) -> list[ForeignKey]:
    """Find those of some keys that are of another type.

    Raises:
        ServerUnreachable: No answer; repeat it.
    """
    foreign = []
    for name, found in zip(names, wire.call_many([("TYPE", name) for name in names]), strict=True):
        wanted = keys.type_of(name)
        if wanted is not None and found not in (wanted, "none"):
            foreign.append(ForeignKey(key=name, wanted=wanted, found=found))
    return foreign


def step(wire: Wire, keys: Keys, cursor: str) -> tuple[str, int, list[ForeignKey]]:
    """Look at the next keys of the queue: where to go on ('0' at the end), how many there were, those of another type.

    Raises:
        ServerUnreachable: No answer; repeat it.
    """
    after, names = wire.call("SCAN", cursor, "MATCH", keys.pattern, "COUNT", _PAGE)
    return after, len(names), find_among(wire, keys, names)


def list_needed(keys: Keys, *, lanes: Sequence[str] = (), worker: str = "") -> list[str]:
    """The keys without which a worker of these lanes can't work."""
    names = [keys.meta, keys.events, keys.lanes, keys.workers, keys.delayed, keys.timer_bell]
    names += [keys.completed, keys.failed, keys.cancelled]
    names += [key for lane in lanes for key in (keys.lane(lane), keys.lane_bell(lane))]
    return [*names, keys.worker(worker), keys.name_bell(worker)] if worker else names


def find_in_the_way(wire: Wire, keys: Keys, *, lanes: Sequence[str], worker: str) -> str | None:
    """Say what lies in the queue that keeps every job of these lanes from running; None: nothing does.

    Raises:
        ServerUnreachable: No answer; repeat it.
        ScriptFailed: It couldn't be looked at, for a reason that has nothing to do with types.
    """
    found = find_among(wire, keys, list_needed(keys, lanes=lanes, worker=worker))
    if found:
        return "; ".join(map(str, found))
    fields, workers = wire.run(loader.load("examine_meta"), [keys.meta, keys.workers], [])
    bad = fields[::2] or workers[::2]
    return f"{keys.meta if fields else keys.workers} can't be read ({', '.join(map(clean, bad))})" if bad else None


def name_aside(wire: Wire, keys: Keys, key: str) -> str:
    """The name under which a key is put aside now."""
    return keys.aside(key, wire.server_ms())


def put_aside(wire: Wire, keys: Keys, key: str, *, max_events: int, by: str, reason: str) -> bool:
    """Give a key another name (`put_aside.lua`); False where it isn't there any more, or has come right.

    Raises:
        ServerUnreachable: No answer; repeat it.
    """
    names = [key, name_aside(wire, keys, key), keys.events]
    args: list[str | int] = [max_events, keys.type_of(key) or "", by, reason, int(key.startswith(keys.job_prefix))]
    return bool(wire.run(loader.load("put_aside"), names, args) == 1)
