"""One door to all views of a queue: connects, refuses what a newer rosq wrote, and translates errors.

A view's module is imported when the view is asked for: a probe that runs each second pays for its own alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from redis import exceptions as redis_errors

from rosq import errors
from rosq.connection.connecting import make_client
from rosq.connection.translating import is_wrong_type, translate
from rosq.inspect.view import DEFAULT_LIMIT, DEFAULT_LOG_LINES, DEFAULT_SCAN, at, server_now
from rosq.names import check_name
from rosq.store import fitness, registry
from rosq.store.keys import QUEUES, Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from rosq.inspect.doctor.examination import Diagnosis
    from rosq.inspect.events import Caught, EventFilter, EventsView, Tail
    from rosq.inspect.job.explain import Explanation
    from rosq.inspect.job.job_view import JobView
    from rosq.inspect.jobs.failures import ErrorsView
    from rosq.inspect.jobs.filters import JobFilter
    from rosq.inspect.jobs.listing import FoundIds, JobsView
    from rosq.inspect.jobs.pending import PendingList
    from rosq.inspect.overview import Overview, QueuesView
    from rosq.inspect.throughput import Throughput
    from rosq.settings import RedisSettings

T = TypeVar("T")

#: Names that a sentence lists.
_NAMED = 10


class Inspector:
    """Reads one queue, or finds out which there are. Changes nothing, asks no worker.

    Raises:
        ServerUnreachable: From every method: Redis gives no answer, or refuses this client.
        QueueNewer: From those that read a queue: a newer rosq has written it.
        QueueDamaged: From those too, but for `examine`: a key of it is of another type than rosq's.
    """

    def __init__(self, redis_settings: RedisSettings) -> None:
        self._settings = redis_settings
        #: By the key that they lead to; only a Cluster needs more than one.
        self._clients: dict[str, redis.Redis] = {}

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop all connections. A later call opens new ones."""
        for client in self._clients.values():
            client.close()

    def list_queues(self) -> list[str]:
        """Name the queues that have anything in them on this server or Cluster, and that this user may see."""
        names = self._ask(registry.list_noted)
        found: list[str] = []
        refused: errors.ServerRefused | None = None
        for meta, name in [(Keys(name).meta, name) for name in names]:
            try:
                if self._ask(lambda client: client.exists(meta), meta):  # noqa: B023
                    found.append(name)
            except errors.ServerRefused as error:
                # A user may have the right to some queues only: the others aren't there for it.
                refused = error
        if refused is not None and not found:
            raise refused
        return found or self._ask(lambda _: registry.scan_for_queues(self._settings))

    def list_used(self, names: Sequence[str]) -> list[str]:
        """Of these queues, name those on which a job was ever put, or for which a worker is there."""

        def is_used(client: Any) -> bool:
            counted = client.hmget(keys.meta, "enqueued_total", "reopened_total")
            return any(each not in (None, "0") for each in counted) or bool(client.exists(keys.workers))

        used = []
        for keys in map(Keys, names):
            try:
                if self._ask(is_used, keys.meta):
                    used.append(keys.queue)
            except errors.ScriptFailed:
                # What can't be read isn't nothing.
                used.append(keys.queue)
        return used

    def find_mistake(self, queue: str, lanes: Sequence[str] = ()) -> str | None:
        """Say what may be mistyped: a queue that nobody ever used, or lanes that never had a job. None: nothing is."""
        keys = Keys(queue)

        def ask(client: Any) -> str | None:
            if not client.exists(keys.meta, keys.lanes, keys.workers):
                others = self._ask(registry.list_noted)
                there = f"there are {', '.join(others[:_NAMED])}" if others else "there is none on this server yet"
                return f"Nothing was ever put on a queue named {queue}: check the name ({there})."
            missing = [lane for lane in lanes if not client.sismember(keys.lanes, lane)]
            if not missing:
                return None
            known = ", ".join(sorted(client.srandmember(keys.lanes, _NAMED)))
            return f"Queue {queue} never had a lane {', '.join(missing)}: check the name (there are {known})."

        return self._ask(ask, keys.meta)

    def look(self, queue: str) -> Overview:
        """Return how the queue stands."""
        from rosq.inspect import overview

        return self._look_at(queue, lambda client, keys: overview.look(client, keys, self._settings.address))

    def look_at_all(self, limit: int) -> QueuesView:
        """Return how every queue of the server stands; one that is damaged or newer hides no other."""
        from rosq.inspect.overview import QueuesView, UnreadableQueue

        names = self.list_queues()
        views, unreadable = [], []
        for name in names[:limit]:
            try:
                views.append(self.look(name))
            except errors.QueueDamaged as error:
                unreadable.append(UnreadableQueue(queue=name, verdict="DAMAGED", problems=[str(error)]))
            except errors.QueueNewer as error:
                unreadable.append(UnreadableQueue(queue=name, verdict="NEWER", problems=[str(error)]))
        seen_at = at(self._ask(server_now))
        return QueuesView(
            view="queues", queue="", seen_at=seen_at, queues=views, unreadable=unreadable, count=len(names)
        )

    def view_job(
        self,
        queue: str,
        job_id: str,
        *,
        with_data: bool = False,
        with_trace: bool = False,
        log_lines: int = DEFAULT_LOG_LINES,
    ) -> JobView:
        """Tell all that is known of one job; its data, the traces of its errors, and what its handler says, only where
        asked for.

        Args:
            log_lines: So many of the last lines that its handlers logged.

        Raises:
            InvalidName: No job can have this id.
        """
        from rosq.inspect.job import job_view

        check_name("job", job_id)
        address = self._settings.address
        return self._look_at(
            queue,
            lambda client, keys: job_view.view_job(
                client, keys, address, job_id, with_data=with_data, with_trace=with_trace, log_lines=log_lines
            ),
        )

    def explain(self, queue: str, job_id: str) -> Explanation:
        """Say why a job isn't running now, and when it will.

        Raises:
            InvalidName: No job can have this id.
        """
        from rosq.inspect.job import job_view

        check_name("job", job_id)
        return self._look_at(queue, lambda client, keys: job_view.explain(client, keys, self._settings.address, job_id))

    def list_jobs(
        self,
        queue: str,
        wanted: JobFilter,
        *,
        limit: int = DEFAULT_LIMIT,
        scan: int = DEFAULT_SCAN,
        cursor: str | None = None,
        view: str = "jobs",
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> JobsView:
        """List jobs; see `rosq.inspect.jobs.listing.list_jobs`."""
        from rosq.inspect.jobs import listing as jobs

        return self._look_at(
            queue,
            lambda client, keys: jobs.list_jobs(
                client, keys, wanted, limit=limit, scan=scan, cursor=cursor, view=view, on_progress=on_progress
            ),
        )

    def find_ids(
        self, queue: str, wanted: JobFilter, *, limit: int | None, on_progress: Callable[[int], None]
    ) -> FoundIds:
        """Find every job that is meant; see `rosq.inspect.jobs.listing.find_ids`."""
        from rosq.inspect.jobs import listing

        return self._look_at(
            queue, lambda client, keys: listing.find_ids(client, keys, wanted, limit=limit, on_progress=on_progress)
        )

    def list_pending(self, queue: str, *, limit: int) -> PendingList:
        """List what was handed out and isn't settled."""
        from rosq.inspect.jobs import pending

        return self._look_at(queue, lambda client, keys: pending.list_pending(client, keys, limit=limit))

    def group_errors(self, queue: str, *, since_s: float | None, by_text: bool, scan: int) -> ErrorsView:
        """Group the errors of failed and retrying jobs."""
        from rosq.inspect.jobs import failures

        return self._look_at(
            queue,
            lambda client, keys: failures.group_errors(client, keys, since_s=since_s, by_text=by_text, scan=scan),
        )

    def list_events(self, queue: str, wanted: EventFilter, *, limit: int) -> EventsView:
        """Return the newest events, oldest first."""
        from rosq.inspect import events as tail

        return self._look_at(queue, lambda client, keys: tail.list_events(client, keys, wanted, limit=limit))

    def last_event_id(self, queue: str) -> str:
        """The id of the newest event: where following begins."""
        from rosq.inspect.events import Tail

        return self._look_at(queue, Tail.last_id)

    def catch(self, following: Tail, block_ms: int = 2_000) -> Caught:
        """Wait for further events; must be shorter than the answer's timeout."""
        return self._ask(lambda client: following.catch(client, block_ms), following.key)

    def view_throughput(self, queue: str, *, step_s: float, steps: int) -> Throughput:
        """Count what finished, step by step."""
        from rosq.inspect import throughput

        return self._look_at(queue, lambda client, keys: throughput.view(client, keys, step_s=step_s, steps=steps))

    def examine(self, queue: str, *, scan: int) -> Diagnosis:
        """Examine the server, the queue's keys and its workers."""
        from rosq.inspect.doctor.examination import Doctor
        from rosq.queue import Queue

        keys = Keys(queue)
        wire = Queue(self._settings, queue).make_wire("rosq-doctor")
        try:
            return self._ask(
                lambda client: Doctor(client, wire, keys, self._settings.address, scan=scan).examine(), keys.meta
            )
        finally:
            wire.close()

    def _look_at(self, queue: str, look: Callable[[redis.Redis, Keys], T]) -> T:
        keys = Keys(queue)

        def ask(client: redis.Redis) -> T:
            version = client.hget(keys.meta, "schema_version")
            fitness.check_schema(None if version is None else str(version), keys)
            return look(client, keys)

        try:
            return self._ask(ask, keys.meta)
        except errors.ScriptFailed as error:
            if is_wrong_type(error):
                raise errors.QueueDamaged(queue) from error
            raise

    def _ask(self, ask: Callable[[redis.Redis], T], key: str = QUEUES) -> T:
        """Ask the server that has a key, and translate what goes wrong."""
        try:
            return ask(self._client_to(key))
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error, self._settings.address) from error

    def _client_to(self, key: str) -> redis.Redis:
        key = key if self._settings.cluster_nodes else QUEUES
        if key not in self._clients:
            self._clients[key] = make_client(self._settings, "rosq-inspect", key)
        return self._clients[key]
