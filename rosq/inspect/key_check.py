"""Whether keys fit together: jobs without entries, entries without jobs, and what nothing would ever remove."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from rosq.finder import find_jobs
from rosq.inspect.jobs import iterate_found
from rosq.inspect.sources import list_sources
from rosq.job import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.inspect.sources import Found
    from rosq.keys import Keys

_SCAN_COUNT = 500
_BATCH = 200
_NAMED = 5
_STATES = {state.value for state in JobState}
_UNFINISHED = (JobState.WAITING, JobState.ACTIVE, JobState.DELAYED)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check came to."""

    #: What was seen, and what to do about it.
    broken: list[tuple[str, str]]
    #: In words.
    looked_at: str
    #: What was looked at in part only.
    cut: list[str]


class KeyCheck:
    """One pass over a bounded part of a queue's keys. What looks wrong is looked at a second time before it is told,
    since jobs move while they are read."""

    def __init__(self, client: Any, keys: Keys, *, scan: int) -> None:
        self._client = client
        self._keys = keys
        self._scan = scan
        self._cut: list[str] = []
        self._broken: list[tuple[str, str]] = []

    def run(self) -> Checked:
        """Look at job keys, lanes, and the sets of delayed and finished jobs."""
        jobs = self._check_jobs()
        members = sum(
            self._check_members(state)
            for state in (JobState.WAITING, JobState.DELAYED, JobState.COMPLETED, JobState.FAILED)
        )
        looked_at = f"{jobs:,} jobs and {members:,} entries and places looked at"
        return Checked(broken=self._broken, looked_at=looked_at, cut=self._cut)

    def _check_jobs(self) -> int:
        """Find jobs that say that they will run, and won't; and finished ones that no set lists."""
        prefix = self._keys.job_prefix
        # Nothing in a queue's name means anything in a pattern of SCAN.
        looked_at, cursor, steps = 0, 0, 0
        dead: list[str] = []
        unlisted: list[str] = []
        malformed: list[str] = []
        # A server may hold millions of other keys: steps are bounded too.
        max_steps = max(self._scan // _SCAN_COUNT, 1) * 4
        while True:
            cursor, found = self._client.scan(cursor, match=f"{prefix}*", count=_SCAN_COUNT)
            steps += 1
            job_ids = [str(key).removeprefix(prefix) for key in found]
            looked_at += len(job_ids)
            for start in range(0, len(job_ids), _BATCH):
                self._sort_out(job_ids[start : start + _BATCH], dead, unlisted, malformed)
            if cursor == 0:
                break
            if looked_at >= self._scan or steps >= max_steps:
                self._cut.append(f"{looked_at:,} job keys")
                break
        self._tell(
            dead,
            "say that they wait or run, but nothing will ever start them",
            "`rosq retry ID --why …` starts one again.",
        )
        self._tell(
            unlisted,
            "are finished, but on no list of finished jobs: nothing ever forgets them",
            "`rosq remove ID --why …` removes one.",
        )
        self._tell(malformed, "have no state that rosq knows", "Something else wrote these keys; look at them by hand.")
        return looked_at

    def _sort_out(self, job_ids: list[str], dead: list[str], unlisted: list[str], malformed: list[str]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hget(self._keys.job(job_id), "state")
            pipe.exists(self._keys.job(job_id))
        answers = pipe.execute()
        states = dict(zip(job_ids, zip(answers[::2], answers[1::2], strict=True), strict=True))
        malformed += [job_id for job_id, (state, exists) in states.items() if exists and state not in _STATES]
        known = [job_id for job_id, (state, _) in states.items() if state in _STATES]
        for _ in range(2):
            # A second look at those only that looked wrong.
            jobs = find_jobs(self._client, self._keys, known)
            known = [
                job_id
                for job_id, job in jobs.items()
                if (not job.is_live if job.state in _UNFINISHED else not self._is_listed(job_id, job.state))
            ]
        jobs = {job_id: jobs[job_id] for job_id in known}
        dead += [job_id for job_id, job in jobs.items() if job.state in _UNFINISHED]
        unlisted += [job_id for job_id, job in jobs.items() if job.state not in _UNFINISHED]

    def _is_listed(self, job_id: str, state: JobState) -> bool:
        key = self._keys.completed if state is JobState.COMPLETED else self._keys.failed
        return state is JobState.CANCELLED or self._client.zscore(key, job_id) is not None

    def _check_members(self, state: JobState) -> int:
        """Find entries and members whose job doesn't know of them."""
        looked_at = 0
        stray: list[str] = []
        for batch in iterate_found(list_sources(self._client, self._keys, [state], ())):
            room = self._scan - looked_at
            if len(batch) > room:
                batch = batch[:room]
                self._cut.append(f"{self._scan:,} {state.value} ones")
            looked_at += len(batch)
            stray += [_name(each) for each in self._find_strays(self._find_strays(batch))]
            if looked_at >= self._scan:
                break
        kind = "entries of lanes" if state is JobState.WAITING else f"members of the {state.value} set"
        advice = {
            JobState.WAITING: "They are dropped when a worker comes to them.",
            JobState.DELAYED: "They are dropped when they are due.",
        }.get(state, "They are dropped when their time is over.")
        self._tell(stray, "have no job that knows of them", advice, kind)
        return looked_at

    def _find_strays(self, batch: Sequence[Found]) -> list[Found]:
        pipe = self._client.pipeline(transaction=False)
        for each in batch:
            pipe.hmget(self._keys.job(each.job_id), "state", "entry_id")
        strays = [
            each
            for each, (state, entry_id) in zip(batch, pipe.execute(), strict=True)
            if state != each.state.value or each.entry_id not in (None, entry_id)
        ]
        return [each for each in strays if self._is_still_there(each)]

    def _is_still_there(self, found: Found) -> bool:
        if found.entry_id is not None:
            return any(
                entries and entries[0][1].get("job_id") == found.job_id
                for lane in self._client.smembers(self._keys.lanes)
                if (entries := self._client.xrange(self._keys.lane(lane), found.entry_id, found.entry_id))
            )
        key = {
            JobState.DELAYED: self._keys.delayed,
            JobState.COMPLETED: self._keys.completed,
            JobState.FAILED: self._keys.failed,
        }[found.state]
        return self._client.zscore(key, found.job_id) is not None

    def _tell(self, names: list[str], what: str, advice: str, kind: str = "jobs") -> None:
        if names:
            listed = ", ".join(itertools.islice(names, _NAMED)) + (" …" if len(names) > _NAMED else "")
            self._broken.append((f"{len(names):,} {kind} {what}: {listed}.", advice))


def _name(found: Found) -> str:
    return found.job_id if found.entry_id is None else f"{found.entry_id} ({found.job_id})"
