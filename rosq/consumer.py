"""What a worker's read loop asks of Redis: the hold on its name, the next job, the settling of the last one, sleep.

No loop and no policy here; `rosq.worker` has both.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from rosq import body, errors, fitness, registry, script
from rosq.clock import boot_time_s
from rosq.delivery import Delivery
from rosq.keys import GROUP, SCHEMA_VERSION, Keys, check_name
from rosq.lease import Lease
from rosq.notes import Notes
from rosq.promoter import promote_due
from rosq.script import Code
from rosq.settlement import ERROR_MAX_LENGTH, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.alarm import Alarm
    from rosq.handlers import Dispatcher
    from rosq.settings import QueueSettings, WorkerSettings
    from rosq.settlement import Settlement
    from rosq.stop import StopClock
    from rosq.wire import Wire

#: Seconds for which a busy worker goes by the due time that it knows: a later one costs nobody more than that.
_DUE_SEEN_FOR_S = 0.002
#: Completions of one worker after which those beyond what is kept are forgotten, many in one go.
_TRIM_EACH = 50
#: Seconds beyond the end of a sleep after which the fetch behind it has run on any server that lives.
_UNHEARD_MARGIN_S = 2.0
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


# Not frozen: that makes it three times as slow to make, once a job.
@dataclasses.dataclass(slots=True, kw_only=True)
class Answer:
    """What one exchange with Redis brought: the fate of the settlement, and the next job."""

    code: Code
    fetched: Fetched
    delivery: Delivery | None = None
    #: Seconds until the earliest delayed job is due, at the moment of the answer; 0 or less is overdue; None if there
    #: is none, or, beside a delivery, if it wasn't looked for this time.
    next_due_s: float | None = None
    error: str = ""


class _Question(NamedTuple):
    """A fetch, with a settling or without, and what is needed to read its answer."""

    step: script.Script
    keys: list[str]
    args: list[str | int]
    asked_s: float
    #: Of the delivery that it may bring.
    token: str
    own_lanes: list[str]
    #: How many keys stand before those of the lanes.
    first: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameHolder:
    """Who else holds a worker's name, and for how long without a further heartbeat."""

    host: str
    pid: str
    rest_s: float


#: `Code(…)` takes seven times as long as a look in here.
_CODES = {code.value: code for code in Code}
#: What `scripts/_fetch.lua` answers in place of a lane's position.
_FETCHED = {-1: Fetched.SKIPPED, -2: Fetched.UNHELD, -3: Fetched.ERROR}


def _rest_s(now_ms: int, due_ms: str) -> float | None:
    """Seconds from now until then; None if nothing is due."""
    return (float(due_ms) - now_ms) / 1000 if due_ms else None


def load_step(name: str, kept: QueueSettings, settings: WorkerSettings) -> script.Script:
    """Return a script of the read loop, with a worker's settings as its constants."""
    return script.load(
        name,
        LEASE_MS=settings.lease_ms,
        MAX_EVENTS=kept.max_events,
        MAX_CRASHES=kept.max_crashes,
        KEEP_COMPLETED=kept.keep_completed,
        KEEP_COMPLETED_MS=int(kept.keep_completed_s * 1000),
        KEEP_FAILED=kept.keep_failed,
        KEEP_FAILED_MS=int(kept.keep_failed_s * 1000),
        KEEP_DELIVERIES=kept.keep_deliveries,
        REMEMBER_MS=kept.remember_ms,
        KEEP_CANCELLED=kept.keep_cancelled,
        KEEP_CANCELLED_MS=int(kept.keep_cancelled_s * 1000),
    )


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
        dispatcher: Dispatcher,
        stop: StopClock,
        alarm: Alarm,
    ) -> None:
        self.keys = keys
        self.wire = wire
        self.name = check_name("worker", name)
        self.queue_settings = queue_settings
        self.settings = settings
        self.dispatcher = dispatcher
        self.stop = stop
        self.alarm = alarm
        #: Random; tells this process's hold on the name from any other's.
        self.instance = secrets.token_hex(12)
        #: Lanes in which a job may be pending with this consumer: looked through by the next fetch besides its own.
        self._doubtful_lanes: set[str] = set()
        #: Lanes of fetches that nobody hears of any more, and until when the server may still run them.
        self._unheard_lanes: set[str] = set()
        self._unheard_until_s = 0.0
        #: The delivery of the last answer.
        self._in_hand: Delivery | None = None
        self._overran = ""
        #: Whether a token of a bell may have been taken since the last fetch.
        self._has_slept = False
        self._loop_keys = (keys.worker(name), keys.events, keys.meta, keys.delayed, keys.timer_bell, keys.failed)
        self._steps: dict[str, script.Script] = {}
        #: The lanes of the last fetch, and their keys.
        self._lanes: list[str] = []
        self._lane_keys: list[str] = []
        #: Makes each delivery's token another one.
        self._hand_outs = 0
        #: When a reply last said when the next delayed job is due; completions since old ones were forgotten.
        self._due_seen_s = 0.0
        self._untrimmed = 0
        #: For the due jobs of a sleeper: its own connection is blocked. Opened when it is first needed.
        self._timer_wire = wire.twin()
        #: What handlers say of their work.
        self._notes = Notes(keys, wire, queue_settings)

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
        registry.note_queue(self.keys.queue, self.wire.redis_settings, self.wire.call)
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
        if not is_fetching:
            step, keys, args = self._command(settlement, self._make_token(), -1, "")
            return Answer(code=Code(self.wire.run(step, keys, args)[0]), fetched=Fetched.SKIPPED)
        question = self._ask(settlement, lanes)
        return self._read(question, self.wire.run(question.step, question.keys, question.args), question.asked_s)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a job may be pending with this consumer of which its process doesn't know."""
        return bool(self._doubtful_lanes)

    def settle_over(self, wire: Wire, settlement: Settlement) -> Code:
        """Settle over another connection, and fetch nothing; for a thread beside the read loop.

        Raises:
            ServerUnreachable: No answer; it may have happened or not.
        """
        return Code(int(wire.run(*self._command(settlement, "", -1, ""))[0]))

    def abandon(self, delivery: Delivery, *, is_overrun: bool) -> None:
        """Leave a delivery unsettled: its lease is lost. Where nobody else takes the job, it comes with the next fetch.

        Args:
            is_overrun: It ran longer than it may; if its job comes back, that counts as a crash.
        """
        self._doubtful_lanes.add(delivery.lane)
        if is_overrun:
            self._overran = delivery.token

    def sleep(self, lanes: Sequence[str], timeout_s: float, next_due_s: float | None) -> Answer | None:
        """Sleep until a bell of these lanes or the timer's rings, the alarm rings, or the time is over.

        The next fetch lies ready behind the sleep: the server runs it the moment that a bell rings, so that a job is
        here after half the way. Its lease counts from before the sleep, which is therefore no longer than a third of
        it.

        Delayed jobs that come due in the meantime are put into their lanes over a second connection, whose bells end
        the sleep if they are this worker's. Letting the blocking call itself run out at the due time would do it up to
        100 ms late: that is how often Redis looks for it.

        Args:
            timeout_s: Seconds to sleep at most.
            next_due_s: Seconds until the earliest delayed job is due; None if there is none.

        Returns:
            What the fetch brought; None where the alarm rang first, or a job came with too little left of its lease:
            then the next fetch finds it.

        Raises:
            ServerUnreachable: A connection broke.
        """
        bells = self.list_bells(lanes)
        self._has_slept = True
        question = self._ask(None, lanes)
        timeout_s = min(timeout_s, self.settings.beat_s)
        end_s = question.asked_s + timeout_s
        due_s = None if next_due_s is None else question.asked_s + next_due_s
        popping = None
        try:
            with self.wire.popping(bells, timeout_s, (question.step, question.keys, question.args)) as popping:
                while due_s is not None and due_s < end_s and popping.wait(self.alarm, due_s):
                    rest_s = promote_due(self.keys, self._timer_wire, self.queue_settings.max_events)
                    due_s = None if rest_s is None else boot_time_s() + rest_s
                popping.wait(self.alarm, None)
        finally:
            if popping is None or not popping.is_answered:
                # A server that doesn't hear of it fetches at the end of the sleep all the same.
                self._unheard_lanes.update(lanes)
                self._unheard_until_s = max(self._unheard_until_s, end_s + _UNHEARD_MARGIN_S)
        if popping.answer is None:
            return None
        answer = self._read(question, popping.answer, boot_time_s())
        if answer.delivery is not None and answer.delivery.lease.remaining_s() < self.settings.lease_s / 2:
            # This process was suspended, or the server answered late: a delivery anew has its whole lease before it.
            return None
        return answer

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
        self._notes.close()

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

    def _give_hints(self, settlement: Settlement | None, asked_s: float) -> str:
        """What the script is to look at besides; see ARGV[5] of `scripts/_worker_args.lua`."""
        hints = ""
        if self._has_slept or settlement is None:
            hints += "s"
        if settlement is None or self._has_slept or asked_s - self._due_seen_s > _DUE_SEEN_FOR_S:
            hints += "d"
            self._due_seen_s = asked_s
        if settlement is not None and settlement.outcome in (Outcome.FAIL, Outcome.CANCEL):
            hints += "t"
        elif settlement is not None and settlement.outcome is Outcome.COMPLETE:
            self._untrimmed += 1
            if self._untrimmed >= min(_TRIM_EACH, self.queue_settings.keep_completed // 10 + 1):
                hints += "t"
                self._untrimmed = 0
        return hints

    def _command(
        self, settlement: Settlement | None, token: str, lane_count: int, hints: str
    ) -> tuple[script.Script, list[str], list[str | int]]:
        """The script of an exchange, and its keys and arguments but for the lanes (`scripts/_worker_args.lua`)."""
        args: list[str | int] = [self.name, self.instance, token, lane_count, hints, self._overran]
        if settlement is None:
            return self._load_step("fetch"), [*self._loop_keys], args
        outcome, delivery = settlement.outcome, settlement.delivery
        keys = [*self._loop_keys, self.keys.job_prefix + delivery.job_id, self.keys.lane(delivery.lane)]
        args += (delivery.job_id, delivery.fence, delivery.token, delivery.entry_id)
        if outcome is Outcome.COMPLETE:
            keys.append(self.keys.completed)
        elif outcome is Outcome.FAIL:
            args += settlement.tell_error()
        elif outcome is Outcome.CANCEL:
            keys.append(self.keys.cancelled)
            args += (settlement.reason[:ERROR_MAX_LENGTH], *settlement.tell_error())
            return self._load_step("obey_cancel"), keys, args
        else:
            target = settlement.lane or delivery.lane
            keys += (self.keys.lane(target), self.keys.lane_bell(target), self.keys.lanes, self.keys.cancelled)
            args.append(target)
            if outcome is not Outcome.RELEASE:
                args.append(int(settlement.delay_s * 1000))
            if outcome is Outcome.RETRY:
                args += settlement.tell_error()
        return self._load_step(outcome.value), keys, args

    def _load_step(self, name: str) -> script.Script:
        step = self._steps.get(name)
        if step is None:
            step = self._steps[name] = load_step(name, self.queue_settings, self.settings)
        return step

    def _make_token(self) -> str:
        self._hand_outs += 1
        return f"{self.instance}:{self._hand_outs}"

    def _ask(self, settlement: Settlement | None, lanes: Sequence[str]) -> _Question:
        """Put together what settles and fetches."""
        asked_s, token = boot_time_s(), self._make_token()
        if self.wire.connected_since_s is None:
            # A new connection may lead to another server, which took over without having heard of the last settle.
            self._doubtful_lanes.update(lanes)
        hints = self._give_hints(settlement, asked_s)
        step, keys, args = self._command(settlement, token, len(lanes), hints)
        if lanes != self._lanes:
            self._lanes = list(lanes)
            self._lane_keys = [key for lane in lanes for key in (self.keys.lane(lane), self.keys.lane_bell(lane))]
        first = len(keys)
        if self._in_hand is not None and settlement is None:
            # It was never settled: it is still pending here.
            self._doubtful_lanes.add(self._in_hand.lane)
        own_lanes = sorted(self._doubtful_lanes)
        keys += self._lane_keys
        keys += [self.keys.lane(lane) for lane in own_lanes]
        # Until the answer is here, a job of each of these lanes may be pending without this process knowing.
        self._doubtful_lanes.update(lanes)
        return _Question(step, keys, args, asked_s, token, own_lanes, first)

    def _read(self, question: _Question, reply: list[Any], started_s: float) -> Answer:
        asked_s, own_lanes = question.asked_s, question.own_lanes
        code, position = _CODES[reply[0]], reply[1]
        if position < 0:
            fetched = _FETCHED[position]
            return Answer(code=code, fetched=fetched, error=reply[2] if fetched is Fetched.ERROR else "")
        # All doubtful lanes were looked through: from here on only the job of this answer can be pending.
        self._doubtful_lanes.clear()
        if self._unheard_lanes:
            self._look_out_for_unheard(asked_s)
        self._in_hand = None
        self._overran = ""
        self._has_slept = False
        if not position:
            return Answer(code=code, fetched=Fetched.NONE, next_due_s=_rest_s(*reply[2:4]))
        job_id, data, fence, attempts, crashes, entry_id = reply[2:8]
        next_due_s = _rest_s(*reply[8:10]) if len(reply) > 8 else None
        attempt = int(attempts) + 1
        index, read = position - 1 - question.first, 2 * len(self._lanes)
        lane = self._lanes[index // 2] if index < read else own_lanes[index - read]
        carried = body.unpack(data)
        delivery = Delivery(
            job_id=job_id,
            data=carried.data,
            lane=lane,
            fence=fence,
            token=question.token,
            attempt=attempt,
            is_last_attempt=self.dispatcher.policy_of(carried.name).is_last(attempt),
            crashes=crashes,
            lease=Lease(job_id, asked_s + self.settings.lease_s),
            entry_id=entry_id,
            started_s=started_s,
            stop=self.stop,
            alarm=self.alarm,
            name=carried.name,
            headers=carried.headers,
            run_timeout_s=carried.run_timeout_s,
            notes=self._notes,
        )
        self._in_hand = delivery
        return Answer(code=code, fetched=Fetched.JOB, delivery=delivery, next_due_s=next_due_s)

    def _look_out_for_unheard(self, asked_s: float) -> None:
        if asked_s < self._unheard_until_s:
            self._doubtful_lanes.update(self._unheard_lanes)
        else:
            self._unheard_lanes.clear()
