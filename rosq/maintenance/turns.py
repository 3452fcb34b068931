"""Whose turn a pass is: one worker's at a time, each period, and not before the server has answered for long enough."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from rosq.delays import to_ms
from rosq.scripts import loader

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.maintenance.service import Service
    from rosq.store.keys import Keys

#: Of a lease, the time without an answer that counts as an outage. Holders renew each third of a lease, and within a
#: fifteenth of one after a failure: whoever lives has renewed by the end of a shorter one.
_OUTAGE = 1 / 2
#: Of a period, the part for which the turn is over: a little less than one, so that the same worker may have the next.
_REST = 0.9


class Turns:
    """The turns of one worker (`take_turn.lua`).

    A gap is looked for in Redis, not at one's own connection: connections may be cut off by a proxy as often as it
    likes, and workers may live as short as they like, as long as one of them is there.

    Args:
        lease_ms: The worker's; those of the same lease look for gaps together.
    """

    def __init__(self, *, keys: Keys, wire: Wire, lease_ms: int) -> None:
        self._keys = keys
        self._wire = wire
        self._lease_ms = lease_ms
        self._token = secrets.token_hex(12)

    def take(self, service: Service) -> bool:
        """Take the turn of a service if nobody has it and its time has come."""
        return self._ask(service, self._lease_ms, is_mine=False, steady_ms=to_ms(service.steady_s))

    def keep(self, service: Service) -> bool:
        """Keep it; False where another has it by now: this one was too slow. Who dies loses it within a lease."""
        return self._ask(service, self._lease_ms, is_mine=True)

    def finish(self, service: Service) -> None:
        """Leave it to whoever comes first when the period is over."""
        self._ask(service, to_ms(service.period_s * _REST), is_mine=True)

    def _ask(self, service: Service, life_ms: int, *, is_mine: bool, steady_ms: int = 0) -> bool:
        keys = [self._keys.turn(service.name), self._keys.steady(self._lease_ms)]
        outage_ms = max(int(self._lease_ms * _OUTAGE), 1)
        args: list[str | int] = [self._token, max(life_ms, 1), int(is_mine), outage_ms, steady_ms]
        return bool(self._wire.run(loader.load("take_turn"), keys, args))
