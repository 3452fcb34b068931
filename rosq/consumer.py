"""What a worker's read loop asks of Redis: the hold on its name, the next job, the settling of the last one, sleep.

No loop and no policy here; `rosq.worker` has both.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import secrets
import socket
from typing import TYPE_CHECKING

from rosq import errors, fitness, script
from rosq.clock import boot_time_s
from rosq.delivery import Delivery
from rosq.keys import GROUP, QUEUES, SCHEMA_VERSION, Keys, check_name
from rosq.lease import Lease
from rosq.promoter import promote_due
from rosq.script import Code
from rosq.settlement import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.alarm import Alarm
    from rosq.retry import RetryPolicy
    from rosq.settings import QueueSettings, WorkerSettings
    from rosq.settlement import Settlement
    from rosq.stop import StopClock
    from rosq.wire import Wire

_ERROR_MAX_LENGTH = 1_000
#: How long the token on a name's bell lies there for a standby.
_NAME_TOKEN_LIFE_MS = 60_000


class Fetched(enum.StrEnum):
    """What a fetch brought."""

    JOB = "job"
    #: No job is there for these lanes.
    NONE = "none"
    #: The name isn't held by this process any more.
    UNHELD = "unheld"
    #: The server couldn't say; what was settled is settled.
    ERROR = "error"
    #: Nothing was asked for.
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one exchange with Redis brought: the fate of the settlement, and the next job."""

    code: Code
    fetched: Fetched
    delivery: Delivery | None = None
    #: Seconds until the earliest delayed job is due, at the moment of the answer; 0 or less is overdue; None if there
    #: is none.
    next_due_s: float | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameHolder:
    """Who else holds a worker's name, and for how long without a further heartbeat."""

    host: str
    pid: str
    rest_s: float


class Consumer:
    """One worker's side of the queue, over one connection, for one thread."""

    def __init__(
        self,
        *,
        keys: Keys,
        wire: Wire,
        name: str,
        queue_settings: QueueSettings,
        settings: WorkerSettings,
        policy: RetryPolicy,
        stop: StopClock,
        alarm: Alarm,
    ) -> None:
        self.keys = keys
        self.wire = wire
        self.name = check_name("worker", name)
        self.queue_settings = queue_settings
        self.settings = settings
        self.policy = policy
        self.stop = stop
        self.alarm = alarm
        #: Random; tells this process's hold on the name from any other's.
        self.instance = secrets.token_hex(12)
        #: Lanes in which a job may be pending with this consumer: looked through by the next fetch besides its own.
        self._doubtful_lanes: set[str] = set()
        self._overran = ""
        #: Whether a token of a bell may have been taken since the last fetch.
        self._has_slept = False
        #: For the due jobs of a sleeper: its own connection is blocked. Opened when it is first needed.
        self._timer_wire = wire.twin()

    def hold_name(self, proofs: Sequence[str] = ()) -> NameHolder | None:
        """Take the worker's name, or say who has it (`hold_name.lua`).

        Args:
            proofs: Tokens of processes that are provably dead: if one of them holds the name, it is taken over at once.

        Raises:
            ServerUnreachable: No answer; the name may be held now or not. Ask again.
        """
        self.check_server()
        keys = [self.keys.worker(self.name), self.keys.workers, self.keys.events, self.keys.meta]
        args: list[str | int] = [self.name, self.instance, self.settings.lease_ms, socket.gethostname(), os.getpid()]
        args += [self.queue_settings.max_events, SCHEMA_VERSION, *proofs]
        answer = self.wire.run(script.load("hold_name"), keys, args)
        if answer[0] != 1:
            return NameHolder(rest_s=max(answer[1], 0) / 1000, host=answer[2], pid=answer[3])
        self.wire.call("SADD", QUEUES, self.keys.queue)
        self._find_own_pending()
        return None

    def check_server(self) -> None:
        """Refuse a server on which jobs wouldn't be safe.

        Raises:
            ServerUnfit: It evicts keys, is too old, or the queue was written by a newer rosq.
        """
        fitness.check_server(self.wire, self.keys)

    def exchange(self, settlement: Settlement | None, lanes: Sequence[str], *, is_fetching: bool = True) -> Answer:
        """Tell how the last delivery ended, if one did, and get the next job: one round trip.

        A settlement whose answer is lost is told again: the second time Redis answers "already settled" and fetches
        likewise, and a job that the first one fetched comes as a new delivery.

        Args:
            settlement: How the last delivery ended.
            lanes: The lanes to read, in this order.
            is_fetching: False only settles.

        Raises:
            ServerUnreachable: No answer; it may have happened or not.
        """
        token = secrets.token_hex(8)
        name, keys, args = self._command(settlement, token, len(lanes) if is_fetching else -1)
        looked_at = [*lanes, *sorted(self._doubtful_lanes.difference(lanes))] if is_fetching else []
        first = len(keys)
        for lane in looked_at:
            keys += [self.keys.lane(lane), self.keys.lane_bell(lane)]
        # Until the answer is here, a job of each of these lanes may be pending without this process knowing.
        self._doubtful_lanes.update(looked_at)
        asked_s = boot_time_s()
        reply = self.wire.run(script.load(name), keys, args)
        return self._read(reply, looked_at, first, asked_s, token)

    def settle_over(self, wire: Wire, settlement: Settlement) -> Code:
        """Settle over another connection, and fetch nothing; for a thread beside the read loop.

        Raises:
            ServerUnreachable: No answer; it may have happened or not.
        """
        name, keys, args = self._command(settlement, "", -1)
        return Code(int(wire.run(script.load(name), keys, args)[0]))

    def abandon(self, delivery: Delivery, *, is_overrun: bool) -> None:
        """Leave a delivery unsettled: its lease is lost. Where nobody else takes the job, it comes with the next fetch.

        Args:
            is_overrun: It ran longer than it may; if its job comes back, that counts as a crash.
        """
        self._doubtful_lanes.add(delivery.lane)
        if is_overrun:
            self._overran = delivery.token

    def sleep(self, lanes: Sequence[str], timeout_s: float, next_due_s: float | None) -> None:
        """Sleep until a bell of these lanes or the timer's rings, the alarm rings, or the time is over.

        Delayed jobs that come due in the meantime are put into their lanes over a second connection, whose bells end
        the sleep if they are this worker's. Letting the blocking call itself run out at the due time would do it up to
        100 ms late: that is how often Redis looks for it.

        Args:
            timeout_s: Seconds to sleep at most.
            next_due_s: Seconds until the earliest delayed job is due; None if there is none.

        Raises:
            ServerUnreachable: A connection broke.
        """
        bells = self.list_bells(lanes)
        self._has_slept = True
        end_s = boot_time_s() + timeout_s
        due_s = None if next_due_s is None else boot_time_s() + next_due_s
        with self.wire.popping(bells, timeout_s) as popping:
            while due_s is not None and due_s < end_s and popping.wait(self.alarm, due_s):
                rest_s = promote_due(self.keys, self._timer_wire, self.queue_settings.max_events)
                due_s = None if rest_s is None else boot_time_s() + rest_s
            popping.wait(self.alarm, None)

    def list_bells(self, lanes: Sequence[str]) -> list[str]:
        """The lists whose tokens end a sleep."""
        return [*(self.keys.lane_bell(lane) for lane in lanes), self.keys.timer_bell]

    def sleep_until_name_may_be_free(self, timeout_s: float) -> None:
        """Sleep until the name's holder leaves, the alarm rings, or the time is over."""
        with self.wire.popping([self.keys.name_bell(self.name)], timeout_s) as popping:
            popping.wait(self.alarm, None)

    def leave(self, lanes: Sequence[str]) -> None:
        """Give up the name, and ring on what a token that this worker took stood for (`leave.lua`)."""
        keys = [self.keys.worker(self.name), self.keys.workers, self.keys.name_bell(self.name), self.keys.events]
        keys += [self.keys.delayed, self.keys.timer_bell]
        for lane in lanes:
            keys += [self.keys.lane(lane), self.keys.lane_bell(lane)]
        args: list[str | int] = [self.name, self.instance, self.queue_settings.max_events, _NAME_TOKEN_LIFE_MS]
        self.wire.run(script.load("leave"), keys, args)

    def close(self) -> None:
        """Drop the connections."""
        self.wire.close()
        self._timer_wire.close()

    def _find_own_pending(self) -> None:
        """Note the lanes in which the name's last holder left a job, whichever lanes this process is going to read."""
        for lane in self.wire.call("SMEMBERS", self.keys.lanes):
            try:
                pending = self.wire.call("XPENDING", self.keys.lane(lane), GROUP, "-", "+", 1, self.name)
            except errors.ScriptFailed as error:
                if "NOGROUP" not in str(error):
                    raise
                continue
            if pending:
                self._doubtful_lanes.add(lane)

    def _command(
        self, settlement: Settlement | None, token: str, lane_count: int
    ) -> tuple[str, list[str], list[str | int]]:
        """The script of an exchange, and its keys and arguments but for the lanes (`scripts/_worker_args.lua`)."""
        keys = [self.keys.worker(self.name), self.keys.events, self.keys.meta, self.keys.delayed]
        keys += [self.keys.timer_bell, self.keys.completed, self.keys.failed]
        kept = self.queue_settings
        args: list[str | int] = [self.name, self.instance, token, self.settings.lease_ms, self.keys.job_prefix]
        args += [kept.max_crashes, kept.max_events, kept.keep_completed, int(kept.keep_completed_s * 1000)]
        args += [kept.keep_failed, int(kept.keep_failed_s * 1000), lane_count, self._overran, int(self._has_slept)]
        if settlement is None:
            return "fetch", keys, args
        self._add_settlement(settlement, keys, args)
        return settlement.outcome.value, keys, args

    def _add_settlement(self, settlement: Settlement, keys: list[str], args: list[str | int]) -> None:
        delivery = settlement.delivery
        keys += [self.keys.job(delivery.job_id), self.keys.lane(delivery.lane)]
        args += [delivery.job_id, str(delivery.fence), delivery.token, delivery.entry_id]
        error = settlement.error[:_ERROR_MAX_LENGTH]
        if settlement.outcome is Outcome.FAIL:
            args.append(error)
        elif settlement.outcome is not Outcome.COMPLETE:
            target = settlement.lane or delivery.lane
            keys += [self.keys.lane(target), self.keys.lane_bell(target), self.keys.lanes]
            args.append(target)
            if settlement.outcome is not Outcome.RELEASE:
                args.append(int(settlement.delay_s * 1000))
            if settlement.outcome is Outcome.RETRY:
                args.append(error)

    def _read(self, reply: list[str], lanes: list[str], first: int, asked_s: float, token: str) -> Answer:
        code, fetched = Code(int(reply[0])), Fetched(reply[1])
        if fetched in (Fetched.SKIPPED, Fetched.UNHELD):
            return Answer(code=code, fetched=fetched)
        if fetched is Fetched.ERROR:
            return Answer(code=code, fetched=fetched, error=reply[2])
        # All doubtful lanes were looked through: from here on only the job of this answer can be pending.
        self._doubtful_lanes.clear()
        self._overran = ""
        self._has_slept = False
        next_due_s = (float(reply[3]) - float(reply[2])) / 1000 if reply[3] else None
        if fetched is Fetched.NONE:
            return Answer(code=code, fetched=fetched, next_due_s=next_due_s)
        position, entry_id, job_id, data, fence, attempts, crashes = reply[4:11]
        attempt = int(attempts) + 1
        delivery = Delivery(
            job_id=job_id,
            data=json.loads(data),
            lane=lanes[(int(position) - 1 - first) // 2],
            fence=int(fence),
            token=token,
            attempt=attempt,
            is_last_attempt=self.policy.is_last(attempt),
            crashes=int(crashes),
            lease=Lease(job_id, asked_s + self.settings.lease_s),
            entry_id=entry_id,
            started_s=asked_s,
            stop=self.stop,
            alarm=self.alarm,
        )
        return Answer(code=code, fetched=fetched, delivery=delivery, next_due_s=next_due_s)
