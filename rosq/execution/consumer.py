"""What a worker's read loop asks of Redis: the hold on its name, the next job, the settling of the last one, sleep.

No loop and no policy here; `rosq.worker` has both.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any

from rosq import errors
from rosq.clock import boot_time_s
from rosq.execution.fetching import Answer, Fetched, Fetching
from rosq.maintenance.promoter import promote_due
from rosq.names import check_name
from rosq.scripts import loader
from rosq.scripts.loader import Code
from rosq.store import fitness, foreign, registry
from rosq.store.keys import GROUP, SCHEMA_VERSION, Keys
from rosq.store.lanes import iterate_lanes, ring_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.connection.alarm import Alarm
    from rosq.connection.wire import Wire
    from rosq.execution.delivery import Delivery
    from rosq.execution.fetching import Question
    from rosq.execution.settlement import Settlement
    from rosq.settings import WorkerSettings
    from rosq.store.standing import StandingSettings

#: How long the token on a name's bell lies there for a standby.
_NAME_TOKEN_LIFE_MS = 60_000


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
        standing: StandingSettings,
        settings: WorkerSettings,
    ) -> None:
        self.keys = keys
        self.wire = wire
        self.name = check_name("worker", name)
        self.standing = standing
        self.settings = settings
        #: Random; tells this process's hold on the name from any other's.
        self.instance = secrets.token_hex(12)
        #: For the due jobs of a sleeper: its own connection is blocked. Opened when it is first needed.
        self._timer_wire = wire.twin()
        self._fetching = Fetching(keys=keys, name=name, instance=self.instance, standing=standing, settings=settings)

    def hold_name(self, proofs: Sequence[str] = ()) -> NameHolder | None:
        """Take the worker's name, or say who has it (`hold_name.lua`).

        Args:
            proofs: Tokens of processes that are provably dead: if one of them holds the name, it is taken over at once.

        Raises:
            ServerUnfit: It evicts keys, is too old, or a newer rosq has written the queue.
            ServerUnreachable: No answer; the name may be held now or not. Ask again.
        """
        fitness.check_server(self.wire)
        self.standing.look(self.wire.call)
        keys = [self.keys.worker(self.name), self.keys.workers, self.keys.events, self.keys.meta]
        args: list[str | int] = [self.name, self.instance, self.settings.lease_ms, socket.gethostname(), os.getpid()]
        args += [self.standing.current.max_events, SCHEMA_VERSION, *proofs]
        answer = self.wire.run(loader.load("hold_name"), keys, args)
        if answer[0] != 1:
            return NameHolder(rest_s=max(answer[1], 0) / 1000, host=answer[2], pid=answer[3])
        registry.note_queue(self.keys.queue, self.wire.redis_settings, self.wire.call)
        return None

    def find_own_pending(self) -> None:
        """Note the lanes in which the name's last holder left a job, whichever lanes this process is going to read.

        To be called once the name is held, and kept: of ten thousand lanes it takes a while.

        Raises:
            ServerUnreachable: No answer; ask again.
        """
        for lanes in iterate_lanes(self.wire, self.keys):
            commands = [("XPENDING", self.keys.lane(lane), GROUP, "-", "+", 1, self.name) for lane in lanes]
            for lane, pending in zip(lanes, self.wire.try_many(commands), strict=True):
                # One that nobody has read has no group; and of one that can't be read, maintenance tells.
                if pending and not isinstance(pending, errors.ScriptFailed):
                    self._fetching.note_doubt([lane])

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
            reply = _run(self.wire, self._fetching.settle(settlement))
            return Answer(code=Code(reply[0]), fetched=Fetched.SKIPPED)
        question = self._ask(settlement, lanes)
        return self._fetching.read(question, _run(self.wire, question), question.asked_s)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a job may be pending with this consumer of which its process doesn't know."""
        return self._fetching.is_in_doubt

    def settle_over(self, wire: Wire, settlement: Settlement) -> Code:
        """Settle over another connection, and fetch nothing; for a thread beside the read loop.

        Raises:
            ServerUnreachable: No answer; it may have happened or not.
        """
        return Code(int(_run(wire, self._fetching.settle(settlement))[0]))

    def abandon(self, delivery: Delivery, *, is_crash: bool) -> None:
        """Leave a delivery unsettled: its lease is lost. Where nobody else takes the job, it comes with the next fetch.

        Args:
            is_crash: If its job comes back to this process, that counts as a crash: it ran longer than it may, say.
        """
        handed = delivery.hold.handed
        self._fetching.note_doubt([handed.lane])
        if is_crash:
            self._fetching.note_crash(handed.token)

    def sleep(self, lanes: Sequence[str], timeout_s: float, next_due_s: float | None, alarm: Alarm) -> Answer | None:
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
        self._fetching.note_sleep()
        question = self._ask(None, lanes)
        timeout_s = min(timeout_s, self.settings.beat_s)
        end_s = question.asked_s + timeout_s
        due_s = None if next_due_s is None else question.asked_s + next_due_s
        popping = None
        try:
            with self.wire.popping(bells, timeout_s, question.packed) as popping:
                while due_s is not None and due_s < end_s and popping.wait(alarm, due_s):
                    rest_s = promote_due(self.keys, self._timer_wire, self.standing.current.max_events)
                    due_s = None if rest_s is None else boot_time_s() + rest_s
                popping.wait(alarm, None)
        finally:
            if popping is None or not popping.is_answered:
                self._fetching.note_unheard(lanes, end_s)
        if popping.answer is None:
            return None
        answer = self._fetching.read(question, popping.answer, boot_time_s())
        if answer.hand_out is not None and boot_time_s() - question.asked_s > self.settings.lease_s / 2:
            # This process was suspended, or the server answered late: a delivery anew has its whole lease before it.
            return None
        return answer

    def list_bells(self, lanes: Sequence[str]) -> list[str]:
        """The lists whose tokens end a sleep."""
        return [*(self.keys.lane_bell(lane) for lane in lanes), self.keys.timer_bell]

    def sleep_until_name_may_be_free(self, timeout_s: float, alarm: Alarm) -> None:
        """Sleep until the name's holder leaves, the alarm rings, or the time is over."""
        with self.wire.popping([self.keys.name_bell(self.name)], timeout_s) as popping:
            popping.wait(alarm, None)

    def find_damage(self, lanes: Sequence[str]) -> errors.QueueDamaged | None:
        """What lies in the queue that no job of these lanes can do without, and that something else wrote."""
        try:
            found = foreign.find_in_the_way(self.wire, self.keys, lanes=lanes, worker=self.name)
        except errors.RosqError:
            # A user without the right to look, or an outage, of which the next round tells.
            return None
        return None if found is None else errors.QueueDamaged(self.keys.queue, found)

    def leave(self, lanes: Sequence[str]) -> None:
        """Give up the name (`leave.lua`), and ring on what a token that this worker took stood for."""
        keys = [self.keys.worker(self.name), self.keys.workers, self.keys.name_bell(self.name), self.keys.events]
        args: list[str | int] = [self.name, self.instance, self.standing.current.max_events, _NAME_TOKEN_LIFE_MS]
        self.wire.run(loader.load("leave"), keys, args)
        ring_on(self.wire, self.keys, lanes)

    def close(self) -> None:
        """Drop the connections."""
        self.wire.close()
        self._timer_wire.close()

    def _ask(self, settlement: Settlement | None, lanes: Sequence[str]) -> Question:
        return self._fetching.ask(settlement, lanes, is_new_connection=self.wire.connected_since_s is None)


def _run(wire: Wire, question: Question) -> Any:
    return wire.run(question.step, question.keys, question.args, packed=question.packed)
