"""A queue that hands every job to two workers at once, to test what must be safe without a lease."""

from __future__ import annotations

import dataclasses
import json
import math
import secrets
from typing import TYPE_CHECKING, Any

from rosq.clock import boot_time_s
from rosq.execution.consumer import Consumer
from rosq.execution.fetching import Answer, Fetched
from rosq.execution.hand_out import HandOut
from rosq.queue import Queue
from rosq.scripts.loader import Code
from rosq.worker import make_consumer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.connection.alarm import Alarm
    from rosq.execution.settlement import Settlement
    from rosq.settings import WorkerSettings

#: The next fence of a job, for a delivery that the queue itself doesn't know of. KEYS job, fences given here; ARGV job
#: id.
_GHOST_FENCE = """
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local known = math.max(tonumber(redis.call('HGET', KEYS[1], 'fence') or '0'),
  tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0'))
local fence = string.format('%.0f', math.max(known + 1, now_us))
redis.call('HSET', KEYS[2], ARGV[1], fence)
return fence
"""
#: Lift a real delivery's fence above those given here. KEYS as above; ARGV job id, the delivery's fence and token.
_LIFT_FENCE = """
local given = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if given < tonumber(ARGV[2]) or redis.call('HGET', KEYS[1], 'token') ~= ARGV[3] then
  return ARGV[2]
end
local fence = string.format('%.0f', given + 1)
redis.call('HSET', KEYS[1], 'fence', fence)
return fence
"""
_GHOSTS_MAX = 10_000


class TwiceDeliveringQueue(Queue):
    """A queue that hands every job to two different workers at once, always. Give it to a Worker in place of a Queue.

    Whenever a worker is handed a job, another one, alive at that time, gets a second delivery of it with its next
    fetch, and is woken for it if it sleeps. Each delivery has a fence and a token of its own, fences grow over both
    kinds, and both workers believe that they hold the lease: the second one's lease always holds, and what it settles
    is told to nobody. Works across processes; all workers of the queue must use this class. With one worker alone
    there is nobody to give it to.
    """


@make_consumer.register(TwiceDeliveringQueue)
def _(queue: TwiceDeliveringQueue, *, name: str, settings: WorkerSettings) -> Consumer:
    return _TwiceConsumer(
        keys=queue.keys,
        wire=queue.make_wire(f"rosq-worker:{name}"),
        name=name,
        standing=queue.standing,
        settings=settings,
    )


class _TwiceConsumer(Consumer):
    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._prefix = f"rosq:{{{self.keys.queue}}}:twice:"
        #: A second delivery that was taken from its list, until the loop has it.
        self._ghost: HandOut | None = None

    def exchange(self, settlement: Settlement | None, lanes: Sequence[str], *, is_fetching: bool = True) -> Answer:
        if settlement is not None and not settlement.delivery.hold.handed.is_real:
            settlement = None
        if is_fetching and self._ghost is None:
            self._ghost = self._take_ghost()
        if self._ghost is None or not is_fetching:
            return self._double(self._exchange_real(settlement, lanes, is_fetching=is_fetching))
        code = self._exchange_real(settlement, lanes, is_fetching=False).code
        ghost, self._ghost = self._ghost, None
        return Answer(code=code, fetched=Fetched.JOB, hand_out=ghost)

    def sleep(self, lanes: Sequence[str], timeout_s: float, next_due_s: float | None, alarm: Alarm) -> Answer | None:
        answer = super().sleep(lanes, timeout_s, next_due_s, alarm)
        return answer if answer is None else self._double(answer)

    def _double(self, answer: Answer) -> Answer:
        """Leave another worker a second delivery of what came, if a job came."""
        if answer.hand_out is None:
            return answer
        handed = self._lift_fence(answer.hand_out)
        self._give_ghost(handed)
        return dataclasses.replace(answer, hand_out=handed)

    def list_bells(self, lanes: Sequence[str]) -> list[str]:
        return [*super().list_bells(lanes), self._bell_of(self.name)]

    def _exchange_real(self, settlement: Settlement | None, lanes: Sequence[str], *, is_fetching: bool) -> Answer:
        if settlement is None and not is_fetching:
            return Answer(code=Code.HELD, fetched=Fetched.SKIPPED)
        return super().exchange(settlement, lanes, is_fetching=is_fetching)

    def _list_of(self, name: str) -> str:
        return f"{self._prefix}worker:{name}"

    def _bell_of(self, name: str) -> str:
        return f"{self._prefix}bell:{name}"

    def _fences(self) -> str:
        return f"{self._prefix}fences"

    def _give_ghost(self, handed: HandOut) -> None:
        """Leave a second delivery for another living worker, or for whichever comes first where there is none yet."""
        others = [name for name in self.wire.call("ZRANGE", self.keys.workers, 0, -1) if name != self.name]
        alive = [name for name in others if self.wire.call("EXISTS", self.keys.worker(name))]
        target = secrets.choice(alive) if alive else ""
        record = {**handed._asdict(), "not_for": self.name}
        self.wire.call("RPUSH", self._list_of(target), json.dumps(record))
        self.wire.call("LTRIM", self._list_of(target), -_GHOSTS_MAX, -1)
        if target:
            self.wire.call("RPUSH", self._bell_of(target), "1")
            self.wire.call("LTRIM", self._bell_of(target), 0, 0)

    def _take_ghost(self) -> HandOut | None:
        text = self.wire.call("LPOP", self._list_of(self.name)) or self._take_from_anyone()
        if text is None:
            return None
        record = json.loads(text)
        del record["not_for"]
        job_id = record["job_id"]
        fence = self.wire.call("EVAL", _GHOST_FENCE, 2, self.keys.job(job_id), self._fences(), job_id)
        of_its_own = {"fence": int(fence), "token": secrets.token_hex(8), "started_s": boot_time_s()}
        # Asked for at the end of time: its lease never ends.
        return HandOut(**{**record, **of_its_own, "asked_s": math.inf, "is_real": False})

    def _take_from_anyone(self) -> str | None:
        """A second delivery that was left when no other worker was alive; one's own are put back."""
        text: str | None = self.wire.call("LPOP", self._list_of(""))
        if text is None or json.loads(text)["not_for"] != self.name:
            return text
        self.wire.call("RPUSH", self._list_of(""), text)
        return None

    def _lift_fence(self, handed: HandOut) -> HandOut:
        keys = (self.keys.job(handed.job_id), self._fences())
        fence = self.wire.call("EVAL", _LIFT_FENCE, 2, *keys, handed.job_id, str(handed.fence), handed.token)
        return handed._replace(fence=int(fence))
