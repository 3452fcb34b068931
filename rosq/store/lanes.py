"""The lanes of a queue, however many there are: page by page, so that nobody asks for all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.scripts import loader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

#: Lanes that one round trip, or one script, looks at: about a millisecond of the server's time.
PAGE = 100


def iterate_lanes(wire: Wire, keys: Keys) -> Iterator[list[str]]:
    """Give the names of all lanes by the page, some maybe twice; one that comes or goes meanwhile may be among them.

    Raises:
        ServerUnreachable: No answer; begin anew.
        ScriptFailed: The list of lanes is of another type.
    """
    cursor = "0"
    while True:
        cursor, names = wire.call("SSCAN", keys.lanes, cursor, "COUNT", PAGE)
        # It may give more than it was asked for.
        for start in range(0, len(names), PAGE):
            yield names[start : start + PAGE]
        if cursor == "0":
            return


def list_ring_keys(keys: Keys, lanes: Sequence[str]) -> list[str]:
    """The keys of `ring_on.lua` for some lanes."""
    return [keys.delayed, keys.timer_bell, *(key for lane in lanes for key in (keys.lane(lane), keys.lane_bell(lane)))]


def ring_on(wire: Wire, keys: Keys, lanes: Sequence[str]) -> None:
    """Wake someone for whatever waits in these lanes, and for the timer (`ring_on.lua`).

    Raises:
        ServerUnreachable: No answer; ring again.
    """
    for start in range(0, max(len(lanes), 1), PAGE):
        wire.run(loader.load("ring_on"), list_ring_keys(keys, lanes[start : start + PAGE]), [])
