"""What a worker's read loop asks the scripts of the queue, how that is packed, and what the answer means.

Nothing is sent from here. The memory of it is here too: in which lanes a job may be pending with this consumer of which
its process doesn't know, since an answer was lost, a sleep broken off, or a delivery given up.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from rosq.clock import boot_time_s
from rosq.connection.packing import Stem
from rosq.delays import to_ms
from rosq.execution.hand_out import HandOut
from rosq.execution.settlement import ERROR_MAX_LENGTH, Outcome
from rosq.scripts import loader
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rosq.execution.settlement import Settlement
    from rosq.settings import QueueSettings, WorkerSettings
    from rosq.store.keys import Keys
    from rosq.store.standing import StandingSettings

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
_COMPLETED = Outcome.COMPLETE


class Fetched(enum.StrEnum):
    """What a fetch brought."""

    JOB = "job"
    #: No job is there for these lanes.
    NONE = "none"
    #: The name isn't held by this process any more.
    UNHELD = "unheld"
    #: A process that had this name before has its job still: nothing is handed out under the name until that ends.
    OCCUPIED = "occupied"
    #: The server couldn't say; what was settled is settled.
    ERROR = "error"
    #: Nothing was asked for.
    SKIPPED = "skipped"


#: What `scripts/shared/fetch.lua` answers in place of a lane's position.
_FETCHED = {-1: Fetched.SKIPPED, -2: Fetched.UNHELD, -3: Fetched.ERROR, -4: Fetched.OCCUPIED}
_JOB = Fetched.JOB


# Not frozen, and made by position: see `rosq.execution.settlement`.
@dataclasses.dataclass(slots=True)
class Answer:
    """What one exchange with Redis brought: the fate of the settlement, and the next job."""

    code: Code
    fetched: Fetched
    hand_out: HandOut | None = None
    #: Seconds until the earliest delayed job is due, at the moment of the answer; 0 or less is overdue; None if there
    #: is none, or, beside a job, if it wasn't looked for this time.
    next_due_s: float | None = None
    error: str = ""
    #: Seconds that are left of the lease of whom the name is occupied by.
    rest_s: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether a delayed job waits to be promoted."""
        return self.next_due_s is not None and self.next_due_s <= 0


class Question(NamedTuple):
    """A script's call that settles, fetches, or both."""

    step: loader.Script
    keys: list[str]
    args: list[str | int]
    #: The EVALSHA of these three.
    packed: bytes
    #: How many keys stand before those of the lanes.
    first: int = 0
    asked_s: float = 0.0
    #: Of the delivery that it may bring.
    token: str = ""
    lanes: Sequence[str] = ()
    own_lanes: Sequence[str] = ()

    def read(self, reply: list[Any], started_s: float) -> Answer:
        """Say what the script's answer means.

        Args:
            started_s: From when on the run time of a job counts that came, by `boot_time_s`.
        """
        code, position = _CODES[reply[0]], reply[1]
        if position < 0:
            fetched = _FETCHED[position]
            if fetched is Fetched.OCCUPIED:
                return Answer(code=code, fetched=fetched, rest_s=reply[2] / 1000)
            return Answer(code=code, fetched=fetched, error=reply[2] if fetched is Fetched.ERROR else "")
        if not position:
            return Answer(code=code, fetched=Fetched.NONE, next_due_s=_rest_s(*reply[2:4]))
        job_id, text, fence, attempts, crashes, entry_id = reply[2:8]
        next_due_s = _rest_s(*reply[8:10]) if len(reply) > 8 else None
        index, read = position - 1 - self.first, 2 * len(self.lanes)
        lane = self.lanes[index // 2] if index < read else self.own_lanes[index - read]
        attempt = int(attempts) + 1
        handed = HandOut(job_id, text, lane, fence, self.token, attempt, crashes, entry_id, self.asked_s, started_s)
        return Answer(code, _JOB, handed, next_due_s)


class _Frame(NamedTuple):
    """What calls of one script with the same lanes have in common."""

    step: loader.Script
    #: All but that of the settled job.
    keys: list[str]
    first: int
    stem: Stem


def _rest_s(now_ms: int, due_ms: str) -> float | None:
    """Seconds from now until then; None if nothing is due."""
    return (float(due_ms) - now_ms) / 1000 if due_ms else None


def load_step(name: str, kept: QueueSettings, settings: WorkerSettings) -> loader.Script:
    """Return a script of the read loop, with a worker's settings as its constants."""
    return loader.load(
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


class Fetching:
    """The read loop's questions for one consumer, and the memory of their answers; for one thread, but for `settle`.

    Args:
        name: The worker's, which is its consumer's too.
        instance: Random; tells this process's hold on the name from any other's.
    """

    def __init__(
        self, *, keys: Keys, name: str, instance: str, standing: StandingSettings, settings: WorkerSettings
    ) -> None:
        self._keys = keys
        self._name = name
        self._instance = instance
        self._standing = standing
        self._settings = settings
        self._loop_keys = (keys.worker(name), keys.events, keys.meta, keys.delayed, keys.timer_bell, keys.failed)
        #: What the queue keeps, and the scripts that have it in them.
        self._scripts: tuple[QueueSettings, dict[str, loader.Script]] = standing.current, {}
        #: Of completing a job of this lane, and fetching from the lanes below, with what the queue keeps.
        self._completing: dict[str, _Frame] = {}
        self._kept = standing.current
        self._lanes: Sequence[str] = ()
        #: Looked through by the next fetch besides its own.
        self._doubtful_lanes: set[str] = set()
        #: Lanes of fetches that nobody hears of any more, and until when the server may still run them.
        self._unheard_lanes: set[str] = set()
        self._unheard_until_s = 0.0
        #: The lane of the job that came last, until its settling is answered; empty where none did.
        self._lane_in_hand = ""
        self._overran = ""
        #: Whether a token of a bell may have been taken since the last fetch.
        self._has_slept = False
        #: Makes each delivery's token another one.
        self._hand_outs = 0
        #: When that question was asked whose answer last said when the next delayed job is due; completions since old
        #: ones were forgotten.
        self._seen_s = 0.0
        self._untrimmed = 0
        self._trim_each = self._choose_trim()

    @property
    def is_in_doubt(self) -> bool:
        """Whether a job may be pending with this consumer of which its process doesn't know."""
        return bool(self._doubtful_lanes)

    def note_doubt(self, lanes: Iterable[str]) -> None:
        """A job may be pending with this consumer in these lanes."""
        self._doubtful_lanes.update(lanes)

    def note_crash(self, token: str) -> None:
        """If the job of that delivery comes back, that counts as a crash."""
        self._overran = token

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

    def settle(self, settlement: Settlement | None) -> Question:
        """Ask to settle and fetch nothing; touches nothing here, so that any thread may do so."""
        return self._fill(self._make_frame(settlement, (), ()), settlement, "", "n")

    def ask(self, settlement: Settlement | None, lanes: Sequence[str], *, is_new_connection: bool) -> Question:
        """Ask to settle, and for the next job.

        Args:
            settlement: How the last delivery ended, if one did.
            lanes: The lanes to read, in this order.
            is_new_connection: It may lead to another server than the last one.
        """
        asked_s, token, doubtful = boot_time_s(), self._make_token(), self._doubtful_lanes
        if is_new_connection:
            # A new connection may lead to another server, which took over without having heard of the last settle.
            doubtful.update(lanes)
        if settlement is None and self._lane_in_hand:
            # It was never settled: it is still pending here.
            doubtful.add(self._lane_in_hand)
        own_lanes, hints = [], self._give_hints(settlement, asked_s)
        if doubtful:
            own_lanes = sorted(doubtful)
            hints += str(len(own_lanes))
        if self._overran:
            hints += f":{self._overran}"
        frame = self._find_frame(settlement, lanes, own_lanes)
        # Until the answer is here, a job of each of these lanes may be pending without this process knowing.
        doubtful.update(lanes)
        return self._fill(frame, settlement, token, hints, asked_s, lanes, own_lanes)

    def read(self, question: Question, reply: list[Any], started_s: float) -> Answer:
        """Read what the script answered, and remember it; see `Question.read`."""
        answer = question.read(reply, started_s)
        if answer.fetched is not _JOB and answer.fetched is not Fetched.NONE:
            return answer
        # All doubtful lanes were looked through: from here on only the job of this answer can be pending.
        self._doubtful_lanes.clear()
        if self._unheard_lanes:
            self._look_out_for_unheard(question.asked_s)
        self._overran = ""
        self._has_slept = False
        handed = answer.hand_out
        if handed is None:
            self._lane_in_hand = ""
        else:
            self._lane_in_hand = handed.lane
            if len(reply) > 8:
                self._seen_s = question.asked_s
        return answer

    def _find_frame(self, settlement: Settlement | None, lanes: Sequence[str], own_lanes: Sequence[str]) -> _Frame:
        if settlement is None or settlement.outcome is not _COMPLETED or own_lanes:
            return self._make_frame(settlement, lanes, own_lanes)
        if lanes != self._lanes or self._standing.current is not self._kept:
            self._lanes, self._kept = list(lanes), self._standing.current
            self._completing.clear()
        lane = settlement.delivery.hold.handed.lane
        frame = self._completing.get(lane)
        if frame is None:
            frame = self._completing[lane] = self._make_frame(settlement, lanes, ())
        return frame

    def _make_frame(self, settlement: Settlement | None, lanes: Sequence[str], own_lanes: Sequence[str]) -> _Frame:
        keys, name = [*self._loop_keys], "fetch"
        if settlement is not None:
            lane, outcome = settlement.delivery.hold.handed.lane, settlement.outcome
            keys.append(self._keys.lane(lane))
            name = outcome.script
            if outcome is Outcome.COMPLETE:
                keys.append(self._keys.completed)
            elif outcome is Outcome.CANCEL:
                keys.append(self._keys.cancelled)
            elif outcome is not Outcome.FAIL:
                target = settlement.lane or lane
                keys += (self._keys.lane(target), self._keys.lane_bell(target), self._keys.lanes, self._keys.cancelled)
        first = len(keys)
        keys += [key for lane in lanes for key in (self._keys.lane(lane), self._keys.lane_bell(lane))]
        keys += [self._keys.lane(lane) for lane in own_lanes]
        step = self._get_step(name)
        count = len(keys) + (settlement is not None)
        return _Frame(step, keys, first, Stem(("EVALSHA", step.sha, count, *keys)))

    def _get_step(self, name: str) -> loader.Script:
        """A script with what the queue keeps now: somebody may have given other settings since it was last run."""
        kept, scripts = self._scripts
        if kept is not self._standing.current:
            kept, scripts = self._scripts = self._standing.current, {}
        step = scripts.get(name)
        if step is None:
            step = scripts[name] = load_step(name, kept, self._settings)
        return step

    def _choose_trim(self) -> int:
        return min(_TRIM_EACH, self._standing.current.keep_completed // 10 + 1)

    def _fill(
        self,
        frame: _Frame,
        settlement: Settlement | None,
        token: str,
        hints: str,
        asked_s: float = 0.0,
        lanes: Sequence[str] = (),
        own_lanes: Sequence[str] = (),
    ) -> Question:
        step, keys, first, stem = frame
        args: list[str | int] = [self._name, self._instance, token, hints]
        if settlement is None:
            return Question(step, keys, args, stem.grow(tuple(args)), first, asked_s, token, lanes, own_lanes)
        handed, outcome = settlement.delivery.hold.handed, settlement.outcome
        args += (handed.job_id, str(handed.fence), handed.token, handed.entry_id)
        if outcome is _COMPLETED:
            if handed.crashes:
                args.append(1)
        elif outcome is Outcome.FAIL:
            args += settlement.tell_error()
        elif outcome is Outcome.CANCEL:
            args += (settlement.reason[:ERROR_MAX_LENGTH], *settlement.tell_error())
        else:
            args.append(settlement.lane or handed.lane)
            if outcome is not Outcome.RELEASE:
                args.append(to_ms(settlement.delay_s))
            if outcome is Outcome.RETRY:
                args += settlement.tell_error()
        job = self._keys.job_prefix + handed.job_id
        packed = stem.grow((job, *args))
        return Question(step, [*keys, job], args, packed, first, asked_s, token, lanes, own_lanes)

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
                self._untrimmed, self._trim_each = 0, self._choose_trim()
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
