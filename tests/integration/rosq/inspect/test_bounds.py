"""What a view costs doesn't grow with the queue: commands and bytes are counted, not seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import JobState, NewJob, Queue
from rosq.inspect.events import EventFilter
from rosq.inspect.inspector import Inspector
from rosq.inspect.jobs.filters import JobFilter, compile_pattern
from tests.integration.rosq.conftest import settings_of
from tests.servers import embedded_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import EmbeddedRedis

SHALLOW, DEEP = 1_500, 6_000
#: Bounds that both queues are deeper than.
SCAN, LIMIT = 400, 50

VIEWS: dict[str, Any] = {
    "overview": lambda inspector, queue: inspector.look(queue),
    "jobs": lambda inspector, queue: inspector.list_jobs(queue, JobFilter(), limit=LIMIT, scan=SCAN),
    "jobs, none by id": lambda inspector, queue: inspector.list_jobs(
        queue, JobFilter(id_pattern=compile_pattern("nothing")), limit=LIMIT, scan=SCAN
    ),
    "jobs, none by error": lambda inspector, queue: inspector.list_jobs(
        queue, JobFilter(error=compile_pattern("nothing")), limit=LIMIT, scan=SCAN
    ),
    "delayed": lambda inspector, queue: inspector.list_jobs(
        queue, JobFilter(states=(JobState.DELAYED,)), limit=LIMIT, scan=SCAN
    ),
    "pending": lambda inspector, queue: inspector.list_pending(queue, limit=LIMIT),
    "errors": lambda inspector, queue: inspector.group_errors(queue, since_s=None, by_text=False, scan=SCAN),
    "events": lambda inspector, queue: inspector.list_events(queue, EventFilter(), limit=LIMIT),
    "throughput": lambda inspector, queue: inspector.view_throughput(queue, step_s=60.0, steps=100),
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    with embedded_redis() as server:
        for name, depth in (("shallow", SHALLOW), ("deep", DEEP)):
            with Queue(settings_of(server), name) as queue, server.client() as client:
                queue.enqueue_many([NewJob(job_id=f"job-{number}", data={}) for number in range(depth)])
                queue.enqueue_many(
                    [NewJob(job_id=f"later-{number}", data={}, delay_s=3_600) for number in range(depth)]
                )
                _let_fail(client, queue, depth)
                for _ in range(2 * LIMIT):
                    client.xadd(queue.keys.events, {"event": "moved", "job_id": "job-0", "lane": "main", "was": "main"})
        yield server


def _let_fail(client: Any, queue: Queue, count: int) -> None:
    """Jobs that have failed, as their scripts leave them: to run thousands would take a test too long."""
    pipe = client.pipeline(transaction=False)
    for number in range(count):
        fields = {"state": "failed", "lane": "main", "last_error": "ValueError: no", "finished_at_ms": 1_000 + number}
        pipe.hset(queue.keys.job(f"failed-{number}"), mapping=fields)
        pipe.zadd(queue.keys.failed, {f"failed-{number}": 1_000 + number})
    pipe.execute()


def count(server: EmbeddedRedis, queue: str, look: Any) -> tuple[int, int]:
    """Commands that the server ran for a look, and bytes that it sent."""
    with server.client() as client, Inspector(settings_of(server)) as inspector:
        inspector.list_queues()  # the connection stands
        facts: Any = client
        facts.config_resetstat()
        look(inspector, queue)
        commands = facts.info("commandstats")
        sent = facts.info("stats")["total_net_output_bytes"]
    own = ("cmdstat_info", "cmdstat_config|resetstat")
    return sum(stat["calls"] for name, stat in commands.items() if name not in own), sent


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_a_queue_four_times_as_deep_costs_the_same(server: EmbeddedRedis, name: str) -> None:
    shallow_commands, shallow_bytes = count(server, "shallow", VIEWS[name])
    deep_commands, deep_bytes = count(server, "deep", VIEWS[name])

    assert deep_commands <= shallow_commands * 1.02 + 3
    assert deep_bytes <= shallow_bytes * 1.1 + 500
    assert deep_commands < DEEP / 4


def test_a_list_that_was_cut_says_how_much_of_what_it_shows(server: EmbeddedRedis) -> None:
    with Inspector(settings_of(server)) as inspector:
        listed = inspector.list_jobs("deep", JobFilter(states=(JobState.WAITING,)), limit=LIMIT, scan=SCAN)
        searched = inspector.list_jobs(
            "deep", JobFilter(states=(JobState.WAITING,), error=compile_pattern("nothing")), limit=LIMIT, scan=SCAN
        )

    assert (len(listed.jobs), listed.count) == (LIMIT, DEEP)
    assert listed.cursor is not None
    assert (searched.jobs, searched.looked_at, searched.is_cut) == ([], SCAN, True)
    assert searched.cursor is not None


def test_a_million_is_not_one_transaction(server: EmbeddedRedis) -> None:
    """A transaction holds the server up as a whole: none has more than a few hundred commands."""
    with Queue(settings_of(server), "deep") as queue, server.client() as client:
        facts: Any = client
        facts.config_resetstat()
        assert len(queue.find_jobs([f"job-{number}" for number in range(1_000)])) == 1_000
        commands = facts.info("commandstats")

    inside = sum(commands[f"cmdstat_{name}"]["calls"] for name in ("hgetall", "zscore", "xrange", "xpending"))
    assert inside / commands["cmdstat_exec"]["calls"] <= 250
