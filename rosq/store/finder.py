"""Looking jobs up, many at a time, without asking any worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.reading import read_at_once, read_hashes
from rosq.connection.translating import is_missing, is_wrong_type
from rosq.job import Job, JobState, LogLine, read_state
from rosq.names import MAIN_LANE
from rosq.store import codec, history
from rosq.store.fields import Fields, read_entry_ms, read_ms, to_datetime
from rosq.store.keys import GROUP, Keys
from rosq.store.liveness import last_delivered, will_be_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import redis

#: Jobs that are looked up in one transaction: it must not hold the server up.
_BATCH = 50
#: How often a job that keeps moving between the looks is looked for.
_LOOKS = 5


def find_jobs(client: redis.Redis, keys: Keys, job_ids: Sequence[str]) -> dict[str, Job]:
    """Return those of the jobs that the queue knows, by id; the order is that of the ids."""
    found: dict[str, Job] = {}
    for start in range(0, len(job_ids), _BATCH):
        found.update(_find_batch(client, keys, job_ids[start : start + _BATCH]))
    return {job_id: found[job_id] for job_id in job_ids if job_id in found}


def read_created(fields: Mapping[str, str | None]) -> datetime | None:
    """When a job was put on the queue, from its hash: a job that never lost its first entry has the time in that
    entry's id alone."""
    return to_datetime(fields.get("created_at_ms")) or to_datetime(read_entry_ms(fields.get("entry_id")))


def read_rest(fields: Mapping[str, str | None], now_ms: float) -> tuple[datetime | None, str]:
    """Until when the handler of a running job rests, and why, from its hash; None, and '', where it works."""
    fence, _, rest = (fields.get("rest") or "").partition(" ")
    until, _, why = rest.partition(" ")
    until_ms = read_ms(until)
    if not fence or fence != fields.get("fence") or until_ms is None or until_ms <= now_ms:
        return None, ""
    return to_datetime(until_ms), why


def _find_batch(client: redis.Redis, keys: Keys, job_ids: Sequence[str]) -> dict[str, Job]:
    """Look twice: first where the jobs lie, then, at one instant, at the jobs and those places. A job that moved in
    between is looked up again, so that none is taken for dead because it was on its way."""
    found: dict[str, Job] = {}
    places = _look_for_places(client, keys, job_ids)
    for look in range(_LOOKS):
        seen, moved = _look_at(client, keys, places, is_final=look == _LOOKS - 1)
        found.update(seen)
        if not moved:
            break
        places = moved
    return found


def _look_for_places(client: redis.Redis, keys: Keys, job_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    pipe = client.pipeline(transaction=False)
    for job_id in job_ids:
        pipe.hmget(keys.job(job_id), ["lane", "entry_id"])
    # Of a key of another type no place is known; the second look tells of it.
    return {job_id: _place(*(found or (None, None))) for job_id, found in zip(job_ids, read_hashes(pipe), strict=True)}


def _place(lane: str | None, entry_id: str | None) -> tuple[str, str]:
    """Where a job's hash says that its entry lies; '' where it names none that could be one."""
    return lane or MAIN_LANE, entry_id if entry_id and read_entry_ms(entry_id) is not None else ""


def _look_at(
    client: redis.Redis, keys: Keys, places: dict[str, tuple[str, str]], *, is_final: bool
) -> tuple[dict[str, Job], dict[str, tuple[str, str]]]:
    if not places:
        return {}, {}
    lanes = sorted({lane for lane, _ in places.values()})

    def ask(pipe: Any) -> None:
        pipe.time()
        for lane in lanes:
            pipe.xinfo_groups(keys.lane(lane))
        for job_id, (lane, entry_id) in places.items():
            pipe.hgetall(keys.job(job_id))
            pipe.zscore(keys.delayed, job_id)
            # An id that no entry has, where there is none.
            pipe.xrange(keys.lane(lane), entry_id or "0-1", entry_id or "0-1")
            pipe.xpending_range(keys.lane(lane), GROUP, entry_id or "0-1", entry_id or "0-1", 1)

    # All keys have one hash tag, so a transaction works on a cluster too. A lane or group that doesn't exist is an
    # answer here, not a failure.
    answers = read_at_once(client, ask, is_raising=False)
    hashes = range(1 + len(lanes), len(answers), 4)
    for number, answer in enumerate(answers):
        is_error = isinstance(answer, redis_errors.ResponseError)
        is_harmless = is_error and (is_missing(answer) or (number in hashes and is_wrong_type(answer)))
        if isinstance(answer, Exception) and not is_harmless:
            raise answer
    (seconds, micros), *rest = answers
    now_ms = seconds * 1000 + micros // 1000
    delivered = {
        lane: None if isinstance(groups, Exception) else last_delivered(groups)
        for lane, groups in zip(lanes, rest, strict=False)
    }
    rest = rest[len(lanes) :]
    found: dict[str, Job] = {}
    moved: dict[str, tuple[str, str]] = {}
    for number, (job_id, place) in enumerate(places.items()):
        fields, due_ms, entries, pending = rest[4 * number : 4 * number + 4]
        if isinstance(fields, Exception):
            found[job_id] = _make_unreadable(job_id)
        if isinstance(fields, Exception) or not fields:
            continue
        here = _place(fields.get("lane"), fields.get("entry_id"))
        if here != place and not is_final:
            moved[job_id] = here
            continue
        last = delivered[place[0]]
        is_pending = not isinstance(pending, Exception) and bool(pending)
        is_entry_live = bool(entries) and (is_pending or will_be_read(place[1], last, lambda: False))
        # One that moved at every look is alive, whatever its place says.
        is_live = here != place or is_entry_live
        found[job_id] = _read_job(job_id, fields, due_ms, entries or [], now_ms, is_entry_live=is_live)
    return found, moved


def _read_job(
    job_id: str, fields: dict[str, str], due_ms: float | None, entries: list[Any], now_ms: int, *, is_entry_live: bool
) -> Job:
    state, read = read_state(fields.get("state")), Fields(fields)
    if state is JobState.UNREADABLE:
        return _make_unreadable(job_id)
    # A job that isn't active keeps what its last delivery wrote.
    lease_until_ms = read.ms("lease_until_ms")
    has_lease = state is JobState.ACTIVE and lease_until_ms is not None and lease_until_ms > now_ms
    is_live = due_ms is not None or has_lease or (state in (JobState.WAITING, JobState.ACTIVE) and is_entry_live)
    carried, past = _read_data(read, state, entries), history.read(fields)
    if not past.is_whole:
        read.blame("history")
    resting_until, resting_why = read_rest(fields, now_ms) if state is JobState.ACTIVE else (None, "")
    return Job(
        job_id=job_id,
        data=carried.data,
        state=state,
        is_live=is_live,
        lane=fields.get("lane") or MAIN_LANE,
        attempts=read.whole("attempts") or 0,
        crashes=read.whole("crashes") or 0,
        fence=read.whole("fence") or 0,
        last_error=fields.get("last_error"),
        created_at=read.time("created_at_ms") or read_created(fields),
        due_at=to_datetime(due_ms),
        started_at=read.time("started_at_ms") or to_datetime(history.read_started_ms(fields)),
        worker=fields.get("worker"),
        finished_at=read.time("finished_at_ms"),
        # A job that is over may keep what its last holder had.
        lease_until=to_datetime(lease_until_ms) if state is JobState.ACTIVE else None,
        name=carried.name,
        headers=carried.headers,
        run_timeout_s=carried.run_timeout_s,
        error_class=fields.get("error_class") or None,
        history=past.deliveries,
        history_dropped=past.dropped,
        cancel_by=fields.get("cancel_by"),
        cancel_reason=fields.get("cancel_reason"),
        cancel_asked_at=read.time("cancel_asked_at_ms"),
        progress=read.json("progress"),
        progress_at=read.time("progress_at_ms"),
        log=_read_log(read),
        resting_until=resting_until,
        resting_why=resting_why,
        unreadable=tuple(read.unreadable),
    )


def _make_unreadable(job_id: str) -> Job:
    """What can be said of a job under whose key lies something that rosq hasn't written."""
    return Job(
        job_id=job_id,
        data={},
        state=JobState.UNREADABLE,
        is_live=False,
        lane=MAIN_LANE,
        attempts=0,
        crashes=0,
        fence=0,
        last_error=None,
        created_at=None,
        due_at=None,
        started_at=None,
        worker=None,
        finished_at=None,
        lease_until=None,
        name="",
        headers={},
        run_timeout_s=None,
    )


def _read_data(read: Fields, state: JobState, entries: list[Any]) -> codec.Body:
    if state is JobState.FORGOTTEN:
        # What is left of them is only for comparing.
        return codec.Body({})
    text = read.text("data") or (entries[0][1].get("data") if entries else None)
    try:
        return codec.unpack(text) if text else codec.Body({})
    except ValueError:
        read.blame("data")
        return codec.Body({})


def _read_log(read: Fields) -> tuple[LogLine, ...]:
    lines = []
    for line in (read.text("log") or "").split("\n"):
        at_ms, _, rest = line.partition(" ")
        at = to_datetime(at_ms)
        if at is not None:
            lines.append(LogLine(at=at, text=rest))
        elif line:
            read.blame("log")
    return tuple(lines)
