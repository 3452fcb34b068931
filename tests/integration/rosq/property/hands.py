"""The worker's side of a run: processes without loops, of one connection, some of which are dead or mistaken."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rosq import RetryPolicy, ServerUnreachable, WorkerSettings
from rosq.consumer import Consumer
from rosq.stop import StopClock
from rosq.wire import Wire
from tests.integration.rosq.property.model import LEASE_S, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq import Delivery, RedisSettings
    from rosq.alarm import Alarm
    from rosq.keys import Keys
    from rosq.script import Script
    from rosq.settlement import Settlement

WORKER_SETTINGS = WorkerSettings(lease_s=LEASE_S)


class LossyWire(Wire):
    """A connection on which an answer can be lost after the script has run, or a script can arrive twice."""

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(settings)
        self.is_losing_next = False
        self.is_doubling_next = False

    def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        is_losing, self.is_losing_next = self.is_losing_next, False
        is_doubling, self.is_doubling_next = self.is_doubling_next, False
        answer = super().run(script, keys, args)
        if is_doubling:
            answer = super().run(script, keys, args)
        if is_losing:
            raise ServerUnreachable(self.address, "the answer was lost")
        return answer


@dataclasses.dataclass(kw_only=True)
class Process:
    """One process of a worker, as far as it knows itself."""

    consumer: Consumer
    lanes: tuple[str, ...]
    delivery: Delivery | None = None
    #: Told without an answer: to be told again before anything else.
    untold: Settlement | None = None
    #: It believes that it holds its name.
    is_holding: bool = False
    #: The token of a delivery that it let run too long.
    overran: str = ""
    #: Its last fetch brought nothing, and no answer of it is missing: it would sleep now.
    is_idle: bool = False

    @property
    def name(self) -> str:
        return self.consumer.name

    @property
    def instance(self) -> str:
        return self.consumer.instance


def start_process(keys: Keys, wire: Wire, alarm: Alarm, name: str, lanes: tuple[str, ...]) -> Process:
    """A process that holds nothing yet."""
    consumer = Consumer(
        keys=keys,
        wire=wire,
        name=name,
        queue_settings=SETTINGS,
        settings=WORKER_SETTINGS,
        policy=RetryPolicy(max_attempts=3),
        stop=StopClock(10, 5),
        alarm=alarm,
    )
    return Process(consumer=consumer, lanes=lanes)
