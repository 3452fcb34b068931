"""The table at which random rules play: a queue on a real server, its processes, and the model beside them.

What is compared after every step stands at the end.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from rosq import JobState, NewJob, ServerUnreachable
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from rosq.job import Fate
from rosq.scripts.loader import Code
from tests.integration.rosq.property import snapshot
from tests.integration.rosq.property.bells import TIMER, Bells, bell_of
from tests.integration.rosq.property.hands import WORKER_SETTINGS, LossyQueue, Process, start_process
from tests.integration.rosq.property.model import OCCUPIED, SETTINGS, Model, ModelJob
from tests.integration.rosq.sweep import Sweep

if TYPE_CHECKING:
    from rosq import Delivery, Job
    from rosq.connection.alarm import Alarm
    from rosq.steering import Steering
    from rosq.store.changes import Seen
    from tests.integration.rosq.property.clock import Clock
    from tests.servers import EmbeddedRedis

LANES = ("main", "urgent", "@a")
#: Short, another short one, and one that lies in the entry.
DATA: tuple[Any, ...] = ({"order_id": 1}, {"order_id": 2}, {"text": "x" * 100})


class Table(RuleBasedStateMachine):
    """One queue on a server of its own. Subclasses name the server."""

    server: ClassVar[EmbeddedRedis]
    clock: ClassVar[Clock]
    queue: ClassVar[LossyQueue]
    client: ClassVar[Any]
    steering: ClassVar[Steering]
    #: Rules that were run, of each kind; over all runs.
    steps: ClassVar[collections.Counter[str]] = collections.Counter()

    def __init__(self) -> None:
        super().__init__()
        self.alarms: list[Alarm] = []

    @initialize(lanes=st.lists(st.permutations(LANES).map(tuple), min_size=3, max_size=3))
    def begin(self, lanes: list[tuple[str, ...]]) -> None:
        self.client.flushall()
        self.model = Model(self._server_s())
        self.keys, self.wire = self.queue.keys, self.queue.wire
        # The second reads two lanes, the third one: some lanes may have no reader.
        self.lanes = [lanes[0], lanes[1][:2], lanes[2][:1]]
        self.processes = [self._start(slot) for slot in range(3)]
        #: Processes that were taken for dead, and deliveries that anybody may still try to settle.
        self.zombies: list[Process] = []
        self.old: list[Delivery] = []
        self.seen: dict[str, Seen] = {}
        self.bells = Bells()
        self.recovery = Sweep(keys=self.keys, wire=self.wire, kept=SETTINGS, settings=WORKER_SETTINGS)

    def _busy(self) -> list[Process]:
        return [process for process in self.processes if process.delivery is not None]

    @staticmethod
    def _settlement(delivery: Delivery, outcome: Outcome, lane: str | None, delay_s: float) -> Settlement:
        return Settlement(delivery=delivery, outcome=outcome, lane=lane, delay_s=delay_s, error="broken")

    def _start(self, slot: int) -> Process:
        process = start_process(self.queue, f"w{slot}", self.lanes[slot])
        self.alarms.append(process.alarm)
        return process

    def teardown(self) -> None:
        for alarm in self.alarms:
            alarm.close()

    def _server_s(self) -> float:
        seconds, micros = self.client.time()
        return float(int(seconds) + int(micros) // 1000 / 1000)

    def _count(self, name: str) -> None:
        self.steps[name] += 1

    def _new(self, job_id: str, data: int, lane: str, delay_s: float, extra: int) -> NewJob:
        # As orders do it: whoever puts a job on the queue gives the greatest fence that was ever seen of it. Where the
        # queue knows the id, it needs nobody to say so.
        is_known = job_id in self.model.jobs and not extra
        floor = 0 if is_known else self.model.greatest.get(job_id, 0) + extra
        return NewJob(job_id=job_id, data=DATA[data], lane=lane, delay_s=delay_s, fence_floor=floor)

    def _look(self, job_id: str) -> None:
        seen = self.steering.see([job_id]).get(job_id)
        job = self.model.jobs.get(job_id)
        assert (seen is None) is (job is None)
        if seen is not None and job is not None:
            assert (seen.state, seen.lane) == (job.state, job.lane)
            self.seen[job_id] = seen

    def _model_steer(self, how: str, seen: Seen, remember_s: float) -> Fate:
        job = self.model.jobs.get(seen.job_id)
        if job is None:
            return Fate.UNKNOWN
        finished_at_ms = self.client.hget(self.keys.job(seen.job_id), "finished_at_ms") or ""
        is_same = (job.state, finished_at_ms) == (seen.state, seen.finished_at_ms)
        if how == "promote":
            is_wanted = job.state is JobState.DELAYED and job.lane == seen.lane
        elif how == "retry":
            is_wanted = is_same and job.state in (JobState.FAILED, JobState.CANCELLED) and job.lane == seen.lane
        elif how == "cancel":
            is_wanted = job.is_live and (job.state, job.lane) == (seen.state, seen.lane)
        else:
            is_removable = job.state is not JobState.ACTIVE and not (job.state is JobState.FORGOTTEN and remember_s)
            is_wanted = is_same and is_removable and job.lane == seen.lane
        if not is_wanted:
            return Fate.MOVED_ON
        if how == "cancel":
            return Fate.ASKED if self.model.cancel(seen.job_id, "test")[0] == "asked" else Fate.DONE
        if how == "remove":
            self.model.remove(seen.job_id, remember_s)
        else:
            getattr(self.model, how)(seen.job_id)
        return Fate.DONE

    # -- how a process works -------------------------------------------------------------------------------------------

    def _let_go(self, process: Process) -> None:
        if process.delivery is not None:
            self.old = [*self.old[-9:], process.delivery]
        process.delivery = None

    def _hold(self, process: Process, proofs: list[str]) -> None:
        holder = process.consumer.hold_name(proofs)
        process.is_holding = holder is None
        if process.is_holding:
            process.consumer.find_own_pending()
        assert process.is_holding is self.model.hold(process.name, process.instance, proofs)
        if holder is not None:
            expected_s = self.model.holds[process.name][1] - self.model.now_s
            self._check_close(holder.rest_s * 1000, expected_s * 1000)

    def _model_settle(self, process: Process, settlement: Settlement) -> Code:
        return self.model.settle(
            process.name, settlement.delivery, settlement.outcome, settlement.lane, settlement.delay_s
        )

    def _exchange(self, process: Process, settlement: Settlement | None, loss: str) -> None:
        """Settle and fetch as a worker does it, in the model first; then compare."""
        if settlement is None and not process.is_holding:
            self._hold(process, [])
            if not process.is_holding:
                return
        if settlement is None and loss == "doubled":
            # A fetch whose answer is lost is never sent again as it was: see the header of fetch.lua.
            loss = "answer"
        self.wire.is_losing_next = loss == "answer"
        self.wire.is_doubling_next = loss == "doubled"
        if process.delivery is not None:
            self._let_go(process)
        self.bells.wake(process)
        process.untold = settlement
        for _ in range(2 if loss == "doubled" else 1):
            code = Code.HELD if settlement is None else self._model_settle(process, settlement)
            job_id, is_held = None, self.model.holder(process.name) == process.instance
            if is_held:
                job_id = self.model.fetch(process.name, process.instance, process.lanes, "?", process.overran)
        try:
            answer = process.consumer.exchange(settlement, process.lanes)
        except ServerUnreachable:
            assert loss == "answer"
            self._miss(process, job_id, is_held=is_held)
        else:
            assert answer.code is code
            process.untold = None
            if settlement is not None and code.is_refusal:
                process.consumer.abandon(settlement.delivery, is_crash=False)
            self._follow(process, answer, job_id, is_held=is_held)

    def _miss(self, process: Process, job_id: str | None, *, is_held: bool) -> None:
        """The answer of a fetch is lost: without a job, nobody has learned when the next one is due."""
        if job_id == OCCUPIED:
            return
        self._note_delivery(job_id, None)
        if is_held:
            self.bells.ring_on_by(process, is_watch_over=job_id is not None)

    def _follow(self, process: Process, answer: Any, job_id: str | None, *, is_held: bool) -> None:
        if not is_held:
            assert (answer.fetched, answer.delivery) == (Fetched.UNHELD, None)
            process.is_holding = False
            return
        if job_id == OCCUPIED:
            assert (answer.fetched, answer.delivery) == (Fetched.OCCUPIED, None)
            return
        process.overran = ""
        self.bells.ring_on_by(process, is_watch_over=True)
        if answer.delivery is None or answer.next_due_s is not None:
            # Beside a job, it isn't always looked for.
            self._check_next_due(answer.next_due_s)
        assert (answer.delivery.job_id if answer.delivery else None) == job_id
        if answer.delivery is None or job_id is None:
            assert answer.fetched is Fetched.NONE
            process.is_idle = True
            if answer.next_due_s is not None:
                process.watches_s = self.model.now_s + answer.next_due_s
            return
        self._note_delivery(job_id, answer.delivery)
        job = self.model.jobs[job_id]
        delivery = process.delivery = answer.delivery
        expected = (job.lane, job.data, job.crashes, job.attempts + 1, job.attempts + 1 >= 3)
        found = (delivery.lane, delivery.data, delivery.crashes, delivery.attempt, delivery.is_last_attempt)
        assert found == expected

    def _note_delivery(self, job_id: str | None, delivery: Delivery | None) -> None:
        """Learn fence and token; of a delivery whose answer was lost, from Redis."""
        if job_id is None:
            return
        if delivery is not None:
            fence, token = delivery.fence, delivery.token
        else:
            fence, token = self.client.hmget(self.keys.job(job_id), "fence", "token")
        self.model.delivered(job_id, int(fence))
        self.model.jobs[job_id].token = token

    # -- what must hold after every step -------------------------------------------------------------------------------

    def _check_close(self, found_ms: float, expected_ms: float) -> None:
        assert abs(found_ms - expected_ms) <= self.clock.tolerance_ms, f"{found_ms} ms instead of {expected_ms}"

    def _check_created(self, job: Job, expected: ModelJob) -> None:
        """When a job was put on the queue stays, whatever becomes of it afterwards."""
        assert job.created_at is not None
        created_s = job.created_at.timestamp()
        if expected.is_created_seen:
            assert created_s == expected.created_s, f"job {job.job_id}"
        elif self.clock.can_go_back:
            # It may be that of the entry, and a stream's ids go on from the last one: never back.
            assert created_s >= expected.created_s
        expected.created_s, expected.is_created_seen = created_s, True

    def _check_watch(self, now: snapshot.Snapshot) -> None:
        """While some sleep and jobs are delayed: the bell rings, or one who is awake, or who sleeps, knows the time."""
        due = [self.model.jobs[job_id].due_s for job_id in self.model.of(JobState.DELAYED)]
        sleepers = [process for process in self.processes if process.is_idle]
        if due and sleepers and not self.bells.is_told(TIMER, now):
            watched = [process.watches_s for process in sleepers if process.watches_s is not None]
            latest_s = min(due) + self.clock.tolerance_ms / 1000
            assert any(watches_s <= latest_s for watches_s in watched), "somebody watches the time"

    def _check_next_due(self, rest_s: float | None) -> None:
        due = [self.model.jobs[job_id].due_s - self.model.now_s for job_id in self.model.of(JobState.DELAYED)]
        assert (rest_s is None) is (not due)
        if rest_s is not None:
            self._check_close(rest_s * 1000, min(due) * 1000)

    def _see_what_is_forgotten(self, now: snapshot.Snapshot) -> None:
        known = {job_id for job_id, fields in now.jobs.items() if fields["state"] != JobState.FORGOTTEN}
        for state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED):
            self.model.forget(state, known)

    @invariant()
    def redis_agrees_with_itself_and_with_the_model(self) -> None:
        now = snapshot.read(self.client, self.keys)
        snapshot.check(now)
        self._see_what_is_forgotten(now)
        assert set(now.jobs) == set(self.model.jobs), "no job is lost, none comes from nowhere"
        for name, total in self.model.totals.items():
            assert int(now.meta.get(f"{name}_total", 0)) == total, f"the count of {name}"
        assert ("paused_at_ms" in now.meta) is self.model.is_paused
        for job_id, job in self.queue.find_jobs(self.model.jobs).items():
            expected = self.model.jobs[job_id]
            found = (job.state, job.lane, job.data, job.attempts, job.crashes, job.fence, job.is_live, job.cancel_by)
            assert found == (
                expected.state,
                expected.lane,
                {} if expected.state is JobState.FORGOTTEN else expected.data,
                expected.attempts,
                expected.crashes,
                expected.fence,
                expected.is_live,
                expected.cancel_by,
            ), f"job {job_id}"
            if job.state is JobState.FORGOTTEN:
                self._check_close(now.rests_ms[job_id], (expected.remembered_until_s - self.model.now_s) * 1000)
            else:
                self._check_created(job, expected)
            if job.state is JobState.ACTIVE:
                assert job.worker == expected.worker
                lease_ms = float(now.jobs[job_id]["lease_until_ms"]) - now.now_ms
                self._check_close(lease_ms, (expected.lease_until_s - self.model.now_s) * 1000)
            elif job.state is JobState.DELAYED:
                due_ms = now.sets["delayed"][job_id] - now.now_ms
                self._check_close(due_ms, (expected.due_s - self.model.now_s) * 1000)
        self._check_watch(now)
        for lane in LANES:
            waiting = [job_id for job_id in self.model.of(JobState.WAITING) if self.model.jobs[job_id].lane == lane]
            waiting.sort(key=lambda each: self.model.jobs[each].place)
            assert now.waiting_in(lane) == waiting, "first come, first served"
            is_told = self.bells.is_told(bell_of(lane), now)
            assert is_told or not waiting or self.model.is_paused, f"somebody is woken for what waits in {lane}"
