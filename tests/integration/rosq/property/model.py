"""What a queue promises, as a dict of jobs and a clock: no streams, no entries, no scripts.

Times are seconds. Every method does what the call of the same name promises and returns what it should answer.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from rosq import JobState, QueueSettings
from rosq.execution.settlement import Outcome
from rosq.scripts.loader import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEASE_S = 650.0
#: Few are kept, few crashes are allowed: limits are met often. Every time here differs from any sum of clock steps by
#: at least ten seconds, so that what a run itself takes decides nothing.
SETTINGS = QueueSettings(
    max_crashes=3,
    crash_pause_s=50,
    keep_completed=2,
    remember_s=1_650,
    keep_completed_s=350,
    keep_failed=3,
    keep_failed_s=1_250,
    keep_cancelled=2,
    keep_cancelled_s=800,
    forget_worker_s=2_050,
)
#: The outcomes after which a job is over, and as what.
_ENDS = {
    Outcome.COMPLETE: JobState.COMPLETED,
    Outcome.FAIL: JobState.FAILED,
    Outcome.CANCEL: JobState.CANCELLED,
}
#: What a fetch says while a process that had the name before has its job still.
OCCUPIED = "occupied"
_LIVE = (JobState.WAITING, JobState.ACTIVE, JobState.DELAYED)


@dataclasses.dataclass(kw_only=True)
class ModelJob:
    """One job: where it stands, and who has it."""

    lane: str
    data: Any
    created_s: float
    #: Whether that is what the queue said once.
    is_created_seen: bool = False
    #: Its last fence, or the floor that it was given.
    fence: int
    state: JobState = JobState.WAITING
    #: Its place in the lane, while it waits.
    place: int = 0
    attempts: int = 0
    crashes: int = 0
    #: Of the last delivery; None where no delivery may settle the job, whatever its fence.
    token: str | None = None
    worker: str = ""
    instance: str = ""
    lease_until_s: float = 0.0
    due_s: float = 0.0
    finished_s: float = 0.0
    #: Until when its id counts, once it is forgotten.
    remembered_until_s: float = 0.0
    #: How its last delivery put it back; None where it did nothing of the kind.
    put_back_as: Outcome | None = None
    #: Who asked first for its cancelling; None where nobody did.
    cancel_by: str | None = None

    @property
    def is_live(self) -> bool:
        return self.state in _LIVE


class Model:
    """The queue as it should be."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        #: The greatest fence of each id that anybody ever saw. The outside keeps it: nothing here ever sets it back.
        self.greatest: dict[str, int] = {}
        self._places = itertools.count()
        self.lose_everything()

    def lose_everything(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.holds: dict[str, tuple[str, float]] = {}
        #: Of each name, the processes that its holder proved dead as it took it.
        self.proven_dead: dict[str, tuple[str, ...]] = {}
        self.is_paused = False
        self.totals = dict.fromkeys(("enqueued", "reopened", "completed", "failed", "cancelled"), 0)

    def of(self, state: JobState) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.state is state]

    # -- producers -----------------------------------------------------------------------------------------------------

    def enqueue(self, job_id: str, data: Any, lane: str, delay_s: float, floor: int) -> tuple[str, JobState]:
        job = self.jobs.get(job_id)
        if job is not None:
            return ("duplicate" if job.data == data else "conflict"), job.state
        self.totals["enqueued"] += 1
        return "created", self._begin(job_id, data, lane, delay_s, floor)

    def reopen(self, job_id: str, data: Any, lane: str, delay_s: float, floor: int) -> tuple[str, JobState]:
        job = self.jobs.get(job_id)
        if job is not None and job.is_live:
            return "live", job.state
        self.totals["reopened"] += 1
        return "reopened", self._begin(job_id, data, lane, delay_s, max(floor, job.fence if job else 0))

    def _begin(self, job_id: str, data: Any, lane: str, delay_s: float, fence: int) -> JobState:
        job = self.jobs[job_id] = ModelJob(lane=lane, data=data, created_s=self.now_s, fence=fence)
        self._put(job, delay_s)
        return job.state

    def _put(self, job: ModelJob, delay_s: float) -> None:
        """Into its lane, or among the delayed ones."""
        if delay_s > 0:
            job.state, job.due_s = JobState.DELAYED, self.now_s + delay_s
        else:
            job.state, job.place = JobState.WAITING, next(self._places)

    # -- workers -------------------------------------------------------------------------------------------------------

    def hold(self, name: str, instance: str, proofs: Sequence[str] = ()) -> bool:
        held = self.holder(name)
        if held is not None and held not in (instance, *proofs):
            return False
        self.holds[name] = (instance, self.now_s + LEASE_S)
        self.proven_dead[name] = tuple(proofs)
        return True

    def holder(self, name: str) -> str | None:
        instance, until_s = self.holds.get(name, ("", 0.0))
        return instance if until_s > self.now_s else None

    def code(self, job_id: str, fence: int, token: str) -> Code:
        """What this delivery is told when it beats, or settles as it did before."""
        job = self.jobs.get(job_id)
        if job is None:
            return Code.GONE
        if (job.fence, job.token) != (fence, token):
            return Code.LOST
        return Code.HELD if job.state is JobState.ACTIVE else Code.ALREADY_SETTLED

    def beat(self, name: str, instance: str, job_id: str, fence: int, token: str) -> tuple[bool, Code]:
        is_held = self.holder(name) == instance
        if is_held:
            self.holds[name] = (instance, self.now_s + LEASE_S)
        code = self.code(job_id, fence, token)
        if code is Code.HELD:
            self.jobs[job_id].lease_until_s = self.now_s + LEASE_S
        return is_held, code

    def settle(self, by: str, delivery: Any, outcome: Outcome, lane: str | None, delay_s: float) -> Code:
        code = self.code(delivery.job_id, delivery.fence, delivery.token)
        if code is Code.ALREADY_SETTLED:
            return self._settle_again(self.jobs[delivery.job_id], outcome)
        if code is not Code.HELD:
            return code
        job = self.jobs[delivery.job_id]
        job.crashes = 0
        job.attempts += outcome in (Outcome.FAIL, Outcome.RETRY)
        if outcome in _ENDS:
            self._finish(job, _ENDS[outcome])
            if outcome is Outcome.CANCEL:
                job.cancel_by = job.cancel_by or by
        elif job.cancel_by is not None:
            self._finish(job, JobState.CANCELLED)
            return Code.CANCELLED
        else:
            job.lane, job.put_back_as = lane or delivery.lane, outcome
            self._put(job, 0.0 if outcome is Outcome.RELEASE else delay_s)
        return code

    @staticmethod
    def _settle_again(job: ModelJob, outcome: Outcome) -> Code:
        """What a delivery is told that has settled its job."""
        if job.put_back_as is not None:
            is_same = outcome is job.put_back_as
        elif outcome not in _ENDS and job.state is JobState.CANCELLED:
            return Code.CANCELLED
        else:
            is_same = _ENDS.get(outcome) is job.state
        return Code.ALREADY_SETTLED if is_same else Code.SETTLED_OTHERWISE

    def _finish(self, job: ModelJob, state: JobState) -> None:
        job.state, job.finished_s = state, self.now_s
        self.totals[state.value] += 1

    def _call_off(self, job: ModelJob) -> bool:
        """End a job that its holder lost, if that was asked for; nobody may settle it any more."""
        if job.cancel_by is None:
            return False
        self._finish(job, JobState.CANCELLED)
        job.token = None
        return True

    def _crash(self, job: ModelJob) -> bool:
        """Count one; True if the job failed of it, after which nobody may settle it any more."""
        job.crashes += 1
        if job.crashes < SETTINGS.max_crashes:
            return False
        self._finish(job, JobState.FAILED)
        job.token = None
        return True

    def fetch(self, name: str, instance: str, lanes: Sequence[str], token: str, overran: str = "") -> str | None:
        """The job that is handed out, now active; `delivered` tells the fence. None if there is none; OCCUPIED if there
        may be none."""
        for job_id in self.of(JobState.ACTIVE):
            job = self.jobs[job_id]
            if job.worker == name:
                is_anothers = job.instance != instance and job.instance not in self.proven_dead[name]
                if is_anothers and job.lease_until_s > self.now_s:
                    return OCCUPIED
                is_crash = job.instance != instance or job.token == overran
                if not self._call_off(job) and not (is_crash and self._crash(job)):
                    return self._hand_out(job_id, name, instance, token)
        if self.is_paused:
            return None
        for lane in lanes:
            waiting = [job_id for job_id in self.of(JobState.WAITING) if self.jobs[job_id].lane == lane]
            if waiting:
                return self._hand_out(min(waiting, key=lambda each: self.jobs[each].place), name, instance, token)
        return None

    def _hand_out(self, job_id: str, name: str, instance: str, token: str) -> str:
        job = self.jobs[job_id]
        job.state, job.worker, job.instance, job.token = JobState.ACTIVE, name, instance, token
        job.put_back_as = None
        job.lease_until_s = self.now_s + LEASE_S
        return job_id

    def delivered(self, job_id: str, fence: int) -> None:
        """Note the fence of the delivery that was just handed out: it only ever grows."""
        job = self.jobs[job_id]
        assert fence > max(self.greatest.get(job_id, 0), job.fence), "a fence that doesn't grow"
        assert fence < 2**53
        self.greatest[job_id] = job.fence = fence

    # -- time ----------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        for job_id in self.of(JobState.ACTIVE):
            job = self.jobs[job_id]
            if job.lease_until_s <= self.now_s and not self._call_off(job) and not self._crash(job):
                job.token = None
                self._put(job, min(SETTINGS.crash_pause_s * 2 ** (job.crashes - 1), 60))

    def promote_due(self, order: Sequence[str]) -> None:
        """Whoever is due goes, the earliest first; of those due at one time Redis says the order."""
        assert sorted(order) == sorted(self.of(JobState.DELAYED))
        dues = [self.jobs[job_id].due_s for job_id in order]
        assert dues == sorted(dues), "the delayed ones lie by their time"
        for job_id in order:
            if self.jobs[job_id].due_s <= self.now_s:
                self._put(self.jobs[job_id], 0)

    def forget(self, state: JobState, known: Iterable[str]) -> None:
        """Take over what retention removed; it must have been allowed to: too old, or the oldest of too many."""
        keep, keep_s = {
            JobState.COMPLETED: (SETTINGS.keep_completed, SETTINGS.keep_completed_s),
            JobState.FAILED: (SETTINGS.keep_failed, SETTINGS.keep_failed_s),
            JobState.CANCELLED: (SETTINGS.keep_cancelled, SETTINGS.keep_cancelled_s),
        }[state]
        finished = sorted(self.jobs[job_id].finished_s for job_id in self.of(state))
        surplus = max(len(finished) - keep, 0)
        gone = [job_id for job_id in self.of(state) if job_id not in known]
        young = [job_id for job_id in gone if self.jobs[job_id].finished_s > self.now_s - keep_s]
        assert len(young) <= surplus, f"{young} were forgotten too early"
        assert all(self.jobs[job_id].finished_s <= finished[surplus - 1] for job_id in young), "not the oldest first"
        for job_id in gone:
            self._forget(job_id, SETTINGS.remember_s)

    def _forget(self, job_id: str, remember_s: float) -> None:
        """All that stays, if anything does, is what makes its id a duplicate and its fences grow."""
        job = self.jobs.pop(job_id)
        if remember_s > 0:
            self.jobs[job_id] = ModelJob(
                lane="main",
                data=job.data,
                created_s=job.created_s,
                fence=job.fence,
                state=JobState.FORGOTTEN,
                remembered_until_s=self.now_s + remember_s,
            )

    def see_ids_run_out(self) -> None:
        for job_id in self.of(JobState.FORGOTTEN):
            if self.jobs[job_id].remembered_until_s <= self.now_s:
                del self.jobs[job_id]

    # -- steering ------------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str, by: str) -> tuple[str, JobState | None]:
        job = self.jobs.get(job_id)
        if job is None:
            return "unknown", None
        if not job.is_live:
            return "moved_on", job.state
        job.cancel_by = job.cancel_by or by
        if job.state is JobState.ACTIVE and job.lease_until_s > self.now_s:
            return "asked", job.state
        if job.state is JobState.ACTIVE:
            self._call_off(job)
        else:
            self._finish(job, JobState.CANCELLED)
        return "done", job.state

    def retry(self, job_id: str) -> None:
        job = self.jobs[job_id]
        job.attempts = job.crashes = 0
        job.token = job.cancel_by = None
        self.totals["reopened"] += 1
        self._put(job, 0)

    def promote(self, job_id: str) -> None:
        self._put(self.jobs[job_id], 0)

    def move(self, job_id: str, from_lane: str, to_lane: str) -> bool:
        job = self.jobs.get(job_id)
        if job is None or job.lane != from_lane or from_lane == to_lane:
            return False
        if job.state not in (JobState.WAITING, JobState.DELAYED):
            return False
        job.lane = to_lane
        if job.state is JobState.WAITING:
            self._put(job, 0)
        return True

    def remove(self, job_id: str, remember_s: float) -> None:
        self._forget(job_id, remember_s)

    def drain(self, lanes: Sequence[str], *, with_delayed: bool, remember_s: float) -> int:
        """Remove what stands on the queue, whatever the server's clock said when it was put there."""
        removed = [
            job_id
            for job_id, job in self.jobs.items()
            if (job.state is JobState.WAITING and (not lanes or job.lane in lanes))
            or (job.state is JobState.DELAYED and with_delayed and not lanes)
        ]
        for job_id in removed:
            self._forget(job_id, remember_s)
        return len(removed)
