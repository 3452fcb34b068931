"""Steering a queue by hand: pause it, start jobs again, wake, move, remove, drain and forget them. Each change says who
and why."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from redis import exceptions as redis_errors

from rosq import errors
from rosq.connection.connecting import Connector, make_client
from rosq.connection.reading import read_hashes
from rosq.connection.translating import translate
from rosq.connection.wire import Wire
from rosq.inspect.jobs.listing import iterate_found
from rosq.inspect.jobs.sources import list_sources
from rosq.inspect.pause import Pause, read_pause
from rosq.inspect.view import server_now
from rosq.job import Changed, JobState, read_state
from rosq.names import MAIN_LANE, check_name
from rosq.scripts import loader
from rosq.settings import DEFAULT_REMEMBER_S, QueueSettings
from rosq.store import changes
from rosq.store.changes import Seen
from rosq.store.keys import SCHEMA_VERSION, Keys
from rosq.store.lanes import PAGE, list_ring_keys
from rosq.store.standing import StandingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

    from rosq.inspect.jobs.sources import Found, Source
    from rosq.settings import RedisSettings

T = TypeVar("T")
#: Told how many jobs are done so far, after each batch.
OnProgress: TypeAlias = "Callable[[int], None]"

#: Jobs that are changed in one round trip, each by a script of its own; and those that one drain script removes.
_BATCH = 50


def _tell_nobody(_: int) -> None:
    """What is told of progress where nobody asks."""


class Steering:
    """Changes one queue. Every call writes events with who and why; a crash midway leaves whole jobs, each either
    changed or not, and repeating the call changes the rest.

    Args:
        by: Who does it.
        reason: Why.

    Raises:
        InvalidData: Who or why is missing.
        ServerUnreachable: From every method; what was under way may have happened or not.
        QueueNewer: From every method: a newer rosq has written the queue.
    """

    def __init__(self, redis_settings: RedisSettings, queue: str, *, by: str, reason: str) -> None:
        self._who = changes.check_who("steers the queue", by, reason)
        self._settings = redis_settings
        self._keys = Keys(queue)
        self._by, self._reason = self._who.by, self._who.reason
        #: For scripts, and for looking.
        self._wire = Wire(Connector(redis_settings, self._keys.meta), "rosq-steering")
        self._client = make_client(redis_settings, "rosq-steering", self._keys.meta)
        self._standing = StandingSettings(self._keys)
        self._has_looked = False

    def __enter__(self) -> Steering:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()
        self._client.close()

    @property
    def _kept(self) -> QueueSettings:
        """What the queue keeps, as it stood at the last call; the first one sees to that."""
        if not self._has_looked:
            self._call(lambda _: None)
        return self._standing.current

    def pause(self) -> Pause | None:
        """Hand out nothing new; running jobs finish (`pause.lua`).

        Returns:
            None if it is paused now by this call; else who had paused it before.
        """
        answer = self._run(
            "pause",
            [self._keys.meta, self._keys.events],
            [self._kept.max_events, SCHEMA_VERSION, self._by, self._reason],
        )
        if answer[0] == 1:
            return None
        return read_pause({"paused_by": answer[1], "paused_reason": answer[2], "paused_at_ms": answer[3]})

    def resume(self) -> bool:
        """Hand out jobs again (`resume.lua`), and wake workers for what waits. False if it wasn't paused."""
        keys = self._keys
        code = self._run("resume", [keys.meta, keys.events], [self._kept.max_events, self._by, self._reason])
        # Whether it was this call that resumed it: an earlier one may have broken off here.
        cursor = 0
        while True:
            cursor, lanes = self._call(lambda client: _scan(client, keys.lanes, cursor))  # noqa: B023
            for start in range(0, max(len(lanes), 1), PAGE):
                self._run("ring_on", list_ring_keys(keys, lanes[start : start + PAGE]), [])
            if not cursor:
                return int(code) == 1

    def see(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        """Return those of the jobs that the queue knows, as they stand now."""
        seen: dict[str, Seen] = {}
        for start in range(0, len(job_ids), _BATCH):
            seen.update(self._see(job_ids[start : start + _BATCH]))
        return seen

    def retry(self, jobs: Sequence[Seen], *, on_progress: OnProgress = _tell_nobody) -> list[Changed]:
        """Start failed, cancelled or dead jobs again with their own data (`retry.lua`).

        Attempts and crashes begin at 0; fences go on growing. A completed job, or one that lives, is left alone.
        """
        keys = self._keys

        def of(job: Seen) -> changes.Call:
            script_keys = [keys.events, keys.meta, keys.delayed, keys.failed, keys.lanes, keys.job(job.job_id)]
            script_keys += [keys.lane(job.lane), keys.lane_bell(job.lane), keys.cancelled]
            return script_keys, [self._kept.max_events, *changes.spell(job), job.finished_at_ms, self._by, self._reason]

        return self._change("retry", jobs, of, on_progress)

    def promote(self, jobs: Sequence[Seen], *, on_progress: OnProgress = _tell_nobody) -> list[Changed]:
        """Put delayed jobs into their lanes now (`promote.lua`)."""
        keys = self._keys

        def of(job: Seen) -> changes.Call:
            script_keys = [keys.events, keys.delayed, keys.job(job.job_id), keys.lane(job.lane)]
            script_keys += [keys.lane_bell(job.lane), keys.lanes]
            return script_keys, [self._kept.max_events, job.job_id, job.lane, self._by, self._reason]

        return self._change("promote", jobs, of, on_progress)

    def move(self, jobs: Sequence[Seen], *, to_lane: str, on_progress: OnProgress = _tell_nobody) -> list[Changed]:
        """Put jobs that wait, or are delayed, into another lane (`move.lua`); times and attempts stay.

        Raises:
            InvalidName: No lane can have this name; nothing was changed.
        """
        check_name("lane", to_lane)

        def of(job: Seen) -> changes.Call:
            return changes.move(self._keys, self._kept.max_events, job, to_lane, self._who)

        return self._change("move", jobs, of, on_progress)

    def cancel(self, jobs: Sequence[Seen], *, on_progress: OnProgress = _tell_nobody) -> list[Changed]:
        """Cancel jobs: at once those that nobody has in hand (`cancel.lua`).

        The handlers of those that run are asked to stop, and learn of it at their next heartbeat. One that is in
        another state than it was seen is left alone.
        """

        def of(job: Seen) -> changes.Call:
            return changes.cancel(self._keys, self._kept.max_events, job, self._who)

        return self._change("cancel", jobs, of, on_progress)

    def remove(
        self,
        jobs: Sequence[Seen],
        *,
        remember_s: float = DEFAULT_REMEMBER_S,
        on_progress: OnProgress = _tell_nobody,
    ) -> list[Changed]:
        """Remove jobs for good; one that runs is left alone (`remove.lua`).

        Args:
            remember_s: Seconds for which an id goes on counting as a duplicate. 0: it is new at once, and its last
                fence goes too (who puts it back gives a floor for that); an id that is only remembered is removed too.
        """
        keys = self._keys

        def of(job: Seen) -> changes.Call:
            script_keys = [keys.events, keys.delayed, keys.completed, keys.failed]
            script_keys += [keys.job(job.job_id), keys.lane(job.lane), keys.cancelled]
            args: list[str | int] = [self._kept.max_events, *changes.spell(job), job.finished_at_ms]
            return script_keys, [*args, self._by, self._reason, _to_ms(remember_s)]

        return self._change("remove", jobs, of, on_progress)

    def drain(
        self,
        *,
        lanes: Sequence[str] = (),
        with_delayed: bool = False,
        remember_s: float = DEFAULT_REMEMBER_S,
        on_progress: OnProgress = _tell_nobody,
    ) -> int:
        """Remove every job that waits now, in all lanes or in some, and the delayed ones where asked for (`drain.lua`).

        What is put on the queue after this call began stays. Events tell of counts, not of jobs.

        Args:
            lanes: Empty means all. Delayed jobs are removed whatever lane they would go to, so only with all.
            remember_s: See `remove`.

        Returns:
            How many were removed.
        """
        now_ms = self._call(lambda client: _latest_ms(client, self._keys))
        sources = self._list_drained(lanes, with_delayed)
        removed = 0
        pages = iterate_found(sources)
        while True:
            page = self._call(lambda _: next(pages, None))
            if page is None:
                return removed
            lane = sources[page[0].source].name.partition(":")[2] if page else ""
            for start in range(0, len(page), _BATCH):
                removed += self._drain(page[start : start + _BATCH], lane, now_ms, _to_ms(remember_s))
            on_progress(removed)

    def count_drainable(self, *, lanes: Sequence[str] = (), with_delayed: bool = False) -> int:
        """Count what `drain` would remove now."""
        sources = self._list_drained(lanes, with_delayed)
        return self._call(lambda _: sum(source.count() for source in sources))

    def count_forgettable(self, state: JobState, *, older_s: float | None, keep: int | None) -> int:
        """Count the finished jobs that are older, or beyond the number to be kept; a None asks for neither."""
        finished = self._keys.members(state)

        def ask(client: Any) -> int:
            kept = int(client.zcard(finished))
            beyond = 0 if keep is None else max(kept - keep, 0)
            before_ms = None if older_s is None else int(server_now(client) * 1000) - int(older_s * 1000)
            old = 0 if before_ms is None else int(client.zcount(finished, "-inf", before_ms))
            # Both are so many of the oldest.
            return max(old, beyond)

        return self._call(ask)

    def forget(
        self,
        state: JobState,
        count: int,
        *,
        remember_s: float = DEFAULT_REMEMBER_S,
        on_progress: OnProgress = _tell_nobody,
    ) -> int:
        """Forget so many of the jobs that finished first (`forget.lua`); events tell counts, not ids.

        What finishes meanwhile, or starts again, stays.

        Args:
            remember_s: See `remove`.

        Returns:
            How many were forgotten: fewer where they were forgotten or started again meanwhile.
        """
        finished = self._keys.members(state)
        if count < 1:
            return 0
        until_ms = self._call(lambda client: _score_at(client, finished, count - 1))
        forgotten = 0
        while forgotten < count:
            size = min(_BATCH, count - forgotten)
            ids = self._call(lambda client: _range(client, finished, size))  # noqa: B023
            if not ids:
                break
            keys = [self._keys.events, finished, *(self._keys.job(job_id) for job_id in ids)]
            args: list[str | int] = [self._kept.max_events, state.value, until_ms, self._by, self._reason]
            args += [_to_ms(remember_s), *ids]
            done = int(self._run("forget", keys, args))
            if not done:
                # What is the oldest now finished after this call began.
                break
            forgotten += done
            on_progress(forgotten)
        return forgotten

    # -- how calls are made --------------------------------------------------------------------------------------------

    def _list_drained(self, lanes: Sequence[str], with_delayed: bool) -> list[Source]:
        states = [JobState.WAITING, *([JobState.DELAYED] if with_delayed and not lanes else [])]
        return self._call(lambda client: list_sources(client, self._keys, states, lanes))

    def _drain(self, batch: Sequence[Found], lane: str, now_ms: int, remember_ms: int) -> int:
        keys = self._keys
        script_keys = [keys.events, keys.delayed, keys.lane(lane or MAIN_LANE)]
        args: list[str | int] = [self._kept.max_events, batch[0].state.value, lane, self._by, self._reason, now_ms]
        args.append(remember_ms)
        for each in batch:
            script_keys.append(keys.job(each.job_id))
            args += [each.job_id, each.entry_id or ""]
        return int(self._run("drain", script_keys, args))

    def _see(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        def ask(client: Any) -> list[Any]:
            pipe = client.pipeline(transaction=False)
            for job_id in job_ids:
                pipe.hmget(self._keys.job(job_id), "state", "lane", "finished_at_ms")
            return read_hashes(pipe)

        seen: dict[str, Seen] = {}
        for job_id, found in zip(job_ids, self._call(ask), strict=True):
            state, lane, finished = found or ("unreadable", None, None)
            if state is not None:
                seen[job_id] = Seen(
                    job_id=job_id, state=read_state(state), lane=lane or MAIN_LANE, finished_at_ms=finished or ""
                )
        return seen

    def _change(
        self, name: str, jobs: Sequence[Seen], of: Callable[[Seen], changes.Call], on_progress: OnProgress
    ) -> list[Changed]:
        step = changes.load_step(name, self._kept)
        changed: list[Changed] = []
        for start in range(0, len(jobs), _BATCH):
            batch = jobs[start : start + _BATCH]
            with self._asking():
                answers = self._wire.run_many(step, [of(job) for job in batch])
            for answer in answers:
                if isinstance(answer, errors.ScriptFailed):
                    raise answer
            changed += [
                changes.read_change(name, job.job_id, answer) for job, answer in zip(batch, answers, strict=True)
            ]
            on_progress(len(changed))
        return changed

    def _run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        with self._asking():
            return self._wire.run(loader.load(name), keys, args)

    def _call(self, ask: Callable[[redis.Redis], T]) -> T:
        with self._asking():
            return ask(self._client)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """See what the queue keeps, and refuse one that a newer rosq has written: both may change at any time.

        Both connections lead to the same server: where one finds it away, or no longer the right one, the other is
        dropped too. Each would have to wait for itself until it notices a server that hangs.
        """
        try:
            self._standing.look(self._wire.call)
            self._has_looked = True
            yield
        except (redis_errors.RedisError, OSError, errors.ServerUnreachable) as error:
            told = translate(error, self._settings.address)
            if isinstance(told, errors.ServerUnreachable):
                self._wire.close()
                self._client.connection_pool.disconnect()
            if told is error:
                raise
            raise told from error


def _range(client: Any, key: str, size: int) -> list[str]:
    """The first members of a sorted set."""
    found: list[str] = client.zrange(key, 0, size - 1)
    return found


def _scan(client: Any, key: str, cursor: int) -> tuple[int, list[str]]:
    """Some members of a set, and where to go on; 0 at the end."""
    after, members = client.sscan(key, cursor, count=PAGE)
    return int(after), [str(member) for member in members]


def _score_at(client: Any, key: str, rank: int) -> int:
    """The score of a member of a sorted set; of the last one, where it has fewer."""
    found = client.zrange(key, rank, rank, withscores=True) or client.zrange(key, -1, -1, withscores=True)
    return int(found[0][1]) if found else 0


def _to_ms(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _latest_ms(client: Any, keys: Keys) -> int:
    """The time of what came last: where the server's clock was set back, that is later than now."""
    newest = client.xrevrange(keys.events, count=1)
    return max(int(server_now(client) * 1000), int(newest[0][0].partition("-")[0]) if newest else 0)
