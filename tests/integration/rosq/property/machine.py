"""Random commands, crashes, pauses and clock steps against a real server and the model beside it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from rosq import JobState
from rosq.execution.fetching import Fetched, load_step
from rosq.execution.settlement import Outcome
from rosq.maintenance.promoter import promote_due
from rosq.scripts import loader
from rosq.scripts.loader import Code
from tests.deliveries import forge
from tests.integration.rosq.pausing import let_the_look_grow_old
from tests.integration.rosq.property import snapshot
from tests.integration.rosq.property.bells import TIMER, bell_of
from tests.integration.rosq.property.hands import WORKER_SETTINGS, Process
from tests.integration.rosq.property.model import SETTINGS, ModelJob
from tests.integration.rosq.property.table import LANES, Table

ALL_IDS = "abcdef"
IDS = st.sampled_from(ALL_IDS)
FETCH = load_step("fetch", SETTINGS, WORKER_SETTINGS)
SLOTS = st.integers(0, 2)
#: Each ends in fifty seconds, each clock step in none: see `model.SETTINGS`.
DELAYS = st.sampled_from([0.0, 0.0, 50.0, 450.0])
EXTRAS = st.sampled_from([0, 0, 1, 7_000_000_000])
BELLS = [*map(bell_of, LANES), TIMER]
SOME_LANE = st.sampled_from(LANES)
OUTCOMES = st.sampled_from(list(Outcome))
CANCELLERS = st.sampled_from(["ann", "bob"])
LOSSES = st.sampled_from(["none", "none", "answer", "doubled"])


class QueueMachine(Table):
    """The rules. Subclasses name the server."""

    # -- producers -----------------------------------------------------------------------------------------------------

    @rule(job_id=IDS, data=st.integers(0, 2), lane=SOME_LANE, delay_s=DELAYS, extra=EXTRAS, is_lost=st.booleans())
    def enqueue(self, job_id: str, data: int, lane: str, delay_s: float, extra: int, is_lost: bool) -> None:
        self._count("enqueue")
        job = self._new(job_id, data, lane, delay_s, extra)
        for _ in range(1 + is_lost):
            expected = self.model.enqueue(job_id, job.data, lane, delay_s, job.fence_floor)
            answer = self.queue.enqueue_many([job])[0]
            assert (answer.outcome.value, answer.state) == expected

    @rule(
        jobs=st.lists(st.tuples(IDS, st.integers(0, 2), SOME_LANE, DELAYS, EXTRAS), min_size=2, max_size=6),
        is_lost=st.booleans(),
    )
    def enqueue_many(self, jobs: list[tuple[str, int, str, float, int]], is_lost: bool) -> None:
        self._count("enqueue_many")
        new = [self._new(*job) for job in jobs]
        for _ in range(1 + is_lost):
            expected = [self.model.enqueue(job.job_id, job.data, job.lane, job.delay_s, job.fence_floor) for job in new]
            answers = self.queue.enqueue_many(new)
            assert [(answer.outcome.value, answer.state) for answer in answers] == expected

    @rule(job_id=IDS, data=st.integers(0, 2), lane=SOME_LANE, delay_s=DELAYS, extra=EXTRAS, is_lost=st.booleans())
    def reopen(self, job_id: str, data: int, lane: str, delay_s: float, extra: int, is_lost: bool) -> None:
        self._count("reopen")
        job = self._new(job_id, data, lane, delay_s, extra)
        for _ in range(1 + is_lost):
            expected = self.model.reopen(job_id, job.data, lane, delay_s, job.fence_floor)
            answer = self.queue.reopen(job)
            assert (answer.outcome.value, answer.state) == expected

    @rule(job_id=IDS, by=CANCELLERS, is_lost=st.booleans())
    def cancel(self, job_id: str, by: str, is_lost: bool) -> None:
        self._count("cancel")
        for _ in range(1 + is_lost):
            expected = self.model.cancel(job_id, by)
            answer = self.queue.cancel(job_id, by=by, reason="a test")
            assert (answer.fate.value, answer.state) == expected

    # -- workers -------------------------------------------------------------------------------------------------------

    def work(self, slot: int, outcome: Outcome, lane: str | None, delay_s: float, loss: str) -> None:
        """Fetch, or settle what is in hand, or tell the settlement again whose answer was lost."""
        process = self.processes[slot]
        settlement = process.untold
        if process.delivery is not None:
            settlement = self._settlement(process.delivery, outcome, lane, delay_s)
        self._count(f"{'fetch' if settlement is None else settlement.outcome}{', lost' if process.untold else ''}")
        self._exchange(process, settlement, loss)

    def _go_on(
        self, slot: int, end: Outcome | str, lane: str | None, delay_s: float, loss: str, job_id: str, data: int
    ) -> None:
        """Something that changes something: work where there is any for this process, or the end of it; from one that
        would sleep, a job."""
        process = self.processes[slot]
        if process.is_idle and self._rung_for(process):
            self._wake(process, is_lost=loss == "answer")
        if not isinstance(end, Outcome) and process.delivery is not None:
            self._trouble(process, end)
        elif not process.is_idle or any(self._is_for(process, job) for job in self.model.jobs.values()):
            self.work(slot, end if isinstance(end, Outcome) else Outcome.RELEASE, lane, delay_s, loss)
        elif free := [each for each in ALL_IDS if each not in self.model.jobs or not self.model.jobs[each].is_live]:
            self._put_one(free[ALL_IDS.index(job_id) % len(free)], data, process.lanes[-1], delay_s, loss == "answer")
        else:
            self.let_time_pass(100, ["promote"])

    def _put_one(self, job_id: str, data: int, lane: str, delay_s: float, is_lost: bool) -> None:
        """A job that doesn't live: anew, or again as it was."""
        job = self.model.jobs.get(job_id)
        if job is None:
            self.enqueue(job_id, data, lane, delay_s, 0, is_lost)
        elif data == 2 and job.state in (JobState.FAILED, JobState.CANCELLED):
            self.steer(job_id, "retry", True, lane, 0.0, is_lost)
        else:
            self.reopen(job_id, data, lane, delay_s, 0, is_lost)

    def _trouble(self, process: Process, end: str) -> None:
        """Call off the job in hand, or lose it in one of the ways that count as a crash."""
        slot = self.processes.index(process)
        if end == "is called off" and process.delivery is not None:
            self.cancel(process.delivery.job_id, "ann", False)
            self.beat(slot, 0)
        elif end == "is called off late" and process.delivery is not None:
            self.let_time_pass(700, [])
            self.cancel(process.delivery.job_id, "bob", False)
        elif end == "dies":
            self.end_a_process(slot, "proven")
        elif end == "overruns":
            self.abandon_and_fetch(self._busy().index(process), True, "none")
        else:
            self.let_time_pass(700, ["recover"])
            self.let_time_pass(100, ["promote"])

    def _is_for(self, process: Process, job: ModelJob) -> bool:
        is_waiting = job.state is JobState.WAITING and job.lane in process.lanes and not self.model.is_paused
        return is_waiting or (job.state is JobState.ACTIVE and job.worker == process.name)

    @precondition(lambda self: self._busy())
    @rule(number=SLOTS, outcome=OUTCOMES, lane=st.none() | SOME_LANE, delay_s=DELAYS)
    def settle_only(self, number: int, outcome: Outcome, lane: str | None, delay_s: float) -> None:
        """As a thread beside the loop does it for a handler that is deaf to a stop."""
        process = self._busy()[number % len(self._busy())]
        assert process.delivery is not None
        self._count("settle only")
        settlement = self._settlement(process.delivery, outcome, lane, delay_s)
        code = process.consumer.settle_over(self.wire, settlement)
        assert code is self._model_settle(process, settlement)
        if code.is_refusal:
            process.consumer.abandon(process.delivery, is_crash=False)
        self._let_go(process)

    @precondition(lambda self: self._busy())
    @rule(number=SLOTS, is_overrun=st.booleans(), loss=LOSSES)
    def abandon_and_fetch(self, number: int, is_overrun: bool, loss: str) -> None:
        process = self._busy()[number % len(self._busy())]
        assert process.delivery is not None
        self._count("abandon")
        process.consumer.abandon(process.delivery, is_crash=is_overrun)
        if is_overrun:
            process.overran = process.delivery.token
        self._let_go(process)
        self._exchange(process, None, loss)

    @precondition(lambda self: self.old)
    @rule(
        number=st.integers(0, 9),
        outcome=OUTCOMES,
        delay_s=DELAYS,
        forgery=st.sampled_from(["none", "none", "fence", "token"]),
    )
    def settle_an_old_delivery(self, number: int, outcome: Outcome, delay_s: float, forgery: str) -> None:
        self._count("settle old")
        delivery = self.old[number % len(self.old)]
        if forgery == "fence":
            delivery = forge(delivery, fence=delivery.fence + 1)
        elif forgery == "token":
            delivery = forge(delivery, token="forged")
        settlement = self._settlement(delivery, outcome, None, delay_s)
        process = self.processes[0]
        assert process.consumer.settle_over(self.wire, settlement) is self._model_settle(process, settlement)

    @precondition(lambda self: self.zombies)
    @rule(number=st.integers(0, 4))
    def let_a_zombie_fetch(self, number: int) -> None:
        self._count("zombie")
        process = self.zombies[number % len(self.zombies)]
        if self.model.holder(process.name) != process.instance:
            answer = process.consumer.exchange(None, process.lanes)
            assert (answer.fetched, answer.delivery) == (Fetched.UNHELD, None)

    @precondition(lambda self: self._busy() or self.old)
    @rule(slot=SLOTS, number=st.integers(0, 9))
    def beat(self, slot: int, number: int) -> None:
        """For the job in hand, or an old one."""
        self._count("beat")
        process, keys = self.processes[slot], self.keys
        delivery = process.delivery or (self.old[number % len(self.old)] if self.old else None)
        if delivery is None:
            return
        script_keys = [keys.worker(process.name), keys.workers, keys.job(delivery.job_id), keys.lane(delivery.lane)]
        args: list[str | int] = [process.name, process.instance, WORKER_SETTINGS.lease_ms]
        args += [str(delivery.fence), delivery.token, delivery.hold.handed.entry_id]
        if self.model.code(delivery.job_id, delivery.fence, delivery.token) is Code.HELD and process.delivery is None:
            return  # Nobody beats for a delivery that another process has in hand.
        is_held, code, *request = self.wire.run(loader.load("heartbeat"), script_keys, args)
        expected = self.model.beat(process.name, process.instance, delivery.job_id, delivery.fence, delivery.token)
        assert (bool(is_held), Code(code)) == expected
        cancel_by = self.model.jobs[delivery.job_id].cancel_by if expected[1] is Code.HELD else None
        assert (request[0] if request else None) == cancel_by, "a holder hears of what was asked for"

    @rule(slot=SLOTS, how=st.sampled_from(["proven", "presumed", "leaving"]))
    def end_a_process(self, slot: int, how: str) -> None:
        """It dies, or leaves in order; its restart tries for the name at once. One that is only presumed dead may live
        on, and is mistaken then."""
        self._count("leave" if how == "leaving" else "crash")
        process = self.processes[slot]
        if how == "leaving":
            process.consumer.leave(process.lanes)
            if self.model.holder(process.name) == process.instance:
                del self.model.holds[process.name]
            self.bells.ring_on([*map(bell_of, process.lanes), TIMER])
            self.bells.ring_on_by(process, is_watch_over=True)
        else:
            self.bells.lose(process)
        self._let_go(process)
        self.zombies = [*self.zombies[-4:], process]
        fresh = self.processes[slot] = self._start(slot)
        self._hold(fresh, [process.instance] if how == "proven" else [])

    @precondition(lambda self: any(process.is_idle for process in self.processes))
    @rule(number=SLOTS, is_lost=st.booleans())
    def wake_by_a_bell(self, number: int, is_lost: bool) -> None:
        idle = [process for process in self.processes if process.is_idle]
        process = idle[number % len(idle)]
        if self._rung_for(process):
            self._wake(process, is_lost=is_lost)

    def _wake(self, process: Process, *, is_lost: bool) -> None:
        """A token ends the sleep, and the fetch behind it runs at once; its answer may be lost with the connection."""
        self._count(f"wake{', lost' if is_lost else ''}")
        # Where the server forgot the script, nothing is fetched: the next round does it.
        is_fetching = self.client.script_exists(FETCH.sha)[0]
        is_held = is_fetching and self.model.holder(process.name) == process.instance
        job_id = self.model.fetch(process.name, process.instance, process.lanes, "?", "") if is_held else None
        self.bells.wake(process, self._rung_for(process)[0])
        self.wire.is_losing_next = is_lost
        answer = process.consumer.sleep(process.lanes, 5, None)
        assert (answer is None) is (is_lost or not is_fetching)
        if answer is None:
            self._miss(process, job_id, is_held=is_held)
        else:
            self._follow(process, answer, job_id, is_held=is_held)

    def _rung_for(self, process: Process) -> list[str]:
        """The bells that ring for it now, in the order in which it looks at them."""
        bells = zip([*map(bell_of, process.lanes), TIMER], process.consumer.list_bells(process.lanes), strict=True)
        return [bell for bell, key in bells if self.client.exists(key)]

    # -- time, trouble and operators -----------------------------------------------------------------------------------

    @rule(
        step=st.sampled_from([0, 100, 200, 700, 1300, 3000]),
        then=st.lists(st.sampled_from(["promote", "recover"]), max_size=3),
    )
    def let_time_pass(self, step: int, then: list[str]) -> None:
        if step:
            self._count("time")
            self.clock.move(step)
            self.model.now_s += step
            self._see_what_runs_out()
        for each in then:
            self._count(each)
            if each == "promote":
                self._promote()
            else:
                self._recover()

    def _see_what_runs_out(self) -> None:
        """What has run out is gone for good, although the clock may be set back: not only when someone looks."""
        known = set(self.model.jobs)
        self.model.see_ids_run_out()
        for job_id in known:
            assert bool(self.client.exists(self.keys.job(job_id))) is (job_id in self.model.jobs)
        for process in self.processes:
            is_held = bool(self.client.exists(self.keys.worker(process.name)))
            assert is_held is (self.model.holder(process.name) is not None)
            if not is_held:
                self.model.holds.pop(process.name, None)

    @precondition(lambda self: self.clock.can_go_back)
    @rule(step=st.sampled_from([100, 700, 3000]))
    def set_the_clock_back(self, step: int) -> None:
        self._count("clock back")
        self.clock.move(-step)
        self.model.now_s -= step
        for process in self.processes:
            # Its own clock isn't set back: it wakes when it would have.
            process.watches_s = process.watches_s and process.watches_s - step

    def _recover(self) -> None:
        self.model.recover()
        self.recovery.run_once()
        self.bells.ring_on(BELLS)
        self._see_what_is_forgotten(snapshot.read(self.client, self.keys))
        for state, keep_s in (
            (JobState.COMPLETED, SETTINGS.keep_completed_s),
            (JobState.FAILED, SETTINGS.keep_failed_s),
            (JobState.CANCELLED, SETTINGS.keep_cancelled_s),
        ):
            left = self.client.zrange(getattr(self.keys, state.value), 0, -1)
            for job_id in self.model.of(state):
                is_old = self.model.jobs[job_id].finished_s <= self.model.now_s - keep_s
                assert not (is_old and job_id in left), f"job {job_id} is kept beyond its time"

    def _promote(self) -> None:
        order = self.client.zrange(self.keys.delayed, 0, -1)
        rest_s = promote_due(self.keys, self.wire, SETTINGS.max_events)
        self.model.promote_due(order)
        self._check_next_due(rest_s)
        for process in self.processes:
            if process.watches_s is not None and process.watches_s <= self.model.now_s:
                # It was its own time that has come: it does the same, and learns the next one.
                process.watches_s = None if rest_s is None else self.model.now_s + rest_s

    @rule(kind=st.sampled_from(["resume", "resume", "pause", "forget scripts", "flushall"]), is_lost=st.booleans())
    def make_trouble(self, kind: str, is_lost: bool) -> None:
        self._count(kind)
        if kind == "forget scripts":
            self.client.script_flush()
        elif kind == "flushall":
            self.client.flushall()
            self.model.lose_everything()
            self.bells.ring_on(BELLS)
        else:
            for _ in range(1 + is_lost):
                self._pause_or_resume(is_pausing=kind == "pause")

    def _pause_or_resume(self, *, is_pausing: bool) -> None:
        if is_pausing:
            assert (self.steering.pause() is None) is not self.model.is_paused
            let_the_look_grow_old()
        else:
            assert self.steering.resume() is self.model.is_paused
            if self.model.is_paused:
                self.bells.ring_on(BELLS)
        self.model.is_paused = is_pausing

    @rule(
        job_id=IDS,
        how=st.sampled_from(["retry", "promote", "remove", "cancel", "look", "move", "move", "drain"]),
        is_fresh=st.sampled_from([True, True, False]),
        lane=SOME_LANE,
        remember_s=st.sampled_from([0.0, 450.0]),
        is_lost=st.booleans(),
    )
    def steer(self, job_id: str, how: str, is_fresh: bool, lane: str, remember_s: float, is_lost: bool) -> None:
        """What an operator sees now may be what he acts on much later."""
        if is_fresh:
            self._look(job_id)
        self._count(how)
        seen = self.seen.get(job_id)
        for _ in range(1 + is_lost):
            if how == "drain":
                lanes = [] if is_fresh else [lane]
                options: dict[str, Any] = {"with_delayed": is_lost, "remember_s": remember_s}
                assert self.steering.drain(lanes=lanes, **options) == self.model.drain(lanes, **options)
            elif how == "move":
                from_lane = seen.lane if seen else "main"
                is_moved = self.model.move(job_id, from_lane, lane)
                assert bool(self.queue.move(job_id, from_lane=from_lane, to_lane=lane)) is is_moved
            elif how != "look" and seen is not None:
                fate = self._model_steer(how, seen, remember_s)
                remembering = {"remember_s": remember_s} if how == "remove" else {}
                assert getattr(self.steering, how)([seen], **remembering)[0].fate is fate


# Hypothesis switches rules off for a whole run, which finds what only rare mixtures show; but a queue in which nobody
# works shows nothing. So this rule is there many times.
_TROUBLES = ["dies", "overruns", "hangs", "is called off", "is called off", "is called off late"]
_ENDS = st.sampled_from([*Outcome, *Outcome, *_TROUBLES])
for _number in range(30):
    _rule = rule(
        slot=SLOTS,
        end=_ENDS,
        lane=st.none() | SOME_LANE,
        delay_s=DELAYS,
        loss=LOSSES,
        job_id=IDS,
        data=st.integers(0, 2),
    )
    setattr(QueueMachine, f"go_on_{_number}", _rule(QueueMachine._go_on))
