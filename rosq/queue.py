"""The queue as producers and watchers see it. One file: all its calls share how they are made, at its end."""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from redis import exceptions as redis_errors

from rosq import errors
from rosq.clock import boot_time_s
from rosq.connection.connecting import Connector, make_client
from rosq.connection.pool import WirePool
from rosq.connection.reading import read_hashes
from rosq.connection.repeating import repeat
from rosq.connection.translating import is_wrong_type, translate
from rosq.connection.wire import Wire
from rosq.execution.hook_calls import HookCalls
from rosq.hooks import EnqueueOperation
from rosq.job import (
    Enqueued,
    EnqueuedMany,
    EnqueueOutcome,
    Fate,
    JobState,
    NewJob,
    Reopened,
    ReopenOutcome,
    read_state,
)
from rosq.names import MAIN_LANE, check_name
from rosq.scripts import loader
from rosq.store import changes, codec, registry
from rosq.store.finder import find_jobs
from rosq.store.keys import SCHEMA_VERSION, Keys
from rosq.store.new_jobs import NewJobs
from rosq.store.standing import StandingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import redis

    from rosq.hooks import Hook
    from rosq.job import Changed, Job, JobData
    from rosq.settings import QueueSettings, RedisSettings

T = TypeVar("T")

#: Seconds after which a producer that goes on looks again what the queue keeps.
_LOOK_S = 10.0

#: The code with which `enqueue.lua` leaves it to a second look whether a job is another one.
_LOOK_AGAIN = -2
_OUTCOMES = {1: EnqueueOutcome.CREATED, 0: EnqueueOutcome.DUPLICATE, -1: EnqueueOutcome.CONFLICT}


class Queue:
    """A queue on a Redis server. Connects when it is first needed; may be shared by threads; stands outages.

    A call that gets no answer is repeated twice within a second: all of them are idempotent. Then ServerUnreachable
    tells the caller, who may repeat it too.

    Args:
        hooks: Told what happens; see `rosq.hooks`. Workers of this queue that name none of their own take these.
    """

    def __init__(
        self,
        redis_settings: RedisSettings,
        name: str,
        settings: QueueSettings | None = None,
        *,
        hooks: Iterable[Hook] = (),
    ) -> None:
        self.redis_settings = redis_settings
        self.name = name
        self.keys = Keys(name)
        self.standing = StandingSettings(self.keys, settings)
        #: The script of enqueue, and what the queue keeps by it.
        self._enqueue_step: tuple[QueueSettings, loader.Script | None] = self.standing.current, None
        #: When it was last looked what stands.
        self._looked_s = 0.0
        self.hooks = tuple(hooks)
        self._hook_calls = HookCalls.make(self.hooks, name)
        #: For scripts: a bare connection costs a third of what redis-py's client does.
        self._wires = WirePool(lambda: self.make_wire("rosq-queue"))
        #: For everything else.
        self._client: redis.Redis | None = None
        self._is_known = False
        #: Whether another server may have taken over since, without what was noted there.
        self._is_in_doubt = False

    @property
    def settings(self) -> QueueSettings:
        """What the queue keeps, as far as this process knows: as given, until it has seen what stands in Redis."""
        return self.standing.current

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop all connections. A later call opens new ones."""
        client, self._client = self._client, None
        self._wires.close()
        if client is not None:
            client.close()

    def ping(self) -> None:
        """Return if Redis answers, and the queue on it is one that this rosq understands.

        Raises:
            ServerUnreachable: It doesn't answer, or refuses this client.
            ServerUnfit: A newer rosq has written the queue (QueueNewer), or it is damaged.
        """
        self._is_known = False
        self._call(lambda client: client.ping())

    def enqueue(
        self,
        data: JobData,
        *,
        job_id: str,
        lane: str = MAIN_LANE,
        delay_s: float = 0.0,
        due_at: datetime | None = None,
        fence_floor: int = 0,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        run_timeout_s: float | None = None,
    ) -> Enqueued:
        """Put one job on the queue; see `NewJob` for what can be given, and `enqueue_many`."""
        job = NewJob(
            job_id=job_id,
            data=data,
            lane=lane,
            delay_s=delay_s,
            due_at=due_at,
            fence_floor=fence_floor,
            name=name,
            headers=headers,
            run_timeout_s=run_timeout_s,
        )
        if self._hook_calls is not None:
            return self.enqueue_many([job])[0]
        given = NewJobs((job,), self._get_settings().max_data_bytes)
        ((_, script_keys, args),) = given.list_calls(self.keys, 0)
        outcome, state = EnqueueOutcome.CREATED, JobState.WAITING
        for told in self._run_step(self._load_enqueue(), script_keys, args):
            outcome, state = self._read_answer(given, 0, told)
        return Enqueued(job_id=job_id, outcome=outcome, state=state)

    def enqueue_many(self, jobs: Iterable[NewJob]) -> Sequence[Enqueued]:
        """Put jobs on the queue, each at most once whatever happens in between (`enqueue.lua`).

        An id that exists already, in whatever state, is left as it is and told so. They are written by the hundred: a
        crash midway leaves the first hundreds on the queue, and repeating the call adds the rest. After a lost answer
        a job that this very call created is told as a duplicate.

        Returns:
            The answers, in the order of the jobs.

        Raises:
            InvalidName: An id or lane breaks the rule; nothing was written.
            InvalidData: Data aren't JSON or too long; nothing was written.
            ServerUnreachable: No answer, or no memory left; ask again.
        """
        if self._hook_calls is not None:
            return self._hook_calls.around_enqueue(EnqueueOperation.ENQUEUE, jobs, self._put)
        return self._put(jobs)

    def _put(self, jobs: Iterable[NewJob]) -> Sequence[Enqueued]:
        given = NewJobs(jobs, self._get_settings().max_data_bytes)
        told: dict[int, list[Any]] = {}
        sent = 0

        def ask_for_the_rest() -> None:
            nonlocal sent
            under_way: deque[Sequence[int]] = deque()

            # Made when they are sent: meanwhile the server has others to do.
            def make_calls() -> Iterator[tuple[list[str], list[str | int]]]:
                for places, script_keys, args in given.list_calls(self.keys, sent):
                    under_way.append(places)
                    yield script_keys, args

            with (
                self._borrow_wire() as wire,
                contextlib.closing(wire.run_each(self._load_enqueue(), make_calls())) as replies,
            ):
                for reply in replies:
                    places = under_way.popleft()
                    told.update((places[each[0] - 1], each) for each in reply)
                    sent += len(places)

        self._repeat(ask_for_the_rest)
        others = {at: self._read_answer(given, at, each) for at, each in told.items()}
        for at, first in given.repeats.items():
            outcome, state = others.get(first, (EnqueueOutcome.CREATED, JobState.WAITING))
            if outcome is EnqueueOutcome.CREATED:
                is_same = given.are_same(at, first)
            else:
                is_same = self._is_same(given.ids[at], given.texts[at])
            others[at] = EnqueueOutcome.DUPLICATE if is_same else EnqueueOutcome.CONFLICT, state
        return EnqueuedMany(given.ids, others)

    def reopen(self, job: NewJob) -> Reopened:
        """Start a job that is finished, forgotten or dead, as if it were new; do nothing to a live one (`reopen.lua`).

        Unlike `enqueue` it passes deduplication: the job's attempts and crashes begin at 0, and its fences go on
        growing, from the given floor at least.

        Raises:
            InvalidName: The id or lane breaks the rule.
            InvalidData: The data aren't JSON or too long.
            ServerUnreachable: No answer, or no memory left; ask again.
        """
        if self._hook_calls is not None:
            return self._hook_calls.around_enqueue(EnqueueOperation.REOPEN, [job], self._start_again)[0]
        return self._start_again([job])[0]

    def _start_again(self, jobs: Sequence[NewJob]) -> list[Reopened]:
        (job,) = jobs
        given = NewJobs(jobs, self._get_settings().max_data_bytes)
        keys, step = self.keys, loader.load("reopen", KEEP_DELIVERIES=self.settings.keep_deliveries)
        seen_lane = self._call(lambda client: _find_lane(client, keys, job.job_id))
        while True:
            script_keys = [
                keys.events,
                keys.meta,
                keys.delayed,
                keys.timer_bell,
                keys.lanes,
                keys.completed,
                keys.failed,
            ]
            script_keys += [keys.job(job.job_id), keys.lane(seen_lane), keys.lane(job.lane), keys.lane_bell(job.lane)]
            script_keys.append(keys.cancelled)
            args: list[str | int] = [self.settings.max_events, SCHEMA_VERSION, job.job_id, seen_lane, job.lane]
            args += [given.texts[0], *given.get_extras(0)]
            code, state = self._run_step(step, script_keys, args)
            if code >= 0:
                outcome = ReopenOutcome.REOPENED if code == 1 else ReopenOutcome.LIVE
                return [Reopened(job_id=job.job_id, outcome=outcome, state=read_state(state))]
            # It moved to another lane between the two looks.
            seen_lane = state

    def move(self, job_id: str, *, from_lane: str, to_lane: str) -> Changed:
        """Put a job that waits, or is delayed, into another lane; its time and its attempts stay (`move.lua`).

        For a job whose lane nobody reads any more. One that is in hand is left to its holder.

        Returns:
            `done`; or `moved_on` where it isn't in `from_lane`, is in hand, over or dead, or isn't there.

        Raises:
            InvalidName: The id or a lane breaks the rule.
            ServerUnreachable: No answer; ask again. A job that a lost call had moved is told as `moved_on`.
        """
        job = changes.Seen(job_id=check_name("job", job_id), state=None, lane=check_name("lane", from_lane))
        call = changes.move(self.keys, self.settings.max_events, job, check_name("lane", to_lane), None)
        return changes.read_change("move", job_id, self._run("move", *call))

    def cancel(self, job_id: str, *, by: str, reason: str) -> Changed:
        """Cancel a job: at once where it waits or is delayed, else by asking its handler to stop (`cancel.lua`).

        The handler learns of it within a third of a lease: `Delivery.check` and `sleep` raise `Cancel`. If it returns
        nevertheless, the job is completed. However else it ends, or dies, the job doesn't run again: it is cancelled,
        or failed for good. The call may be repeated: the first who and why stand, and a job that a lost call cancelled
        is told as over.

        Returns:
            `done`, `asked` where it runs, `moved_on` and its state where it is over, or `unknown`.

        Raises:
            InvalidName: The id breaks the rule.
            InvalidData: Who or why is missing; both are kept with the job and in its events.
            ServerUnreachable: No answer; ask again.
        """
        who = changes.check_who(f"cancels job {check_name('job', job_id)}", by, reason)
        while True:
            lane = self._call(lambda client: _find_lane(client, self.keys, job_id))
            job = changes.Seen(job_id=job_id, state=None, lane=lane)
            kept = self.settings
            call = changes.cancel(self.keys, kept.max_events, job, who)
            changed = changes.read_change("cancel", job_id, self._run_step(changes.load_step("cancel", kept), *call))
            # Without its state: it moved to another lane between the two looks.
            if changed.fate is not Fate.MOVED_ON or changed.state is not None:
                return changed

    def find_job(self, job_id: str) -> Job | None:
        """Return the job as it stands, or None if the queue doesn't know it.

        One that was forgotten or removed has the state `forgotten`, no data, and isn't live, while its id counts as a
        duplicate; after that it is None.
        """
        return self.find_jobs([job_id]).get(job_id)

    def find_jobs(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Return those of the jobs that the queue knows, by id.

        Reads in bounded pipelines, some hundred jobs each; the jobs of one pipeline are seen at one instant.
        """
        wanted = [check_name("job", job_id) for job_id in dict.fromkeys(job_ids)]
        return self._call(lambda client: find_jobs(client, self.keys, wanted))

    def make_wire(self, client_name: str, longest_s: float | None = None) -> Wire:
        """Return a connection of the caller's own, not opened yet.

        Args:
            client_name: What CLIENT LIST on the server says.
            longest_s: Seconds that a call may take at most, where that is less than the settings say.
        """
        settings = self.redis_settings
        if longest_s is not None:
            settings = settings.with_timeouts_below(longest_s)
        # Redis takes no spaces or newlines in a client's name; ours have none, but may have letters that it refuses.
        name = "".join(letter if letter.isascii() else "_" for letter in client_name)
        return Wire(Connector(settings, self.keys.meta), name)

    # -- how calls are made --------------------------------------------------------------------------------------------

    def _read_answer(self, given: NewJobs, at: int, told: Sequence[Any]) -> tuple[EnqueueOutcome, JobState]:
        """What `enqueue.lua` says of a job that wasn't simply put into its lane."""
        _, code, state = told
        if code == _LOOK_AGAIN:
            # Long data lie in an entry that the script can't know, headers don't count, and of a forgotten job a digest
            # is left: a second look compares what counts. A job that has vanished by then was the same as far as anyone
            # can tell.
            is_same = self._is_same(given.ids[at], given.texts[at])
            return EnqueueOutcome.DUPLICATE if is_same else EnqueueOutcome.CONFLICT, read_state(state)
        return _OUTCOMES[code], read_state(state)

    def _is_same(self, job_id: str, text: str) -> bool:
        existing = self.find_job(job_id)
        if existing is None:
            return True
        if existing.state is JobState.UNREADABLE or "data" in existing.unreadable:
            return False
        name, data_json = codec.split(text)
        if existing.state is not JobState.FORGOTTEN:
            # Read and spelt again, both: keys that were numbers stand in another order then.
            given = codec.unpack(text)
            return existing.name == name and codec.to_json(existing.data) == codec.to_json(given.data)
        key = self.keys.job(job_id)
        digest, data = self._call(lambda client: _command(client, "HMGET", key, "digest", "data"))
        if digest is not None:
            return bool(digest == codec.digest(name, data_json))
        return data is None or (not name and data == data_json)

    def _run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        return self._run_step(loader.load(name), keys, args)

    def _run_step(self, step: loader.Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        def run() -> Any:
            with self._borrow_wire() as wire:
                return wire.run(step, keys, args)

        return self._repeat(run)

    def _repeat(self, ask: Callable[[], T]) -> T:
        """Ask, again after a lost answer."""

        def ask_once() -> T:
            try:
                return ask()
            except errors.ServerUnreachable:
                # The one that answers next may be another server, or the same with older data.
                self._is_in_doubt = True
                raise
            except errors.ScriptFailed as error:
                if is_wrong_type(error):
                    raise errors.QueueDamaged(self.name) from error
                raise

        return repeat(ask_once)

    def _borrow_wire(self) -> contextlib.AbstractContextManager[Wire]:
        if not self._is_known:
            self._ask_client(lambda client: None)
        elif self._is_in_doubt or boot_time_s() - self._looked_s > _LOOK_S:
            self._ask_client(self._look)
        return self._wires.borrow()

    def _call(self, ask: Callable[[redis.Redis], T]) -> T:
        """Ask Redis, again after a lost answer, and translate what goes wrong."""
        return self._repeat(lambda: self._ask_client(ask))

    def _ask_client(self, ask: Callable[[redis.Redis], T]) -> T:
        try:
            client = self._connected()
            if not self._is_known:
                self._introduce(client)
            return ask(client)
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error, self.redis_settings.address) from error

    def _introduce(self, client: redis.Redis) -> None:
        """Once: refuse a queue of a newer rosq, give or take its settings, note its name for tools that look for it."""
        self._look(client)
        registry.note_queue(self.name, self.redis_settings, functools.partial(_command, client))
        self._is_known = True

    def _look(self, client: redis.Redis) -> None:
        self.standing.look(functools.partial(_command, client))
        self._is_in_doubt, self._looked_s = False, boot_time_s()

    def _get_settings(self) -> QueueSettings:
        """What stands in Redis: before the first call, this process has yet to see it."""
        if not self._is_known:
            self._call(lambda client: None)
        return self.standing.current

    def _load_enqueue(self) -> loader.Script:
        kept, step = self._enqueue_step
        if kept is not self.standing.current or step is None:
            kept = self.standing.current
            step = loader.load("enqueue", MAX_EVENTS=kept.max_events, SCHEMA_VERSION=SCHEMA_VERSION)
            self._enqueue_step = kept, step
        return step

    def _connected(self) -> redis.Redis:
        # No lock: one that another thread holds while the process forks would be held in the child for ever. Where two
        # threads make a client each, one of the two is dropped after its call.
        client = self._client
        if client is None:
            client = self._client = make_client(self.redis_settings, "rosq-queue", self.keys.meta)
        return client


def _find_lane(client: redis.Redis, keys: Keys, job_id: str) -> str:
    """Where a job lies, as far as it can be read: the script looks again."""
    pipe = client.pipeline(transaction=False)
    pipe.hget(keys.job(job_id), "lane")
    [lane] = read_hashes(pipe)
    return lane or MAIN_LANE


def _command(client: redis.Redis, *command: str | int) -> Any:
    """Send a command as it is: redis-py's own methods promise bytes or text, whichever was asked for."""
    execute: Callable[..., Any] = client.execute_command
    return execute(*command)
