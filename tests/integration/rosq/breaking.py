"""What breaks a queue: each function makes one half-state on a real server, by hand. And what to look with."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.mend.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Queue
    from rosq.connection.wire import Wire
    from rosq.mend.half_states import FoundHalfState
    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

SHORT, LONG = {"order_id": 1}, {"text": "x" * 300}


@dataclasses.dataclass(frozen=True)
class Bench:
    """A queue, and everything that breaks it."""

    queue: Queue
    client: Any
    hands: Hands
    data: dict[str, Any]

    def enqueue(self, job_id: str = "1", **options: Any) -> None:
        self.queue.enqueue(self.data, job_id=job_id, **options)

    def take(self) -> Any:
        delivery = self.hands.fetch().delivery
        assert delivery is not None
        return delivery

    def finish(self, outcome: Outcome = Outcome.COMPLETE) -> None:
        settlement = Settlement(delivery=self.take(), outcome=outcome, error="broken")
        self.hands.consumer.exchange(settlement, (), is_fetching=False)

    def field(self, name: str, job_id: str = "1") -> Any:
        return self.client.hget(self.queue.keys.job(job_id), name)

    def set(self, job_id: str = "1", **fields: Any) -> None:
        self.client.hset(self.queue.keys.job(job_id), mapping=fields)

    def expire_lease(self) -> None:
        self.set(lease_until_ms=1)

    def set_data(self) -> None:
        """As an active job has them: in its hash."""
        self.set(data=json.dumps(self.data))

    def drop_entry(self, job_id: str = "1") -> None:
        lane = self.queue.keys.lane(self.client.hget(self.queue.keys.job(job_id), "lane") or "main")
        self.client.xack(lane, "workers", self.field("entry_id", job_id))
        self.client.xdel(lane, self.field("entry_id", job_id))


# -- how each is made --------------------------------------------------------------------------------------------------


def lose_entry_of_waiting(bench: Bench) -> None:
    bench.enqueue()
    bench.set_data()
    bench.drop_entry()


def acknowledge_without_deleting(bench: Bench) -> None:
    """The entry is there and carries the data, but nobody will be handed it again."""
    bench.enqueue()
    bench.take()
    bench.client.xack(bench.queue.keys.lane("main"), "workers", bench.field("entry_id"))
    bench.expire_lease()


def lose_consumer(bench: Bench) -> None:
    bench.enqueue()
    bench.take()
    bench.client.xgroup_delconsumer(bench.queue.keys.lane("main"), "workers", "w1")
    bench.expire_lease()


def lose_entry_of_active(bench: Bench) -> None:
    bench.enqueue()
    bench.take()
    bench.set_data()
    bench.drop_entry()
    bench.expire_lease()


def name_another_jobs_entry(bench: Bench) -> None:
    bench.enqueue()
    bench.enqueue("2")
    bench.set_data()
    bench.drop_entry()
    bench.set(entry_id=bench.field("entry_id", "2"))


def wait_with_due_time_only(bench: Bench) -> None:
    """Put among the delayed ones, but its hash wasn't changed to say so."""
    bench.enqueue()
    bench.client.zadd(bench.queue.keys.delayed, {"1": 1.0})
    bench.set_data()
    bench.drop_entry()


def lose_due_time(bench: Bench) -> None:
    bench.enqueue(delay_s=500)
    bench.client.zrem(bench.queue.keys.delayed, "1")


def add_due_time_to_waiting(bench: Bench) -> None:
    bench.enqueue()
    bench.client.zadd(bench.queue.keys.delayed, {"1": 9e12})


def list_waiting_as_completed(bench: Bench) -> None:
    bench.enqueue()
    bench.client.zadd(bench.queue.keys.completed, {"1": 1.0})


def list_delayed_as_failed(bench: Bench) -> None:
    bench.enqueue(delay_s=0.001)
    bench.client.zadd(bench.queue.keys.failed, {"1": 1.0})


def lose_lane_name(bench: Bench) -> None:
    bench.enqueue()
    bench.client.srem(bench.queue.keys.lanes, "main")


def lose_lane_name_of_delayed(bench: Bench) -> None:
    bench.enqueue(delay_s=0.001)
    bench.client.srem(bench.queue.keys.lanes, "main")


def add_second_entry(bench: Bench) -> None:
    bench.enqueue()
    bench.client.xadd(bench.queue.keys.lane("main"), {"job_id": "1"})


def forget_the_entry(bench: Bench) -> None:
    """The job doesn't know of its entry, which carries the data of a long one: a script that stopped midway."""
    bench.enqueue()
    bench.client.hdel(bench.queue.keys.job("1"), "entry_id")


def hold_for_ever(bench: Bench) -> None:
    """A lease of a worker that is gone, and so far away that nobody would live to see it run out."""
    bench.enqueue()
    bench.take()
    bench.set(lease_until_ms=9_000_000_000_000)
    bench.client.delete(bench.queue.keys.worker("w1"))


#: What is broken · the kinds that are found · what a mend is called; with short and with long data.
_EITHER: list[tuple[Callable[[Bench], None], set[str], str]] = [
    (lose_entry_of_waiting, {"no_entry"}, "put back"),
    (acknowledge_without_deleting, {"no_entry"}, "put back"),
    (lose_consumer, {"no_entry"}, "put back"),
    (lose_entry_of_active, {"no_entry"}, "put back"),
    (name_another_jobs_entry, {"no_entry"}, "put back"),
    (wait_with_due_time_only, {"no_entry"}, "delayed"),
    (lose_due_time, {"no_due_time"}, "put back"),
    (add_due_time_to_waiting, {"stray_due_time"}, "due time removed"),
    (list_waiting_as_completed, {"stray_member"}, "taken off the list"),
    (list_delayed_as_failed, {"stray_member"}, "taken off the list"),
    (lose_lane_name, {"lane_not_listed"}, "listed"),
    (lose_lane_name_of_delayed, {"lane_not_listed"}, "listed"),
    (add_second_entry, {"stray_entry"}, "dropped"),
    (hold_for_ever, {"lease_without_worker"}, "put back"),
]
_CASES = [(data, *case) for data in (SHORT, LONG) for case in _EITHER]
# Short data lie in the hash, long ones in the entry that the hash doesn't know of.
_CASES.append((SHORT, forget_the_entry, {"no_entry", "stray_entry"}, "put back"))
_CASES.append((LONG, forget_the_entry, {"data_lost", "stray_entry"}, "put back"))
each_case = pytest.mark.parametrize(
    ("bench", "break_it", "kinds", "mend"),
    [
        pytest.param(data, break_it, kinds, mend, id=f"{break_it.__name__}-{'short' if data == SHORT else 'long'}")
        for data, break_it, kinds, mend in _CASES
    ],
    indirect=["bench"],
)


def make_repair(queue: Queue, wire: Wire) -> Repair:
    return Repair(keys=queue.keys, wire=wire, kept=queue.settings, by="test", reason="a test")


def find_all(mender: Repair) -> list[FoundHalfState]:
    return list(dict.fromkeys(finding for page in mender.go_through() for finding in page.findings))


def dump(client: Any, queue: Queue) -> dict[str, Any]:
    """Everything that a queue consists of, but for what runs out by itself."""
    keys = [key for key in client.scan_iter(match=queue.keys.pattern) if ":worker:" not in key]
    return {key: _read(client, key) for key in sorted(keys)}


def _read(client: Any, key: str) -> Any:
    kind = client.type(key)
    if kind == "hash":
        return client.hgetall(key)
    if kind == "stream":
        groups: Any = client.xinfo_groups(key)
        pending = client.xpending_range(key, "workers", "-", "+", 100) if groups else []
        held = [(entry["message_id"], entry["consumer"]) for entry in pending]
        return client.xrange(key), held, [group["last-delivered-id"] for group in groups]
    if kind == "zset":
        return client.zrange(key, 0, -1, withscores=True)
    return sorted(client.smembers(key)) if kind == "set" else client.lrange(key, 0, -1)


class Told:
    """What a command said as JSON, and its exit code."""

    def __init__(self, server: RedisServer, queue: Queue, *command: str) -> None:
        env = {**server.env(), "ROSQ_QUEUE": queue.name}
        result = CliRunner().invoke(main, [command[0], "--json", *command[1:]], env=env)
        self.exit_code = result.exit_code
        self.stderr = result.stderr
        self.json: dict[str, Any] = json.loads(result.stdout) if result.stdout else {}


def repair(server: RedisServer, queue: Queue, *options: str) -> Told:
    return Told(server, queue, "repair", "--wait", "0", *options)
