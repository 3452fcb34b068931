"""Where a step is tried: a queue that is only reached through the recorder, and what a test needs to set it up."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from rosq import NewJob, Queue, QueueSettings, RedisSettings, WorkerSettings
from rosq.connection.connecting import make_client
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts import loader
from rosq.steering import Steering
from rosq.store.keys import SCHEMA_VERSION
from rosq.store.standing import StandingSettings, spell_settings
from tests.integration.rosq.conftest import Hands
from tests.integration.rosq.contracts.recorder import Call, Recorder, send_again
from tests.integration.rosq.sweep import Sweep
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rosq import Delivery
    from rosq.store.changes import Seen

LONG = {"text": "x" * 300}
#: A lease that is over before a test gets bored.
SHORT_S = 0.3


class Stage:
    """One queue. Everything goes through the recorder but `client`."""

    def __init__(self, recorder: Recorder, settings: RedisSettings, queue_name: str, client: Any) -> None:
        self._recorder = recorder
        self.queue = Queue(settings, queue_name)
        self.keys = self.queue.keys
        self.client = client
        self.steering = Steering(settings, queue_name, by="ann", reason="a test")
        self._hands: list[Hands] = []

    def close(self) -> None:
        for hands in self._hands:
            hands.close()
        self.steering.__exit__()
        self.queue.close()

    # -- setting the scene ---------------------------------------------------------------------------------------------

    def put(self, *job_ids: str, **options: Any) -> None:
        options.setdefault("data", {"order_id": 1})
        self.queue.enqueue_many([NewJob(job_id=job_id, **options) for job_id in job_ids])

    def hands(self, name: str = "w1", *, is_holding: bool = True, lease_s: float = 30.0, **settings: Any) -> Hands:
        hands = Hands(self.queue, name, lease_s, QueueSettings(**settings) if settings else None)
        self._hands.append(hands)
        if is_holding:
            assert hands.consumer.hold_name() is None
        return hands

    def take(self, hands: Hands | None = None) -> Delivery:
        delivery = (hands or self.hands()).fetch().delivery
        assert delivery is not None
        return delivery

    def let_run_out(self, delivery: Delivery) -> None:
        """Until the lease is over, by the holder's clock and by the server's."""
        wait_until(lambda: not delivery.lease.is_held(), "the lease to run out")
        self.wait_idle()

    def wait_due(self, job_id: str) -> None:
        """Until a delayed job is due."""

        def is_due() -> bool:
            seconds, micros = self.client.time()
            return bool(self.client.zscore(self.keys.delayed, job_id) <= seconds * 1000 + micros // 1000)

        wait_until(is_due, "the job to be due")

    def wait_idle(self) -> None:
        """Until the pending entry of the main lane has been idle for longer than a short lease."""

        def is_idle() -> bool:
            pending = self.client.xpending_range(self.keys.lane("main"), "workers", "-", "+", 1)
            return bool(pending[0]["time_since_delivered"] > SHORT_S * 1000)

        wait_until(is_idle, "the entry to be idle")

    def see(self, job_id: str = "1") -> Seen:
        return self.steering.see([job_id])[job_id]

    # -- steps ---------------------------------------------------------------------------------------------------------

    def settle(self, hands: Hands, delivery: Delivery, outcome: Outcome, *, is_fetching: bool = False) -> None:
        settlement = Settlement(delivery=delivery, outcome=outcome, lane="@a", delay_s=30, error="broken")
        hands.consumer.exchange(settlement, ("main",), is_fetching=is_fetching)

    def beat(self, hands: Hands, delivery: Delivery | None = None) -> None:
        consumer = hands.consumer
        keys = [self.keys.worker(consumer.name), self.keys.workers]
        args: list[str | int] = [consumer.name, consumer.instance, 30_000]
        if delivery is not None:
            keys += [self.keys.job(delivery.job_id), self.keys.lane(delivery.lane)]
            args += [str(delivery.fence), delivery.token, delivery.hold.handed.entry_id]
        consumer.wire.run(loader.load("heartbeat"), keys, args)

    def run(self, name: str, keys: list[str], args: list[str | int]) -> None:
        """Run a script as whoever has seen other things."""
        with contextlib.closing(self.queue.make_wire("test-script")) as wire:
            wire.run(loader.load(name), keys, args)

    def give(self, settings: QueueSettings, *, is_first: int = 0, is_asked: bool = False) -> None:
        """Write settings as the first look of a process does; or ask for it without that look."""
        if is_asked:
            args: list[str | int] = [spell_settings(settings), is_first, settings.max_events, SCHEMA_VERSION]
            self.run("put_settings", [self.keys.meta, self.keys.events], args)
            return
        with contextlib.closing(self.queue.make_wire("test-settings")) as wire:
            StandingSettings(self.keys, settings).look(wire.call)

    def take_turn(self, token: str, *, is_mine: int = 0, steady_ms: int = 0) -> None:
        """Ask for a turn, or to keep it."""
        keys = [self.keys.turn("lanes"), self.keys.steady(30_000)]
        self.run("take_turn", keys, [token, 60_000, is_mine, 15_000, steady_ms])

    def sweep(self, hands: Hands, **settings: Any) -> None:
        """One pass of each service of a worker whose leases are short."""
        Sweep(
            keys=self.keys,
            wire=hands.consumer.wire,
            kept=QueueSettings(**settings),
            settings=WorkerSettings(lease_s=SHORT_S),
        ).run_once()

    def last(self, name: str) -> Call:
        """The last call of a script, and what it answered."""
        return self._recorder.last(name)

    def resend(self, name: str) -> None:
        """Send the last call of a script once more, letter by letter, through the recorder."""
        with make_client(self.queue.redis_settings, "again", self.queue.keys.meta) as client:
            send_again(client, self._recorder.last(name))

    # -- looking at the result -----------------------------------------------------------------------------------------

    def dump(self, ignoring: tuple[str, ...]) -> dict[str, Any]:
        """Everything that the queue has in Redis, but for the keys, or fields of hashes, to be ignored."""
        prefix = self.keys.job_prefix.removesuffix("job:")
        found: dict[str, Any] = {}
        for key in sorted(self.client.keys(f"{prefix}*")):
            name = key.removeprefix(prefix)
            if name in ignoring:
                continue
            kind = self.client.type(key)
            if kind == "hash":
                content = self.client.hgetall(key)
                found[name] = {field: value for field, value in content.items() if field not in ignoring}
            elif kind == "zset":
                found[name] = self.client.zrange(key, 0, -1, withscores=True)
            elif kind == "stream":
                found[name] = self.client.xrange(key)
                found[f"{name} pending"] = self._pending(key)
            else:
                found[name] = self.client.dump(key) if kind == "string" else self._members(key, kind)
        return found

    def _pending(self, key: str) -> list[tuple[str, str]]:
        if not self.client.xinfo_groups(key):
            return []
        pending = self.client.xpending_range(key, "workers", "-", "+", 100)
        return [(entry["message_id"], entry["consumer"]) for entry in pending]

    def _members(self, key: str, kind: str) -> list[str]:
        return sorted(self.client.smembers(key)) if kind == "set" else list(self.client.lrange(key, 0, -1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A scene and a step: a generator that sets the scene, yields, and makes the step."""

    script: str
    #: What it answers, where it answers with a code; else its whole answer.
    answer: Any
    play: Callable[[Stage], Iterator[None]]
    #: What the same call answers when it is sent again; None where it isn't sent again.
    again: Any = None
    #: Whether the step changes anything.
    is_writing: bool = True
    #: Whether the second call changes anything: a fetch hands its job out anew, a heartbeat renews.
    is_writing_again: bool = False
    #: Keys and fields that a refused step may write all the same: signs of life.
    ignoring: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        what = self.play.__name__.strip("_").replace("_", "-")
        return f"{self.script}-{self.answer}-{what}".replace(" ", "")


CASES: list[Case] = []


def case(script_name: str, answer: Any, **options: Any) -> Callable[..., Callable[[Stage], Iterator[None]]]:
    """Enter a scene into the table."""

    def enter(play: Callable[[Stage], Iterator[None]]) -> Callable[[Stage], Iterator[None]]:
        CASES.append(Case(script=script_name, answer=answer, play=play, **options))
        return play

    return enter


def refused(script_name: str, answer: Any, **options: Any) -> Callable[..., Callable[[Stage], Iterator[None]]]:
    """Enter a scene in which the step changes nothing."""
    return case(script_name, answer, is_writing=False, again=answer, **options)
