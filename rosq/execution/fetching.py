"""What a worker's read loop asks the scripts of the queue, and what their answers mean. Nothing is sent from here.

The memory of it is here too: in which lanes a job may be pending with this consumer of which its process doesn't know,
since an answer was lost, a sleep broken off, or a delivery given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rosq import facts
from rosq.clock import boot_time_s
from rosq.execution.answer import Answer, Fetched
from rosq.execution.delivery import CancelNotice, Delivery
from rosq.execution.lease import Lease
from rosq.execution.settlement import Outcome
from rosq.scripts.loader import Code
from rosq.store import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rosq.connection.alarm import Alarm
    from rosq.execution.handlers import Dispatcher
    from rosq.execution.notes import Notes
    from rosq.execution.settlement import Settlement
    from rosq.execution.steps import Command, Steps
    from rosq.execution.stop import StopClock
    from rosq.settings import QueueSettings, WorkerSettings

#: Seconds for which a busy worker goes by what it saw last: when the next delayed job is due, and that the queue isn't
#: paused. Looked for with each job, both would cost more than that delay does.
SEEN_FOR_S = 0.002
#: Completions of one worker after which those beyond what is kept are forgotten, many in one go.
_TRIM_EACH = 50
#: Seconds beyond the end of a sleep after which the fetch behind it has run on any server that lives.
_UNHEARD_MARGIN_S = 2.0

#: `Code(…)` takes seven times as long as a look in here.
_CODES = {code.value: code for code in Code}
#: Asked for once a job: to look a member up in its Enum takes as long as a call.
_COMPLETED, _JOB = Outcome.COMPLETE, Fetched.JOB
#: What `scripts/shared/fetch.lua` answers in place of a lane's position.
_FETCHED = {-1: Fetched.SKIPPED, -2: Fetched.UNHELD, -3: Fetched.ERROR, -4: Fetched.OCCUPIED}


class Question(NamedTuple):
    """A fetch, with a settling or without, and what is needed to read its answer."""

    command: Command
    asked_s: float
    #: Of the delivery that it may bring.
    token: str
    lanes: Sequence[str]
    own_lanes: list[str]


def _rest_s(now_ms: int, due_ms: str) -> float | None:
    """Seconds from now until then; None if nothing is due."""
    return (float(due_ms) - now_ms) / 1000 if due_ms else None


class Fetching:
    """The read loop's questions for one consumer, and its answers; for one thread.

    Args:
        steps: Puts the commands together.
        instance: Random; tells this process's hold on the name from any other's.
        dispatcher: Whose policies say which attempt is a job's last.
        notes: Of the deliveries that come.
    """

    def __init__(
        self,
        *,
        steps: Steps,
        instance: str,
        queue_settings: QueueSettings,
        settings: WorkerSettings,
        dispatcher: Dispatcher,
        stop: StopClock,
        alarm: Alarm,
        notes: Notes,
    ) -> None:
        self._steps = steps
        self._instance = instance
        self._lease_s = settings.lease_s
        self._dispatcher = dispatcher
        self._stop = stop
        self._alarm = alarm
        self._notes = notes
        #: Looked through by the next fetch besides its own.
        self._doubtful_lanes: set[str] = set()
        #: Lanes of fetches that nobody hears of any more, and until when the server may still run them.
        self._unheard_lanes: set[str] = set()
        self._unheard_until_s = 0.0
        #: The delivery of the last answer.
        self._in_hand: Delivery | None = None
        self._overran = ""
        #: Whether a token of a bell may have been taken since the last fetch.
        self._has_slept = False
        #: Makes each delivery's token another one.
        self._hand_outs = 0
        #: When that question was asked whose answer last said when the next delayed job is due; completions since old
        #: ones were forgotten.
        self._seen_s = 0.0
        self._untrimmed = 0
        self._trim_each = min(_TRIM_EACH, queue_settings.keep_completed // 10 + 1)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a job may be pending with this consumer of which its process doesn't know."""
        return bool(self._doubtful_lanes)

    def note_doubt(self, lanes: Iterable[str]) -> None:
        """A job may be pending with this consumer in these lanes."""
        self._doubtful_lanes.update(lanes)

    def note_overrun(self, delivery: Delivery) -> None:
        """It ran longer than it may; if its job comes back, that counts as a crash."""
        self._overran = delivery.token

    def note_sleep(self) -> None:
        """A sleep on the bells begins, which may take a token of them."""
        self._has_slept = True

    def note_unheard(self, lanes: Iterable[str], until_s: float) -> None:
        """A sleep was broken off: a server that doesn't hear of it runs the fetch behind it all the same, at its end.

        Args:
            until_s: When that is, by `boot_time_s`.
        """
        self._unheard_lanes.update(lanes)
        self._unheard_until_s = max(self._unheard_until_s, until_s + _UNHEARD_MARGIN_S)

    def ask(self, settlement: Settlement | None, lanes: Sequence[str], *, is_new_connection: bool) -> Question:
        """Put together what settles and fetches.

        Args:
            settlement: How the last delivery ended, if one did.
            lanes: The lanes to read, in this order.
            is_new_connection: It may lead to another server than the last one.
        """
        asked_s, token, doubtful = boot_time_s(), self._make_token(), self._doubtful_lanes
        if is_new_connection:
            # A new connection may lead to another server, which took over without having heard of the last settle.
            doubtful.update(lanes)
        if settlement is None and self._in_hand is not None:
            # It was never settled: it is still pending here.
            doubtful.add(self._in_hand.lane)
        own_lanes, hints = [], self._give_hints(settlement, asked_s)
        if doubtful:
            own_lanes = sorted(doubtful)
            hints += str(len(own_lanes))
        if self._overran:
            hints += f":{self._overran}"
        command = self._steps.fetch(settlement, lanes, own_lanes, token, hints)
        # Until the answer is here, a job of each of these lanes may be pending without this process knowing.
        doubtful.update(lanes)
        return Question(command, asked_s, token, lanes, own_lanes)

    def read(self, question: Question, reply: list[Any], started_s: float) -> Answer:
        """Read what the script answered.

        Args:
            started_s: From when on the delivery's run time counts, by `boot_time_s`.
        """
        asked_s, own_lanes = question.asked_s, question.own_lanes
        code, position = _CODES[reply[0]], reply[1]
        if position < 0:
            fetched = _FETCHED[position]
            if fetched is Fetched.OCCUPIED:
                return Answer(code=code, fetched=fetched, rest_s=reply[2] / 1000)
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
        next_due_s = None
        if len(reply) > 8:
            next_due_s = _rest_s(*reply[8:10])
            self._seen_s = asked_s
        attempt = int(attempts) + 1
        index, read = position - 1 - question.command.first, 2 * len(question.lanes)
        lane = question.lanes[index // 2] if index < read else own_lanes[index - read]
        unreadable = ""
        try:
            carried = codec.unpack(data)
        except ValueError as error:
            carried, unreadable = codec.Body({}), facts.describe(error)
        is_last_attempt = self._dispatcher.policy_of(carried.name).is_last(job_id, attempt)
        lease = Lease(job_id, asked_s + self._lease_s)
        delivery = Delivery(
            job_id,
            carried.data,
            lane,
            fence,
            question.token,
            attempt,
            is_last_attempt,
            crashes,
            lease,
            entry_id,
            started_s,
            self._stop,
            self._alarm,
            carried.name,
            carried.headers,
            carried.run_timeout_s,
            True,  # is_real
            CancelNotice(),
            self._notes,
        )
        self._in_hand = delivery
        return Answer(code, _JOB, delivery, next_due_s, "", unreadable)

    def _give_hints(self, settlement: Settlement | None, asked_s: float) -> str:
        """What the script is to look at besides; see ARGV[4] of `scripts/shared/worker_args.lua`."""
        if settlement is None:
            return "sd"
        hints = ""
        if self._has_slept:
            hints = "sd"
        elif asked_s - self._seen_s > SEEN_FOR_S:
            hints = "d"
        outcome = settlement.outcome
        if outcome is _COMPLETED:
            self._untrimmed += 1
            if self._untrimmed >= self._trim_each:
                hints += "t"
                self._untrimmed = 0
        elif outcome is Outcome.FAIL or outcome is Outcome.CANCEL:
            hints += "t"
        return hints

    def _make_token(self) -> str:
        self._hand_outs += 1
        return f"{self._instance}:{self._hand_outs}"

    def _look_out_for_unheard(self, asked_s: float) -> None:
        if asked_s < self._unheard_until_s:
            self._doubtful_lanes.update(self._unheard_lanes)
        else:
            self._unheard_lanes.clear()
