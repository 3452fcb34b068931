"""Why a job isn't running now, and when it will, in words."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rosq.inspect.ages import left_s, span_s, tell_set_back
from rosq.inspect.finding import sentence
from rosq.inspect.job import phrases
from rosq.inspect.job.timeline import iterate_back
from rosq.inspect.jobs import place as places
from rosq.inspect.view import View
from rosq.inspect.words import duration, stamp
from rosq.job import DeliveryOutcome, Event, JobState
from rosq.store.fields import read_entry_ms, read_ms, to_datetime

if TYPE_CHECKING:
    from datetime import datetime

    from rosq.inspect.job.timeline import Timeline
    from rosq.inspect.overview import Overview
    from rosq.inspect.parts import WorkerView
    from rosq.job import Job
    from rosq.store.keys import Keys

#: Newest events by which the pace of a queue is judged, and starts among them that it takes.
_PACE_EVENTS = 1_000
_PACE_STARTS = 5
#: A job that an idle worker doesn't take within this many seconds isn't about to start.
_UNTAKEN_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(View):
    """Why a job doesn't run now, and what comes next."""

    job_id: str
    #: `unknown` where the queue doesn't know the job.
    state: str
    is_running: bool
    #: Until when its handler rests; None: it works, or nobody has it.
    resting_until: datetime | None
    #: False: nothing will ever start it by itself.
    will_run: bool
    #: It breaks an invariant of the queue.
    is_inconsistent: bool
    #: One sentence.
    verdict: str
    #: What stands in the way, one sentence each.
    reasons: list[str]
    #: What happens next, one sentence.
    next: str
    #: When, as far as it can be told.
    next_at: datetime | None


class Explainer:
    """Puts together what the queue knows about one job."""

    def __init__(self, client: Any, keys: Keys, overview: Overview, timeline: Timeline) -> None:
        self._client = client
        self._keys = keys
        self._overview = overview
        self._events = timeline.events
        self._now = overview.seen_at

    def explain(self, job_id: str, job: Job | None) -> Explanation:
        """Explain a job; None where the queue doesn't know it."""
        if job is None:
            return self._explain_unknown(job_id)
        if not job.is_live and job.state in (JobState.WAITING, JobState.ACTIVE, JobState.DELAYED):
            return self._explain_dead(job)
        told = {
            JobState.WAITING: self._explain_waiting,
            JobState.ACTIVE: self._explain_active,
            JobState.DELAYED: self._explain_delayed,
            JobState.COMPLETED: self._explain_completed,
            JobState.FAILED: self._explain_failed,
            JobState.CANCELLED: self._explain_cancelled,
            JobState.FORGOTTEN: self._explain_forgotten,
            JobState.UNREADABLE: self._explain_unreadable,
        }
        return told[job.state](job)

    def _say(self, job: Job, verdict: str, **more: Any) -> Explanation:
        facts: dict[str, Any] = {
            "is_running": False,
            "resting_until": None,
            "will_run": True,
            "is_inconsistent": False,
            "reasons": [],
            "next": "",
            "next_at": None,
            **more,
        }
        return Explanation(
            view="explain",
            queue=self._keys.queue,
            seen_at=self._now,
            job_id=job.job_id,
            state=job.state.value,
            verdict=verdict,
            **facts,
        )

    # -- jobs that will run --------------------------------------------------------------------------------------------

    def _explain_waiting(self, job: Job) -> Explanation:
        overview = self._overview
        readers = places.list_readers(self._client, self._keys, job.lane, overview.workers)
        ahead = self._find_place(job)
        reasons = [f"{phrases.ahead(ahead)} ahead of it in lane {job.lane}."] if ahead.ahead else []
        idle = [worker for worker in readers if worker.state == "idle"]
        next_at = None
        since = self._since_in_lane(job)
        if not readers:
            reasons.append(self._why_nobody_reads(job.lane))
        if overview.pause is not None:
            reasons.insert(0, f"The queue is {overview.pause}.")
            next_step = "It waits for `rosq resume`; a worker takes it then, when its turn comes."
        elif not readers:
            next_step = f"Nothing, until a worker is started that reads lane {job.lane}."
        elif idle and not ahead.ahead:
            reasons.append(
                f"A worker is idle and reads lane {job.lane}: {phrases.name_some([worker.name for worker in idle])}."
            )
            if (since or 0.0) < _UNTAKEN_S:
                next_step = "It starts at once: this look came in between."
                next_at = self._now
            else:
                next_step = "It should have started long ago: the log of that worker says why it doesn't take it."
        else:
            if not idle:
                reasons.append(self._all_busy(readers, job.lane))
            next_step, next_at = self._foresee(ahead, job.lane)
        verdict = f"Job {job.job_id} waits in lane {job.lane}" + (f" for {duration(since)} now." if since else ".")
        reasons += self._clock()
        if job.attempts:
            reasons.append(f"It has failed {phrases.times(job.attempts)} before: {job.last_error}")
        return self._say(job, verdict, reasons=reasons, next=next_step, next_at=next_at)

    def _explain_delayed(self, job: Job) -> Explanation:
        if job.due_at is None:
            return self._say(
                job,
                f"Job {job.job_id} is delayed until a time that no calendar has.",
                will_run=False,
                is_inconsistent=True,
                next=f"Nothing by itself. `rosq promote {job.job_id} --why …` puts it into its lane.",
            )
        left = left_s(job.due_at, self._now) or 0.0
        reasons = [self._why_delayed(job), *self._clock()]
        if self._overview.pause is not None:
            reasons.append(f"The queue is {self._overview.pause}: it won't be handed out before `rosq resume`.")
        alive = [worker for worker in self._overview.workers if worker.state != "lost"]
        if left < 0:
            late = f"It has been due for {duration(-left)}, and nobody has put it into its lane: "
            reasons.append(late + ("no worker is there." if not alive else "all workers are busy, or just about to."))
        elif not alive:
            reasons.append("No worker is there that would put it into its lane when it is due.")
        when = f"at {stamp(job.due_at)}, in {duration(left)}" if left >= 0 else "as soon as a worker looks"
        next_step = f"It goes into lane {job.lane} {when}, and runs when its turn comes there."
        next_at = max(job.due_at, self._now) if alive else None
        verdict = f"Job {job.job_id} is delayed until {stamp(job.due_at)}."
        return self._say(job, verdict, reasons=reasons, next=next_step, next_at=next_at)

    def _explain_active(self, job: Job) -> Explanation:
        worker = job.worker or "unknown"
        lease_left_s = left_s(job.lease_until, self._now) or 0.0
        holder = next((each for each in self._overview.workers if each.name == worker), None)
        is_there = holder is not None and holder.state != "lost"
        if lease_left_s > 0 and is_there:
            reasons = [*self._clock(), self._tell_lease(lease_left_s, holder), *self._progress_of(job)]
            next_step = "It ends when its handler does; if its worker dies, another one takes it over."
            if job.cancel_by is not None:
                reasons.append(f"{phrases.asked_by(job)}.")
                next_step = (
                    "Its handler learns of that at the next heartbeat, and should stop; if it returns, the job is "
                    "completed. It doesn't run again."
                )
            has = f"worker {worker} has it {self._ago(job.started_at)} (attempt {job.attempts + 1})"
            verdict = f"Job {job.job_id} is running: {has}."
            if job.resting_until is not None:
                left = duration(left_s(job.resting_until, self._now))
                verdict = f"Job {job.job_id} rests until {stamp(job.resting_until)}, for {left} more: {has}."
                why = f": {job.resting_why}" if job.resting_why else ""
                reasons.insert(0, f"Its handler sleeps{why}. That is no fault.")
                next_step = f"Its handler goes on then. {next_step}"
            return self._say(
                job,
                verdict,
                resting_until=job.resting_until,
                is_running=True,
                reasons=reasons,
                next=next_step,
            )
        gone = f"Worker {worker} is gone" if not is_there else f"Worker {worker} has stopped renewing its lease"
        left = f"its lease stands for {duration(lease_left_s)} more" if lease_left_s > 0 else "its lease has run out"
        others = [each for each in self._overview.workers if each.state != "lost"]
        lease_s = (read_ms(self._client.hget(self._keys.worker(worker), "lease_ms")) or 30_000) / 1000
        if others:
            next_step = (
                "A living worker gives it back within a third of a lease after it ran out, with one crash more on its "
                "count; one whose own connection is younger than a lease waits that long first."
            )
            next_at = self._now + timedelta(seconds=max(lease_left_s, 0.0) + lease_s / 3 + 1)
        else:
            next_step = f"Nothing, until a worker is there: {worker} again goes on at once, another one after a lease."
            next_at = None
        verdict = f"Job {job.job_id} counts as active, but nobody may be working on it: {gone}, and {left}."
        reasons = self._clock()
        if job.crashes:
            reasons.append(f"Taken from a holder {phrases.times(job.crashes)} in a row so far.")
        if job.cancel_by is not None:
            reasons.append(f"{phrases.asked_by(job)}: then it isn't given back, but cancelled.")
        return self._say(job, verdict, reasons=reasons, next=next_step, next_at=next_at)

    # -- jobs that won't -----------------------------------------------------------------------------------------------

    def _explain_completed(self, job: Job) -> Explanation:
        took_s = span_s(job.started_at, job.finished_at)
        took = "" if took_s is None else f", {duration(took_s)} after it was last started"
        verdict = f"Job {job.job_id} is done: worker {job.worker} completed it at {stamp(job.finished_at)}{took}."
        return self._say(job, verdict, will_run=False, next="Nothing: it is kept for a while, then forgotten.")

    def _explain_failed(self, job: Job) -> Explanation:
        reasons = [f"Its last error: {job.last_error}"] if job.last_error else []
        if job.attempts:
            reasons.append(f"Its handler failed {phrases.times(job.attempts)}.")
        verdict = f"Job {job.job_id} failed for good at {stamp(job.finished_at)}."
        next_step = f"Nothing by itself. `rosq retry {job.job_id} --why …` starts it again."
        return self._say(job, verdict, will_run=False, reasons=reasons, next=next_step)

    def _explain_cancelled(self, job: Job) -> Explanation:
        next_step = f"Nothing by itself. `rosq retry {job.job_id} --why …` starts it again."
        reasons = [f"{phrases.asked_by(job)}."] if job.cancel_by else []
        if job.last_error:
            reasons.append(f"Its last error: {job.last_error}")
        verdict = f"Job {job.job_id} was cancelled at {stamp(job.finished_at)}."
        return self._say(job, verdict, will_run=False, reasons=reasons, next=next_step)

    def _explain_forgotten(self, job: Job) -> Explanation:
        last = self._events[-1] if self._events else None
        reasons = (
            [f"The last that is known of it: {last.event} at {stamp(last.at)}{phrases.told_by(last)}."] if last else []
        )
        left_ms = max(int(self._client.pttl(self._keys.job(job.job_id))), 0)
        reasons.append(f"Its id counts as a duplicate for {duration(left_ms / 1000)} more.")
        next_step = (
            "Nothing by itself. `Queue.reopen` starts it anew; "
            f"`rosq remove {job.job_id} --forget-id --why …` makes its id a new one."
        )
        verdict = f"Job {job.job_id} is over, and forgotten or removed: only its id is remembered."
        return self._say(job, verdict, will_run=False, reasons=reasons, next=next_step)

    def _explain_unreadable(self, job: Job) -> Explanation:
        return self._say(
            job,
            f"Under the key of job {job.job_id} lies something that rosq hasn't written.",
            will_run=False,
            is_inconsistent=True,
            reasons=["What was known of the job is gone."],
            next="`rosq repair --why …` puts it aside; then its producer can put the job on the queue anew.",
        )

    def _explain_dead(self, job: Job) -> Explanation:
        return self._say(
            job,
            f"Job {job.job_id} says that it is {job.state.value}, but nothing will ever start it.",
            will_run=False,
            is_inconsistent=True,
            reasons=["It has no entry that will be handed out, no due time and no lease: its queue was damaged."],
            next=f"Nothing by itself. `rosq retry {job.job_id} --why …` starts it again.",
        )

    def _explain_unknown(self, job_id: str) -> Explanation:
        last = self._events[-1] if self._events else None
        reasons = ["It was never put on this queue, or it is so long ago that nothing is kept of it."]
        if last is not None:
            reasons = [f"The last that is known of it: {last.event} at {stamp(last.at)}{phrases.told_by(last)}."]
        return Explanation(
            view="explain",
            queue=self._keys.queue,
            seen_at=self._now,
            job_id=job_id,
            state="unknown",
            is_running=False,
            resting_until=None,
            will_run=False,
            is_inconsistent=False,
            verdict=f"Queue {self._keys.queue} knows no job {job_id}.",
            reasons=reasons,
            next="Nothing, until it is put on the queue.",
            next_at=None,
        )

    def _progress_of(self, job: Job) -> list[str]:
        if job.progress_at is None:
            return []
        ago_s = span_s(job.progress_at, self._now)
        ago = f"at {stamp(job.progress_at)}" if ago_s is None else f"{duration(ago_s)} ago"
        progress, is_hidden = phrases.show_progress(job, with_data=False)
        if is_hidden:
            return [f"It reported progress {ago}: `rosq inspect job {job.job_id} --show-data` prints it."]
        return [f"It reported its progress {ago}: {progress}."]

    # -- what stands behind it -----------------------------------------------------------------------------------------

    def _find_place(self, job: Job) -> places.Place:
        entry_id = self._client.hget(self._keys.job(job.job_id), "entry_id")
        if read_entry_ms(entry_id) is None:
            return places.Place(ahead=0, is_exact=True)
        return places.find_place(self._client, self._keys, job.lane, entry_id)

    def _since_in_lane(self, job: Job) -> float | None:
        entry_id = self._client.hget(self._keys.job(job.job_id), "entry_id")
        return span_s(to_datetime(read_entry_ms(entry_id)), self._now)

    def _clock(self) -> list[str]:
        """That the server's clock was set back, where it was."""
        set_back_s = self._overview.clock_set_back_s
        return [] if set_back_s is None else [sentence(tell_set_back(set_back_s))]

    def _ago(self, since: datetime | None) -> str:
        seconds = span_s(since, self._now)
        return f"since {stamp(since)}" if seconds is None else f"for {duration(seconds)}"

    def _tell_lease(self, lease_left_s: float, holder: WorkerView | None) -> str:
        stands = f"Its lease stands for {duration(lease_left_s)} more"
        if holder is not None and holder.is_lease_overlong:
            return (
                f"{stands}, longer than a lease can: a heartbeat sets it right, but nobody takes it from a dead holder."
            )
        return f"{stands}, and is renewed by a heartbeat."

    def _why_nobody_reads(self, lane: str) -> str:
        alive = [worker for worker in self._overview.workers if worker.state != "lost"]
        if not alive:
            return "No worker is there."
        there = phrases.name_some([worker.name for worker in alive])
        return f"No living worker reads lane {lane}; those that are there ({there}) read others."

    def _all_busy(self, readers: list[WorkerView], lane: str) -> str:
        held = [f"{each.name} with job {each.job_id} {self._ago(each.started_at)}" for each in readers]
        listed = phrases.name_some(held)
        if len(readers) == 1:
            return f"The only worker that reads lane {lane} is busy: {listed}."
        return f"All {len(readers)} workers that read lane {lane} are busy: {listed}."

    def _foresee(self, place: places.Place, lane: str) -> tuple[str, datetime | None]:
        """When a waiting job's turn comes, by how fast jobs of its lane's queue were started lately."""
        turn = "A worker takes it when its turn comes"
        starts = self._list_starts()
        if len(starts) < _PACE_STARTS:
            return f"{turn}; when that is can't be told: too few jobs were started lately.", None
        # Until now, not until the last start: a queue that has come to a halt has no pace.
        since_s = span_s(min(starts), self._now)
        if since_s is None:
            return f"{turn}; when that is can't be told: the server's clock was set back.", None
        per_job_s = max(since_s, 0.001) / len(starts)
        wait_s = per_job_s * (place.ahead + 1)
        least = "" if place.is_exact else "at least "
        text = f"{turn}: in {least}about {duration(wait_s)} at the pace of the last {len(starts)} starts."
        return text, self._now + timedelta(seconds=wait_s)

    def _list_starts(self) -> list[datetime]:
        """When jobs were handed out lately. A hand-out may be told of only by its end: then that counts."""
        seen: dict[str, datetime] = {}
        for event in itertools.islice(iterate_back(self._client, self._keys, _PACE_EVENTS), _PACE_EVENTS):
            if "fence" in event.facts and event.event != Event.REMOVED:
                # Newest first: what comes later in this loop is the earlier event of the same hand-out.
                seen[f"{event.facts['fence']} {event.job_id}"] = event.at
        return list(seen.values())

    def _why_delayed(self, job: Job) -> str:
        for event in reversed(self._events):
            if event.event == Event.RETRIED:
                return f"Its handler failed (attempt {event.facts.get('attempt')}), and it rests: {job.last_error}"
            if event.event == Event.SNOOZED:
                return f"Its handler put it off at {stamp(event.at)}."
            if event.event == Event.CRASHED:
                worker = event.facts.get("worker") or "its holder"
                return f"It was taken from {worker}, which didn't settle it ({job.crashes} in a row), and it rests."
            if event.event in (Event.ENQUEUED, Event.REOPENED):
                return "It was put on the queue with a delay."
        if job.history and job.history[-1].outcome is DeliveryOutcome.SNOOZED:
            return f"Its handler put it off at {stamp(job.history[-1].ended_at)}."
        if job.crashes:
            return f"It was taken from a holder that didn't settle it ({job.crashes} in a row), and it rests."
        if job.attempts:
            return f"It has failed {phrases.times(job.attempts)}: {job.last_error}"
        if job.started_at is None:
            return "It was put on the queue with a delay."
        return "It was put off; the event that says by whom is no longer kept."
