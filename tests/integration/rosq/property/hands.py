"""The worker's side of a run: processes without loops, of one connection, some of which are dead or mistaken."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from rosq import Queue, ServerUnreachable, WorkerSettings
from rosq.connection.connecting import Connector
from rosq.connection.wire import Wire
from rosq.store.keys import QUEUES
from tests.integration.rosq.conftest import Hands, HandsConsumer
from tests.integration.rosq.property.model import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rosq import Delivery, QueueSettings, RedisSettings
    from rosq.connection.alarm import Alarm
    from rosq.connection.wire import Popping
    from rosq.execution.settlement import Settlement
    from rosq.scripts.loader import Script

WORKER_SETTINGS = WorkerSettings(lease_s=LEASE_S)


class LossyWire(Wire):
    """A connection on which an answer can be lost after the script has run, or a script can arrive twice."""

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__(Connector(settings, QUEUES))
        self.is_losing_next = False
        self.is_doubling_next = False

    def run(
        self, script: Script, keys: Sequence[str | bytes], args: Sequence[str | bytes | int], **options: Any
    ) -> Any:
        is_losing, self.is_losing_next = self.is_losing_next, False
        is_doubling, self.is_doubling_next = self.is_doubling_next, False
        answer = super().run(script, keys, args, **options)
        if is_doubling:
            answer = super().run(script, keys, args, **options)
        if is_losing:
            raise ServerUnreachable(self.address, "the answer was lost")
        return answer

    @contextlib.contextmanager
    def popping(
        self,
        keys: Sequence[str],
        timeout_s: float,
        then: bytes | None = None,
    ) -> Iterator[Popping]:
        is_losing, self.is_losing_next = self.is_losing_next, False
        with super().popping(keys, timeout_s, then) as popping:
            yield popping
        if is_losing:
            popping.is_answered, popping.answer = False, None


class LossyQueue(Queue):
    """A queue whose consumers all share one such connection."""

    def __init__(self, settings: RedisSettings, name: str, queue_settings: QueueSettings) -> None:
        super().__init__(settings, name, queue_settings)
        self.wire = LossyWire(settings)

    def make_wire(self, client_name: str, longest_s: float | None = None) -> Wire:
        if client_name.startswith("rosq-worker:"):
            return self.wire
        return super().make_wire(client_name, longest_s)


@dataclasses.dataclass(kw_only=True)
class Process:
    """One process of a worker, as far as it knows itself."""

    consumer: HandsConsumer
    alarm: Alarm
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
    #: When it would promote then, by the model's clock; None: it knows of nothing that is delayed, or doesn't sleep.
    watches_s: float | None = None

    @property
    def name(self) -> str:
        return self.consumer.name

    @property
    def instance(self) -> str:
        return self.consumer.instance


def start_process(queue: LossyQueue, name: str, lanes: tuple[str, ...]) -> Process:
    """A process that holds nothing yet."""
    hands = Hands(queue, name, LEASE_S, None)
    return Process(consumer=hands.consumer, alarm=hands.alarm, lanes=lanes)
