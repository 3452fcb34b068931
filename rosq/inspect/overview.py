"""The queue at a glance, in a bounded number of steps."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.reading import read_at_once, read_hashes
from rosq.connection.translating import is_missing
from rosq.inspect.ages import find_set_back, is_overlong, left_s, span_s
from rosq.inspect.finding import ERROR, WARNING, Finding, sentence
from rosq.inspect.parts import LaneView, NextDelayed, WorkerView
from rosq.inspect.pause import read_pause
from rosq.inspect.verdict import SECTIONS, judge, judge_lanes, judge_server
from rosq.inspect.view import MAX_LANES, MAX_WORKERS, View, at, count_of, server_now
from rosq.names import RECOVERY_CONSUMER
from rosq.settings import QueueSettings
from rosq.store.fields import read_entry_ms, read_ms, read_whole, to_datetime
from rosq.store.finder import read_rest
from rosq.store.history import read_started_ms
from rosq.store.keys import GROUP, Keys
from rosq.store.liveness import last_delivered, will_be_read
from rosq.store.standing import read_settings

if TYPE_CHECKING:
    import redis

    from rosq.inspect.pause import Pause

#: Lanes that one transaction looks at: it must not hold up the server.
_LANES_AT_ONCE = 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overview(View):
    """What `rosq inspect` shows."""

    #: OK or DEGRADED.
    verdict: str
    #: Why it is degraded. What breaks an invariant has the subject `keys`. The doctor tells the same.
    findings: list[Finding]
    #: By how many seconds the server's clock was set back, as far as can be seen; null: it wasn't.
    clock_set_back_s: float | None
    waiting: int
    active: int
    delayed: int
    completed: int
    failed: int
    cancelled: int
    #: Since the queue was made.
    enqueued_total: int
    completed_total: int
    failed_total: int
    cancelled_total: int
    #: In the last hour, as far as finished jobs are kept.
    completed_last_hour: int
    failed_last_hour: int
    oldest_waiting_s: float | None
    next_delayed: NextDelayed | None
    lanes: list[LaneView]
    #: How many lanes there are; those shown may be fewer.
    lane_count: int
    workers: list[WorkerView]
    worker_count: int
    server: dict[str, str | int]
    #: None while the queue hands out jobs.
    pause: Pause | None
    #: What the queue keeps, as it stands in Redis; the defaults where nothing does.
    settings: dict[str, int | float]

    @property
    def problems(self) -> list[str]:
        """What is wrong but for broken invariants, one or two sentences each."""
        return [sentence(each) for each in self.findings if each.subject != "keys"]

    @property
    def inconsistencies(self) -> list[str]:
        """Broken invariants, one or two sentences each."""
        return [sentence(each) for each in self.findings if each.subject == "keys"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableQueue:
    """A queue that can't be looked at."""

    queue: str
    #: DAMAGED: a key of it is of another type than rosq's. NEWER: a newer rosq has written it.
    verdict: str
    #: What is wrong and what to do, one sentence each.
    problems: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueuesView(View):
    """What `rosq inspect queues` shows; its own `queue` is empty."""

    queues: list[Overview]
    #: Those that can't be looked at: they aren't among `queues`.
    unreadable: list[UnreadableQueue]
    #: How many there are, unreadable ones too; those shown may be fewer.
    count: int


def look(client: redis.Redis, keys: Keys, address: str) -> Overview:
    """Return how the queue stands."""
    return _Look(client, keys, address).overview()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _LaneSeen:
    """A lane at one instant."""

    name: str
    length: int
    active: int
    #: The last entry that was handed out.
    last: str | None
    pending: list[dict[str, Any]]
    #: Its first entry.
    first: str | None


class _Look:
    """One look at one queue."""

    def __init__(self, client: redis.Redis, keys: Keys, address: str) -> None:
        self._client: Any = client
        self._keys = keys
        self._address = address
        self._now_s = server_now(client)
        self._now = at(self._now_s)
        self._findings: list[Finding] = []
        self._inconsistencies: list[Finding] = []

    def overview(self) -> Overview:
        keys, client = self._keys, self._client
        meta = client.hgetall(keys.meta)
        lane_names = sorted(client.smembers(keys.lanes))
        held: dict[str, dict[str, Any]] = {}
        lanes = self._look_at_lanes(lane_names[:MAX_LANES], held)
        set_back_s = find_set_back(client, keys, self._now)
        workers = self._look_at_workers(held, set_back_s)
        next_delayed = self._look_at_delayed()
        server = self._look_at_server()
        delayed, completed, failed, cancelled, worker_count, completed_1h, failed_1h = self._count()
        waiting, active = sum(lane.waiting for lane in lanes), sum(lane.active for lane in lanes)
        ages = [lane.oldest_waiting_s for lane in lanes if lane.oldest_waiting_s is not None]
        pause = read_pause(meta)
        if not meta and not lane_names and not workers:
            seen = f"Nothing was ever put on a queue named {keys.queue} here."
            advice = "Check the name: `rosq inspect queues` lists those that are there."
            self._findings.append(Finding(level=WARNING, subject="queue", seen=seen, advice=advice))
        self._findings += judge(waiting, delayed, workers, next_delayed, pause, set_back_s)
        if pause is None:
            self._findings += judge_lanes(lanes, workers)
        self._findings += self._inconsistencies
        return Overview(
            view="overview",
            queue=keys.queue,
            seen_at=self._now,
            verdict="DEGRADED" if self._findings else "OK",
            findings=self._findings,
            clock_set_back_s=set_back_s,
            waiting=waiting,
            active=active,
            delayed=delayed,
            completed=completed,
            failed=failed,
            cancelled=cancelled,
            completed_last_hour=completed_1h,
            failed_last_hour=failed_1h,
            enqueued_total=count_of(meta, "enqueued_total"),
            completed_total=count_of(meta, "completed_total"),
            failed_total=count_of(meta, "failed_total"),
            cancelled_total=count_of(meta, "cancelled_total"),
            oldest_waiting_s=max(ages, default=None),
            next_delayed=next_delayed,
            lanes=lanes,
            lane_count=len(lane_names),
            workers=workers,
            worker_count=worker_count,
            server=server,
            pause=pause,
            settings=dataclasses.asdict(read_settings(meta.get("settings")) or QueueSettings()),
        )

    def _count(self) -> list[int]:
        keys, hour_ago_ms = self._keys, int((self._now_s - 3_600) * 1000)
        pipe = self._client.pipeline(transaction=False)
        for key in (keys.delayed, keys.completed, keys.failed, keys.cancelled, keys.workers):
            pipe.zcard(key)
        for key in (keys.completed, keys.failed):
            pipe.zcount(key, hour_ago_ms, "+inf")
        counts: list[int] = pipe.execute()
        return counts

    def _look_at_lanes(self, names: list[str], held: dict[str, dict[str, Any]]) -> list[LaneView]:
        """Look at lanes in few round trips: first each at one instant, then at what was found in them."""
        seen = [
            lane
            for start in range(0, len(names), _LANES_AT_ONCE)
            for lane in self._read_lanes(names[start:][:_LANES_AT_ONCE])
        ]
        pipe = self._client.pipeline(transaction=False)
        for lane in seen:
            pipe.xrange(self._keys.lane(lane.name), f"({lane.last}" if lane.last else "-", "+", count=1)
        views = []
        for lane, oldest in zip(seen, pipe.execute(), strict=True):
            self._check_first(lane)
            since = to_datetime(read_entry_ms(oldest[0][0])) if oldest else None
            views.append(
                LaneView(
                    name=lane.name,
                    waiting=max(lane.length - lane.active, 0),
                    active=lane.active,
                    oldest_waiting_s=span_s(since, self._now),
                )
            )
        self._note_held([(lane.name, entry) for lane in seen for entry in lane.pending][:MAX_WORKERS], held)
        return views

    def _read_lanes(self, names: list[str]) -> list[_LaneSeen]:
        def ask(pipe: Any) -> None:
            for name in names:
                stream = self._keys.lane(name)
                pipe.xlen(stream)
                pipe.xinfo_groups(stream)
                pipe.xpending_range(stream, GROUP, "-", "+", MAX_WORKERS)
                pipe.xrange(stream, "-", "+", count=1)

        answers = read_at_once(self._client, ask, is_raising=False)
        for answer in answers:
            # A lane without entries may have no key, and one that nobody read yet no group.
            if isinstance(answer, redis_errors.ResponseError) and not is_missing(answer):
                raise answer
        seen = []
        for number, name in enumerate(names):
            length, groups, pending, first = answers[4 * number : 4 * number + 4]
            groups = [] if isinstance(groups, Exception) else groups
            seen.append(
                _LaneSeen(
                    name=name,
                    length=length,
                    active=next((group["pending"] for group in groups if group["name"] == GROUP), 0),
                    last=last_delivered(groups),
                    pending=[] if isinstance(pending, Exception) else pending,
                    first=first[0][0] if first else None,
                )
            )
        return seen

    def _check_first(self, lane: _LaneSeen) -> None:
        """The first entry is waiting or pending; else it was handed out, and nobody will settle it."""
        first, stream = lane.first, self._keys.lane(lane.name)
        if not first or any(entry["message_id"] == first for entry in lane.pending[:1]):
            return
        if not will_be_read(first, lane.last, lambda: self._is_pending(stream, first)):
            self._note_broken(
                f"Entry {first} of lane {lane.name} was handed out and is nobody's; it will never be read again.",
                "`rosq doctor` names its job, `rosq retry ID --why …` starts it again.",
            )

    def _note_broken(self, seen: str, advice: str) -> None:
        self._inconsistencies.append(Finding(level=ERROR, subject="keys", seen=seen, advice=advice))

    def _is_pending(self, stream: str, entry_id: str) -> bool:
        return bool(self._client.xpending_range(stream, GROUP, entry_id, entry_id, 1)) or not self._client.xrange(
            stream, entry_id, entry_id
        )

    def _note_held(self, handed_out: list[tuple[str, dict[str, Any]]], held: dict[str, dict[str, Any]]) -> None:
        """Note who holds which job, by all that is handed out."""
        pipe = self._client.pipeline(transaction=False)
        for lane, entry in handed_out:
            pipe.xrange(self._keys.lane(lane), entry["message_id"], entry["message_id"])
        known = [
            (lane, entry, entries[0][1].get("job_id", ""))
            for (lane, entry), entries in zip(handed_out, pipe.execute(), strict=True)
            if entries
        ]
        names = ["entry_id", "state", "attempts", "started_at_ms", "fence", "lease_until_ms", "worker", "rest"]
        for _, _, job_id in known:
            pipe.hmget(self._keys.job(job_id), names)
        for (lane, entry, job_id), values in zip(known, read_hashes(pipe), strict=True):
            entry_id, consumer = entry["message_id"], entry["consumer"]
            if values is None:
                self._note_broken(
                    f"Entry {entry_id} of lane {lane} names job {job_id}, whose key is of another type than rosq's: "
                    "something else wrote it.",
                    "`rosq doctor` says more.",
                )
                continue
            found = dict(zip(names, values, strict=True))
            if found["entry_id"] != entry_id and self._is_still_pending(lane, entry_id):
                self._note_broken(
                    f"Entry {entry_id} of lane {lane} names job {job_id}, which doesn't know it.",
                    "A worker drops it when it comes to it; `rosq doctor` says more.",
                )
                continue
            holder = found["worker"] if consumer == RECOVERY_CONSUMER else consumer
            held[holder or consumer] = {"job_id": job_id, "lane": lane, **found}

    def _is_still_pending(self, lane: str, entry_id: str) -> bool:
        """Whether it is so at a second look: the job may have been settled between the two steps of the first."""
        return bool(self._client.xpending_range(self._keys.lane(lane), GROUP, entry_id, entry_id, 1))

    def _look_at_workers(self, held: dict[str, dict[str, Any]], set_back_s: float | None) -> list[WorkerView]:
        seen = dict(self._client.zrange(self._keys.workers, 0, MAX_WORKERS - 1, withscores=True))
        # A holder that nobody lists any more still holds: it is shown.
        names = sorted({*seen, *held})[:MAX_WORKERS]
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(self._keys.worker(name))
        return [
            self._view_worker(name, hold, seen.get(name), held.get(name), set_back_s)
            for name, hold in zip(names, pipe.execute(), strict=True)
        ]

    def _view_worker(
        self,
        name: str,
        hold: dict[str, str],
        seen_ms: float | None,
        job: dict[str, Any] | None,
        set_back_s: float | None,
    ) -> WorkerView:
        state = "lost" if not hold else "busy" if job else "idle"
        view = WorkerView(
            name=name,
            state=state,
            host=hold.get("host"),
            pid=read_whole(hold.get("pid")),
            last_seen_at=to_datetime(seen_ms),
        )
        if job is None:
            return view
        started_ms, lease_until_ms = read_started_ms(job), read_ms(job["lease_until_ms"])
        lease_left_s = left_s(to_datetime(lease_until_ms or 0.0), self._now)
        return dataclasses.replace(
            view,
            job_id=job["job_id"],
            lane=job["lane"],
            attempt=(read_whole(job["attempts"]) or 0) + 1,
            started_at=to_datetime(started_ms),
            running_s=span_s(to_datetime(started_ms), self._now),
            resting_until=read_rest(job, self._now_s * 1000)[0],
            lease_left_s=lease_left_s,
            is_lease_overlong=is_overlong(lease_left_s, hold.get("lease_ms"), set_back_s),
        )

    def _look_at_delayed(self) -> NextDelayed | None:
        first = self._client.zrange(self._keys.delayed, 0, 0, withscores=True)
        if not first:
            return None
        job_id, due_ms = first[0]
        due_at = to_datetime(due_ms)
        return NextDelayed(job_id=job_id, due_at=due_at, due_in_s=left_s(due_at, self._now))

    def _look_at_server(self) -> dict[str, str | int]:
        pipe = self._client.pipeline(transaction=False)
        for section in SECTIONS:
            pipe.info(section)
        info: dict[str, Any] = {}
        for part in pipe.execute():
            info |= part
        self._findings += judge_server(info)
        return {
            "address": self._address,
            "version": info.get("valkey_version") or info.get("redis_version", "unknown"),
            "maxmemory_policy": info.get("maxmemory_policy", "unknown"),
            "used_memory_bytes": int(info.get("used_memory", 0)),
            "maxmemory_bytes": int(info.get("maxmemory", 0)),
        }
