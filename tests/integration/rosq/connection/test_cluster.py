"""A queue on a real Cluster of three nodes: found wherever it lies, and whole when its slot moves."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis
from redis.crc import key_slot

from rosq import (
    Delivery,
    EnqueueOutcome,
    Fail,
    JobState,
    NewJob,
    Queue,
    RedisSettings,
    ReopenOutcome,
    RetryPolicy,
    ServerUnfit,
    ServerUnreachable,
    SlotMoved,
    Snooze,
    WorkerSettings,
)
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect import Inspector
from rosq.steering import Steering
from rosq.store.keys import QUEUES, Keys
from tests.integration.rosq.commands.test_cli import run
from tests.integration.rosq.conftest import Hands, Running
from tests.integration.rosq.connection.test_ways import list_acl_lines
from tests.integration.rosq.every_step import run_every_step
from tests.topologies import PASSWORD, Cluster, running_cluster
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Longer than any move here: what happens to a job then is the move's doing, not its lease's.
_TIMES = WorkerSettings(lease_s=60.0, round_s=1.0, max_backoff_s=0.2)
_POLICY = RetryPolicy(wait=lambda _: 0.05)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def settings(cluster: Cluster) -> RedisSettings:
    return RedisSettings.from_env(cluster.env())


@pytest.fixture
def queue(settings: RedisSettings, queue_name: str) -> Iterator[Queue]:
    with Queue(settings, queue_name) as queue:
        yield queue


def test_every_script_and_view_works_on_a_cluster(cluster: Cluster, settings: RedisSettings, queue_name: str) -> None:
    with cluster.owner(Keys(queue_name).meta).client() as admin:
        run_every_step(settings, queue_name, admin)


def test_the_user_of_the_docs_may_do_all_of_it_on_a_cluster_with_one_right_more(
    cluster: Cluster, queue_name: str
) -> None:
    line = list_acl_lines()[2].replace("rosq-operator", queue_name).replace("PASSWORD", PASSWORD)
    line = line.replace("~rosq:*", f"~rosq:{{{queue_name}}}:* ~rosq:queues") + " +cluster|slots"
    for node in cluster.nodes:
        with node.client() as client:
            client.execute_command(*line.split())
    env = {**cluster.env(), "REDIS_USERNAME": queue_name}

    with Queue(RedisSettings.from_env(cluster.env()), "of-others") as others:
        others.enqueue({}, job_id="1")

    with cluster.owner(Keys(queue_name).meta).client() as admin:
        admin.execute_command("ACL", "LOG", "RESET")
        run_every_step(RedisSettings.from_env(env), queue_name, admin)

        # Looking for queues it came across those of others; and the doctor does without the configuration
        refused: Any = admin.acl_log()
        objects = {entry["object"] for entry in refused if entry["username"] == queue_name}
        assert all(f"{{{queue_name}}}" not in each for each in objects)
        assert {each for each in objects if not each.startswith("rosq:{")} <= {
            "config|get",
            "config",
            "slowlog|get",
            "slowlog",
        }


def test_queues_are_found_on_whichever_node_each_of_them_lies(cluster: Cluster, settings: RedisSettings) -> None:
    names = [f"spread-{number}" for number in range(6)]
    for name in names:
        with Queue(settings, name) as queue:
            queue.enqueue({}, job_id="1")
    owners = {cluster.owner(Keys(name).meta).port for name in names}
    assert len(owners) == 3, "the names lie on all nodes, or the test shows nothing"

    with Inspector(settings) as inspector:
        assert set(names) <= set(inspector.list_queues())
        assert [inspector.look(name).waiting for name in names] == [1] * 6
        # Lost with its node's data, the list is made up from the keys of all nodes
        with cluster.owner(QUEUES).client() as client:
            client.delete(QUEUES)
        assert set(names) <= set(inspector.list_queues())


def test_the_only_queue_of_a_cluster_needs_no_name(cluster: Cluster, settings: RedisSettings) -> None:
    for node in cluster.nodes:
        node.flushall()
    with Queue(settings, "lonely") as queue:
        queue.enqueue({}, job_id="1")

    shown = run(cast("Any", cluster), "inspect", "--json")
    listed = run(cast("Any", cluster), "inspect", "queues")

    assert (shown.returncode, '"queue": "lonely"' in shown.stdout) == (0, True), shown.stderr
    assert (listed.returncode, "lonely" in listed.stdout) == (0, True), listed.stderr


def test_any_node_is_enough_to_find_the_others(cluster: Cluster, queue_name: str) -> None:
    dead = "127.0.0.1:1"
    for node in cluster.nodes:
        env = {"REDIS_CLUSTER_NODES": f"{dead},127.0.0.1:{node.port}", "REDIS_PASSWORD": PASSWORD}
        with Queue(RedisSettings.from_env(env), queue_name) as queue:
            assert queue.enqueue({}, job_id=str(node.port)).outcome is EnqueueOutcome.CREATED


def test_a_cluster_that_is_taken_for_one_server_and_the_other_way_round_are_told_with_what_to_do(
    cluster: Cluster, queue_name: str, own_redis: Any
) -> None:
    owner = cluster.owner(Keys(queue_name).meta)
    other = next(node for node in cluster.nodes if node is not owner)

    with (
        Queue(RedisSettings(port=other.port, password=PASSWORD), queue_name) as queue,
        pytest.raises(ServerUnreachable, match="REDIS_CLUSTER_NODES"),
    ):
        queue.enqueue({}, job_id="1")
    env = {"REDIS_CLUSTER_NODES": f"127.0.0.1:{own_redis.port}"}
    with Queue(RedisSettings.from_env(env), queue_name) as queue, pytest.raises(ServerUnfit, match="REDIS_HOST"):
        queue.enqueue({}, job_id="1")


class Ledger:
    """A handler that writes down what ran, and ends some jobs in other ways than by completing them at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.runs: list[tuple[str, int]] = []

    def __call__(self, delivery: Delivery) -> None:
        with self._lock:
            self.runs.append((delivery.job_id, delivery.fence))
            times = sum(job_id == delivery.job_id for job_id, _ in self.runs)
        end = delivery.data.get("end")
        if end == "fail":
            raise Fail("as asked")
        if end == "snooze" and times == 1:
            raise Snooze(0.05)
        if end == "retry" and times == 1:
            raise ValueError("as asked")
        delivery.sleep(0.004)

    def count(self, job_id: str) -> int:
        return sum(each == job_id for each, _ in self.runs)


def _make_jobs(count: int) -> list[NewJob]:
    ends = ["", "", "", "snooze", "retry", "fail"]
    return [
        NewJob(job_id=str(n), data={"end": ends[n % 6], "pad": "x" * (n % 2) * 90}, delay_s=0.1 * (n % 5 == 0))
        for n in range(count)
    ]


def _enqueue_stubbornly(queue: Queue, jobs: list[NewJob], stopped: threading.Event) -> None:
    """One by one, each until it is on the queue, as a producer does who keeps what wasn't acknowledged."""
    for job in jobs:
        while not stopped.is_set():
            try:
                queue.enqueue_many([job])
                break
            except ServerUnreachable:
                stopped.wait(0.05)


def _list_finished(client: redis.Redis, keys: Keys) -> tuple[int, int]:
    return int(client.zcard(keys.completed)), int(client.zcard(keys.failed))


def _assert_nothing_is_left(client: redis.Redis, queue: Queue, jobs: int) -> None:
    keys = queue.keys
    events: Any = client.xrange(keys.events)
    ends = [fields["job_id"] for _, fields in events if fields["event"] in ("completed", "failed")]
    assert sorted(ends, key=int) == [str(number) for number in range(jobs)]
    assert [fields for _, fields in events if fields["event"] in ("crashed", "dropped")] == []
    assert client.xlen(keys.lane("main")) == 0
    assert client.xpending(keys.lane("main"), "workers")["pending"] == 0
    assert client.zcard(keys.delayed) == 0
    with Inspector(queue.redis_settings) as inspector:
        told: Any = inspector.examine(queue.name, scan=10_000)
        assert not told.is_inconsistent


def test_a_slot_that_moves_under_load_loses_no_job_and_doubles_none(
    cluster: Cluster, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    # Given workers under way, and a producer that doesn't stop
    jobs, ledger, stopped = _make_jobs(300), Ledger(), threading.Event()
    queue.enqueue_many(jobs[:100])
    workers = [start_worker(queue, ledger, name=f"w{n}", settings=_TIMES, policy=_POLICY) for n in range(3)]
    producer = threading.Thread(target=_enqueue_stubbornly, args=(queue, jobs[100:], stopped))
    producer.start()
    try:
        # When the slot goes round all nodes meanwhile
        home = cluster.owner(queue.keys.meta)
        others = [node for node in cluster.nodes if node is not home]
        for at, node in zip((40, 120, 200), (*others, home), strict=True):
            wait_until(lambda at=at: len(ledger.runs) > at, f"{at} runs", 20)  # type: ignore[misc]
            cluster.move_slot(queue.keys.meta, node)
            assert cluster.owner(queue.keys.meta) is node
        producer.join(30)
        assert not producer.is_alive()

        # Then each job has come to its one end, and was run as often as its way asks for
        with home.client() as client:
            wait_until(lambda: _list_finished(client, queue.keys) == (250, 50), "all jobs", 30)
            _assert_nothing_is_left(client, queue, 300)
    finally:
        stopped.set()
    for running in workers:
        running.stop()
        assert running.error is None
    expected = {job.job_id: 2 if job.data["end"] in ("snooze", "retry") else 1 for job in jobs}
    assert {job_id: ledger.count(job_id) for job_id in expected} == expected


def test_while_a_slot_stands_half_moved_calls_are_refused_and_nothing_is_half_written(
    cluster: Cluster, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    # Given a worker under way
    jobs, ledger = _make_jobs(62), Ledger()
    queue.enqueue_many([dataclasses.replace(job, delay_s=0) for job in jobs[:60]])
    running = start_worker(queue, ledger, name="w1", settings=_TIMES, policy=_POLICY)
    wait_until(lambda: len(ledger.runs) > 5, "the worker")
    target = next(node for node in cluster.nodes if node is not cluster.owner(queue.keys.meta))

    # When its queue's slot stands open, half of the keys here and half there
    def halfway() -> None:
        wait_until(lambda: running.worker._outage._failures > 1, "the worker to be refused")
        runs = len(ledger.runs)
        with pytest.raises(SlotMoved, match="has given the queue away, or is about to"):
            queue.enqueue_many(jobs[60:])
        assert len(ledger.runs) == runs

    cluster.move_slot(queue.keys.meta, target, halfway=halfway)

    # Then all goes on when the move is over
    assert [answer.outcome for answer in queue.enqueue_many(jobs[60:])] == [EnqueueOutcome.CREATED] * 2
    with target.client() as client:
        wait_until(lambda: sum(_list_finished(client, queue.keys)) == 62, "all jobs", 20)
        _assert_nothing_is_left(client, queue, 62)
    running.stop()
    expected = {job.job_id: 2 if job.data["end"] in ("snooze", "retry") else 1 for job in jobs}
    assert {job_id: ledger.count(job_id) for job_id in expected} == expected


@pytest.mark.parametrize("what", ["remove", "drain", "forget"])
def test_no_id_is_forgotten_at_once_where_it_cant_be_remembered_while_its_slot_is_about_to_move(
    cluster: Cluster, queue: Queue, what: str
) -> None:
    # Given jobs to be remembered, and every key that a script declares still here
    for job_id in ("over", "waits"):
        queue.enqueue({"pad": "x" * 90}, job_id=job_id)
    queue.enqueue({}, job_id="later", delay_s=3600)
    queue.cancel("over", by="ann", reason="a mistake")
    home = cluster.owner(queue.keys.meta)
    target = next(node for node in cluster.nodes if node is not home)
    with (
        Steering(queue.redis_settings, queue.name, by="ann", reason="a test") as hand,
        home.client() as giver,
        target.client() as taker,
    ):
        for key in (queue.keys.completed, queue.keys.failed):
            giver.zadd(key, {"another": 1})
        seen = list(hand.see(["waits"]).values())
        steps: dict[str, Callable[[], object]] = {
            "remove": lambda: hand.remove(seen),
            "drain": hand.drain,
            "forget": lambda: hand.forget(JobState.CANCELLED, 1),
        }

        # When one is asked for while a key that is deleted can't be made anew
        with _about_to_move(queue, giver, taker), pytest.raises(SlotMoved):
            steps[what]()

        # Then nothing was done, and the same is done later
        again = [queue.enqueue({"pad": "x" * 90}, job_id=job_id).outcome for job_id in ("over", "waits")]
        assert again == [EnqueueOutcome.DUPLICATE] * 2
        assert giver.zcard(queue.keys.cancelled) == 1
        assert giver.xlen(queue.keys.lane("main")) == 1
        steps[what]()
        states = [job.state for job in queue.find_jobs(["over", "waits"]).values()]
        assert states.count(JobState.FORGOTTEN) == 1


@contextlib.contextmanager
def _about_to_move(queue: Queue, giver: Any, taker: Any) -> Iterator[None]:
    """The queue's slot is on its way to another node, and no key has gone yet."""
    slot = key_slot(queue.keys.meta.encode())
    ids = {node: client.execute_command("CLUSTER", "MYID") for node, client in (("from", giver), ("to", taker))}
    taker.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids["from"])
    giver.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids["to"])
    try:
        yield
    finally:
        for client in (giver, taker):
            client.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")


@pytest.mark.parametrize("what", ["reopen", "hold"])
def test_a_script_that_starts_in_a_slot_about_to_move_isnt_cut_off_in_its_middle(
    cluster: Cluster, queue: Queue, what: str
) -> None:
    # Given a failed job, and every key that a script declares still here, while the slot is on its way: a key that is
    # deleted now can't be made anew
    hands = Hands(queue, "w1", 60.0, None)
    assert hands.consumer.hold_name() is None
    for job_id in ("fails", "completes"):
        queue.enqueue({"pad": "x" * 90}, job_id=job_id)
    for _ in range(2):
        delivery = hands.fetch().delivery
        assert delivery is not None

        outcome = Outcome.FAIL if delivery.job_id == "fails" else Outcome.COMPLETE
        hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome), ["main"], is_fetching=False)
    for job_id in ("waits", "is-cancelled"):
        queue.enqueue({}, job_id=job_id)
    queue.cancel("is-cancelled", by="ann", reason="a mistake")
    queue.enqueue({}, job_id="later", delay_s=3600)
    home = cluster.owner(queue.keys.meta)
    target = next(node for node in cluster.nodes if node is not home)
    with home.client() as giver, target.client() as taker, _about_to_move(queue, giver, taker):
        if what == "reopen":
            reopened = queue.reopen(NewJob(job_id="fails", data={"again": True}, fence_floor=7))
            assert reopened.outcome is ReopenOutcome.REOPENED
        else:
            assert hands.consumer.hold_name() is None
            assert giver.hget(queue.keys.worker("w1"), "token") == hands.consumer.instance
    if what == "reopen":
        job = queue.find_job("fails")
        assert job is not None
        assert (job.state, job.is_live, job.data) == (JobState.WAITING, True, {"again": True})
        assert (job.attempts, job.last_error, job.finished_at) == (0, None, None)
    hands.close()


def _move_as_one_piece(slot: int, giver: redis.Redis, taker: redis.Redis) -> None:
    """Ask for the move, as Valkey 9 wants it from who gives, or as Redis 8.4 does from who takes."""
    node_id = taker.execute_command("CLUSTER", "MYID")
    try:
        giver.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id)
    except redis.ResponseError:
        try:
            taker.execute_command("CLUSTER", "MIGRATION", "IMPORT", slot, slot)
        except redis.ResponseError as error:
            pytest.skip(f"this server moves slots key by key only: {error}")


def test_a_slot_that_the_server_moves_as_one_piece_loses_no_job_and_doubles_none(
    cluster: Cluster, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    home = cluster.owner(queue.keys.meta)
    target = next(node for node in cluster.nodes if node is not home)
    jobs, ledger, stopped = _make_jobs(120), Ledger(), threading.Event()
    with home.client() as giver, target.client() as taker:
        slot = key_slot(queue.keys.meta.encode())
        running = start_worker(queue, ledger, name="w1", settings=_TIMES, policy=_POLICY)
        producer = threading.Thread(target=_enqueue_stubbornly, args=(queue, jobs, stopped))
        producer.start()
        try:
            wait_until(lambda: len(ledger.runs) > 20, "the worker")
            _move_as_one_piece(slot, giver, taker)
            wait_until(lambda: cluster.owner_or_none(queue.keys.meta) is target, "the move", 15)
            producer.join(20)
            wait_until(lambda: _list_finished(taker, queue.keys) == (100, 20), "all jobs", 20)
            _assert_nothing_is_left(taker, queue, 120)
        finally:
            stopped.set()
            producer.join(5)
    running.stop()
    expected = {job.job_id: 2 if job.data["end"] in ("snooze", "retry") else 1 for job in jobs}
    assert {job_id: ledger.count(job_id) for job_id in expected} == expected


def test_a_node_that_dies_is_followed_to_its_replica(queue_name: str, start_worker: Callable[..., Running]) -> None:
    with running_cluster() as cluster:
        keys = Keys(queue_name)
        owner = cluster.owner(keys.meta)
        replica = cluster.add_replica(owner)
        with Queue(RedisSettings.from_env(cluster.env()), queue_name) as queue:
            # Told through another node than the one that dies
            ledger, stopped = Ledger(), threading.Event()
            queue.enqueue_many(jobs := [dataclasses.replace(job, delay_s=0) for job in _make_jobs(60)])
            with owner.client() as client:
                assert client.wait(1, 5000) == 1
            running = start_worker(queue, ledger, name="w1", settings=_TIMES, policy=_POLICY)
            wait_until(lambda: len(ledger.runs) > 10, "the worker")

            owner.kill()
            _enqueue_stubbornly(queue, _make_jobs(62)[60:], stopped)

            with replica.client() as client:
                wait_until(lambda: sum(_list_finished(client, keys)) == 62, "all jobs", 20)
            running.stop()
            assert {job_id for job_id, _ in ledger.runs} == {str(number) for number in range(62)}
            assert len(jobs) == 60


def test_a_steering_hand_follows_a_slot_that_moved(cluster: Cluster, queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    with Steering(queue.redis_settings, queue.name, by="a test", reason="to see it") as hand:
        assert hand.pause() is None
        target = next(node for node in cluster.nodes if node is not cluster.owner(queue.keys.meta))
        cluster.move_slot(queue.keys.meta, target)

        with pytest.raises(ServerUnreachable):
            hand.resume()
        assert hand.resume()
