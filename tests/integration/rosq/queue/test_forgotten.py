"""What stays of a forgotten or removed job: its id counts as a duplicate for a while, and its fences go on growing."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import EnqueueOutcome, Job, JobState, NewJob, Queue, QueueSettings, ReopenOutcome, WorkerSettings
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect import Inspector
from rosq.job import Fate
from rosq.scripts import loader
from rosq.scripts.loader import Code
from rosq.steering import Steering
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.sweep import Sweep
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from rosq import Delivery
    from tests.servers import RedisServer

LONG = {"text": "ж" * 300}
#: Nothing is kept of finished jobs but that their ids are known.
FORGETFUL = QueueSettings(keep_completed=0, keep_failed=0, remember_s=3600)


@pytest.fixture
def steering(redis_server: RedisServer, queue: Queue) -> Iterator[Steering]:
    with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
        yield steering


def complete(queue: Queue, hands: Hands, job_id: str = "1", data: Any = None, **options: Any) -> Delivery:
    """Run a job to its end; with FORGETFUL hands it is forgotten by the sweep after it."""
    queue.enqueue(data or {"order_id": 1}, job_id=job_id, **options)
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert end(hands, delivery) is Code.HELD
    sweep(hands)
    return delivery


def sweep(hands: Hands) -> None:
    consumer = hands.consumer
    Sweep(keys=consumer.keys, wire=consumer.wire, kept=consumer.standing.current, settings=WorkerSettings()).run_once()


def end(hands: Hands, delivery: Delivery) -> Code:
    return hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), ("main",)).code


def find(queue: Queue, job_id: str = "1") -> Job:
    job = queue.find_job(job_id)
    assert job is not None
    return job


# -- by retention ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"order_id": 1}, {}),
        (LONG, {}),
        ({"order_id": 1}, {"name": "отчёт"}),
        (LONG, {"name": "report", "headers": {"trace": "00-1"}, "run_timeout_s": 5}),
    ],
)
def test_a_forgotten_id_is_a_duplicate_with_its_content_and_a_conflict_with_other(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], data: Any, options: Any
) -> None:
    delivery = complete(queue, make_hands(settings=FORGETFUL), data=data, **options)
    before = client.hgetall(queue.keys.job("1"))

    name = options.get("name", "")
    same = queue.enqueue(data, job_id="1", name=name)
    with_headers = queue.enqueue(data, job_id="1", name=name, headers={"trace": "00-2"}, delay_s=5)
    other_data = queue.enqueue({"order_id": 2}, job_id="1", name=name)
    other_name = queue.enqueue(data, job_id="1", name="another")

    assert [same.outcome, with_headers.outcome] == [EnqueueOutcome.DUPLICATE] * 2
    assert [other_data.outcome, other_name.outcome] == [EnqueueOutcome.CONFLICT] * 2
    assert {same.state, with_headers.state, other_data.state, other_name.state} == {JobState.FORGOTTEN}
    assert client.hgetall(queue.keys.job("1")) == before
    assert set(before) in ({"state", "data", "fence"}, {"state", "digest", "fence"})
    assert int(before["fence"]) == delivery.fence
    assert 3_590_000 < client.pttl(queue.keys.job("1")) <= 3_600_000
    assert client.xlen(queue.keys.lane("main")) == client.zcard(queue.keys.delayed) == 0


def test_after_its_time_the_id_is_new(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    complete(queue, make_hands(settings=QueueSettings(keep_completed=0, remember_s=0.05)))

    wait_until(lambda: queue.find_job("1") is None, "the id's time to pass")

    assert queue.enqueue({"order_id": 2}, job_id="1").outcome is EnqueueOutcome.CREATED


def test_nothing_is_remembered_where_that_is_switched_off(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    complete(queue, make_hands(settings=QueueSettings(keep_completed=0, remember_s=0)))

    assert client.exists(queue.keys.job("1")) == 0
    assert queue.enqueue({"order_id": 2}, job_id="1").outcome is EnqueueOutcome.CREATED


def test_a_forgotten_job_is_known_by_its_state_and_nothing_else(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    delivery = complete(queue, make_hands(settings=FORGETFUL))

    job = find(queue)
    assert (job.state, job.is_live, job.data, job.fence) == (JobState.FORGOTTEN, False, {}, delivery.fence)
    assert (job.created_at, job.worker, job.history) == (None, None, ())
    assert client.object("encoding", queue.keys.job("1")) in ("listpack", "ziplist")  # as 6.2 calls it
    assert client.zcard(queue.keys.completed) == 0


def test_reopen_starts_a_forgotten_id_anew_and_its_fences_go_on_growing(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands(settings=FORGETFUL)
    old = complete(queue, hands)
    # As if the server's clock had been far ahead then.
    client.hset(queue.keys.job("1"), "fence", 2**52)

    reopened = queue.reopen(NewJob(job_id="1", data={"order_id": 2}))
    again = queue.reopen(NewJob(job_id="1", data={"order_id": 2}))

    assert (reopened.outcome, again.outcome) == (ReopenOutcome.REOPENED, ReopenOutcome.LIVE)
    assert client.ttl(queue.keys.job("1")) == -1
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert (delivery.data, delivery.fence) == ({"order_id": 2}, 2**52 + 1)
    assert end(hands, old) is Code.LOST


def test_a_settle_repeated_after_its_job_was_forgotten_writes_nothing(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands(settings=FORGETFUL)
    delivery = complete(queue, hands)
    before = client.hgetall(queue.keys.job("1"))

    assert end(hands, delivery) is Code.LOST
    assert client.hgetall(queue.keys.job("1")) == before


def test_the_sweep_remembers_what_it_forgets_and_bounds_what_it_digests(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    huge = {"text": "x" * 65_000}
    for number in range(30):
        complete(queue, hands, str(number), huge)
    ids = [str(number) for number in range(30)]
    wire = queue.make_wire("test")
    settings = QueueSettings(keep_completed_s=0, remember_s=3600)
    retention = Sweep(keys=queue.keys, wire=wire, kept=settings, settings=WorkerSettings())
    now_ms = int(time.time() * 1000) + 60_000

    script_keys = [queue.keys.completed, *map(queue.keys.job, ids)]
    first = wire.run(loader.load("forget_jobs"), script_keys, [now_ms, settings.remember_ms, *ids])
    counts = [wait_until(lambda: retention.run_once().forgotten_jobs, "jobs to be old enough")]
    replayed = retention.run_once().forgotten_jobs
    wire.close()

    assert 0 < first < 20
    assert (first + sum(counts), replayed) == (30, 0)
    assert {job.state for job in queue.find_jobs(ids).values()} == {JobState.FORGOTTEN}
    assert queue.enqueue(huge, job_id="0").outcome is EnqueueOutcome.DUPLICATE


def test_a_live_job_that_stands_among_the_finished_ones_by_damage_isnt_forgotten(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="live", delay_s=60)
    client.zadd(queue.keys.completed, {"live": 1, "missing": 1})

    complete(queue, make_hands(settings=FORGETFUL))

    assert find(queue, "live").is_live
    assert client.zcard(queue.keys.completed) == 0
    assert queue.find_job("missing") is None


# -- retention ---------------------------------------------------------------------------------------------------------


def _forget_by_settling(queue: Queue, hands: Hands, steering: Steering, finished: str) -> None:
    outcome = {"completed": Outcome.COMPLETE, "failed": Outcome.FAIL, "cancelled": Outcome.CANCEL}[finished]
    queue.enqueue({}, job_id="settled", lane="own")
    delivery = hands.fetch("own").delivery
    assert delivery is not None
    settlement = Settlement(delivery=delivery, outcome=outcome, error="broken")
    assert hands.consumer.exchange(settlement, ["empty"]).code is Code.HELD


def _forget_by_sweeping(queue: Queue, hands: Hands, steering: Steering, finished: str) -> None:
    sweep(hands)


def _forget_by_hand(queue: Queue, hands: Hands, steering: Steering, finished: str) -> None:
    steering.forget(JobState(finished), len(STRAYS), remember_s=hands.consumer.standing.current.remember_s)


#: What a job may be that a damaged list of finished ones names: everything but finished in that way.
STRAYS: dict[str, dict[str, str] | str] = {
    **{state: {"state": state, "fence": "1", "data": "{}"} for state in JobState},
    "without a state": {"data": "{}"},
    "not a hash": "text",
}


@pytest.mark.parametrize("how", [_forget_by_settling, _forget_by_sweeping, _forget_by_hand])
@pytest.mark.parametrize("finished", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("remember_s", [0, 3600])
def test_whatever_isnt_finished_in_that_way_only_leaves_the_list(
    queue: Queue,
    client: Any,
    steering: Steering,
    make_hands: Callable[..., Hands],
    how: Callable[..., None],
    finished: str,
    remember_s: int,
) -> None:
    # Given a list of finished jobs that names others too, all of them long ago
    kept: dict[str, Any] = {f"keep_{state}": 0 for state in ("completed", "failed", "cancelled")}
    hands = make_hands(settings=QueueSettings(remember_s=remember_s, **kept))
    finished_key = getattr(queue.keys, finished)
    for number, (name, content) in enumerate(STRAYS.items()):
        key = queue.keys.job(f"stray-{name}".replace(" ", "-"))
        if isinstance(content, str):
            client.set(key, content)
        else:
            client.hset(key, mapping=content)
        client.zadd(finished_key, {f"stray-{name}".replace(" ", "-"): number + 1})

    # When the list is cleared out
    how(queue, hands, steering, finished)

    # Then what was finished in that way is forgotten, and all others are there as they were, and off the list
    left = [each for each in client.zrange(finished_key, 0, -1) if each.startswith("stray")]
    assert left == []
    for name, content in STRAYS.items():
        key = queue.keys.job(f"stray-{name}".replace(" ", "-"))
        if isinstance(content, str):
            assert client.get(key) == content
        elif name != finished:
            assert client.hgetall(key) == content, name
        elif remember_s:
            assert client.hget(key, "state") == JobState.FORGOTTEN
        else:
            assert not client.exists(key)


def test_counts_exceed_what_is_kept_by_a_batch_at_most_until_the_next_sweep(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Completed jobs are counted down by every fiftieth settle (or a tenth of what is kept), failed ones by each.
    kept = QueueSettings(keep_completed=100, keep_failed=5, remember_s=3600)
    hands = make_hands(settings=kept)
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(300)])
    delivery = hands.fetch().delivery
    most = 0
    while delivery is not None:
        outcome = Outcome.FAIL if int(delivery.job_id) >= 280 else Outcome.COMPLETE
        delivery = hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome), ("main",)).delivery
        most = max(most, client.zcard(queue.keys.completed))
        assert client.zcard(queue.keys.failed) <= 5
    assert 100 < most <= 100 + 11

    wire = queue.make_wire("test")
    Sweep(keys=queue.keys, wire=wire, kept=kept, settings=WorkerSettings()).run_once()
    wire.close()

    assert client.zcard(queue.keys.completed) == 100
    # The newest are those that are kept, and each job's hash goes with its place.
    states = [job.state for _, job in sorted(queue.find_jobs(map(str, range(280))).items(), key=lambda x: int(x[0]))]
    assert states == [JobState.FORGOTTEN] * 180 + [JobState.COMPLETED] * 100


# -- by an operator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
@pytest.mark.parametrize("state", ["waiting", "delayed", "completed"])
def test_a_removed_job_is_remembered_unless_its_id_is_to_be_forgotten_too(
    queue: Queue, client: redis.Redis, steering: Steering, make_hands: Callable[..., Hands], data: Any, state: str
) -> None:
    if state == "completed":
        complete(queue, make_hands(), data=data)
    else:
        queue.enqueue(data, job_id="1", delay_s=60 if state == "delayed" else 0)

    [removed] = steering.remove(list(steering.see(["1"]).values()), remember_s=60)
    duplicate = queue.enqueue(data, job_id="1")
    conflict = queue.enqueue({"order_id": 2}, job_id="1")
    [left_alone] = steering.remove(list(steering.see(["1"]).values()), remember_s=60)
    [forgotten] = steering.remove(list(steering.see(["1"]).values()), remember_s=0)

    assert (removed.fate, duplicate.outcome, duplicate.state) == (
        Fate.DONE,
        EnqueueOutcome.DUPLICATE,
        JobState.FORGOTTEN,
    )
    assert conflict.outcome is EnqueueOutcome.CONFLICT
    assert (left_alone.fate, left_alone.state) == (Fate.MOVED_ON, "forgotten")
    assert forgotten.fate is Fate.DONE
    assert steering.see(["1"]) == {}
    assert client.exists(queue.keys.job("1"), queue.keys.delayed) == 0
    assert queue.enqueue({"order_id": 2}, job_id="1").outcome is EnqueueOutcome.CREATED


def test_no_steering_but_forgetting_touches_a_forgotten_id(
    queue: Queue, client: redis.Redis, steering: Steering, make_hands: Callable[..., Hands]
) -> None:
    complete(queue, make_hands(settings=FORGETFUL))
    before = client.hgetall(queue.keys.job("1"))
    seen = list(steering.see(["1"]).values())

    for change in (steering.retry, steering.promote, steering.remove):
        [answer] = change(seen)
        assert (answer.fate, answer.state) == (Fate.MOVED_ON, "forgotten")
    assert not queue.move("1", from_lane="main", to_lane="urgent")
    assert client.hgetall(queue.keys.job("1")) == before


def test_drained_jobs_are_remembered(queue: Queue, client: redis.Redis, steering: Steering) -> None:
    jobs = [NewJob(job_id=str(number), data=LONG if number % 2 else {"n": number}) for number in range(120)]
    queue.enqueue_many(jobs)

    assert steering.drain(remember_s=60) == 120
    assert steering.drain(remember_s=60) == 0

    answers = queue.enqueue_many(jobs)
    assert {(answer.outcome, answer.state) for answer in answers} == {(EnqueueOutcome.DUPLICATE, JobState.FORGOTTEN)}
    assert 0 < client.pttl(queue.keys.job("119")) <= 60_000


def test_the_command_line_remembers_for_as_long_as_it_is_told(
    queue: Queue, client: redis.Redis, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name}

    def rosq(*args: str) -> Any:
        return CliRunner().invoke(main, [*args, "--why", "a test", "--by", "ann"], env=env)

    for job_id in ("1", "2", "3"):
        queue.enqueue({}, job_id=job_id)
    assert rosq("remove", "1", "--remember", "1d").exit_code == 0
    assert rosq("remove", "2", "--forget-id").exit_code == 0
    assert rosq("drain", "--yes").exit_code == 0

    complete(queue, make_hands(), "4")
    assert rosq("forget", "--all", "--yes", "--forget-id").exit_code == 0
    assert queue.find_job("4") is None
    complete(queue, make_hands("w2"), "5")
    assert rosq("forget", "--all", "--yes").exit_code == 0
    assert find(queue, "5").state is JobState.FORGOTTEN

    again = rosq("remove", "1")
    assert again.exit_code == 1
    assert "it is forgotten" in again.output
    assert 86_300_000 < client.pttl(queue.keys.job("1")) <= 86_400_000
    assert queue.find_job("2") is None
    assert 3_590_000 < client.pttl(queue.keys.job("3")) <= 3_600_000


# -- where it is looked at ---------------------------------------------------------------------------------------------


def test_looking_tells_a_forgotten_id_from_an_unknown_one_and_counts_it_nowhere(
    queue: Queue, redis_server: RedisServer, make_hands: Callable[..., Hands]
) -> None:
    complete(queue, make_hands(settings=FORGETFUL))
    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name}

    explained = CliRunner().invoke(main, ["inspect", "explain", "1"], env=env)
    told = CliRunner().invoke(main, ["inspect", "job", "1", "--json"], env=env)

    assert explained.exit_code == told.exit_code == 0, explained.output
    assert "only its id is remembered" in explained.stdout
    assert re.search(r"counts as a duplicate for (1 h|59 min 5\d s) more", explained.stdout)
    job = json.loads(told.stdout)
    assert (job["state"], job["is_live"], job["is_inconsistent"]) == ("forgotten", False, False)
    # Its events still tell of its one delivery.
    assert [each["outcome"] for each in job["deliveries"]] == ["completed"]
    with Inspector(settings_of(redis_server)) as inspector:
        overview = inspector.look(queue.name)
        diagnosis = inspector.examine(queue.name, scan=1_000)
    assert (overview.waiting, overview.completed, overview.failed) == (0, 0, 0)
    assert not diagnosis.is_inconsistent
