"""TLS with Sentinel and with a Cluster: servers that speak nothing else, and that send their clients to one another.

Skipped where no server here was built with TLS (`TEST_REDIS_BINARY` names one): a proxy before others can't stand in,
since what servers tell of one another would lead past it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    Delivery,
    EnqueueOutcome,
    NewJob,
    Queue,
    RedisSettings,
    RetryPolicy,
    ServerUnreachable,
    ServerUntrusted,
    WorkerSettings,
)
from rosq.inspect import Inspector
from rosq.store.keys import QUEUES, Keys
from tests.certificates import Authority
from tests.integration.rosq.every_step import run_every_step
from tests.servers import embedded_redis, free_port, server_version, starting_tls_servers
from tests.topologies import MASTER, PASSWORD, Cluster, Sentinel, running_cluster, running_watched
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.rosq.conftest import Running
    from tests.servers import EmbeddedRedis

#: A lease longer than any failover and any move here: what happens to a job then is their doing.
_TIMES = WorkerSettings(lease_s=30.0, round_s=1.0, max_backoff_s=0.3)
_POLICY = RetryPolicy(wait=lambda _: 0.05)


@pytest.fixture(scope="module", autouse=True)
def _tls_servers() -> Iterator[None]:
    with starting_tls_servers():
        yield


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def cluster(_tls_servers: None, authority: Authority) -> Iterator[Cluster]:
    with running_cluster(authority) as cluster:
        yield cluster


class Ledger:
    """A handler that writes down with which fences each job ran."""

    def __init__(self) -> None:
        self.fences: dict[str, list[int]] = {}

    def __call__(self, delivery: Delivery) -> None:
        self.fences.setdefault(delivery.job_id, []).append(delivery.fence)
        delivery.sleep(0.01)


def _make_jobs(first: int, end: int) -> list[NewJob]:
    return [NewJob(job_id=str(number), data={"pad": "x" * (number % 2) * 90}) for number in range(first, end)]


def _put_stubbornly(queue: Queue, jobs: list[NewJob], stopped: threading.Event) -> None:
    """One by one, each until it is on the queue, as a producer does who keeps what wasn't acknowledged."""
    for job in jobs:
        while not stopped.is_set():
            try:
                queue.enqueue_many([job])
                break
            except ServerUnreachable:
                stopped.wait(0.05)


@contextlib.contextmanager
def _putting(queue: Queue, jobs: list[NewJob]) -> Iterator[threading.Thread]:
    stopped = threading.Event()
    producer = threading.Thread(target=_put_stubbornly, args=(queue, jobs, stopped))
    producer.start()
    try:
        yield producer
    finally:
        stopped.set()
        producer.join(15)


def _assert_each_came_to_one_end(server: EmbeddedRedis, keys: Keys, jobs: int) -> None:
    with server.client() as client:
        wait_until(lambda: client.zcard(keys.completed) == jobs, "all jobs", 20)
        events: Any = client.xrange(keys.events)
        ends = [fields["job_id"] for _, fields in events if fields["event"] == "completed"]
        assert sorted(ends, key=int) == [str(number) for number in range(jobs)]
        assert client.xlen(keys.lane("main")) == 0


def _assert_gets_nothing(
    server: EmbeddedRedis, env: dict[str, str], name: str, start_worker: Callable[..., Running], match: str
) -> None:
    with Queue(RedisSettings.from_env(env), name) as queue:
        with pytest.raises(ServerUntrusted, match=match) as caught:
            queue.enqueue({}, job_id="1")
        running = start_worker(queue, lambda _: None)
        running.join()
    assert isinstance(running.error, ServerUntrusted), "a worker ends at its start, it doesn't wait for another server"
    assert PASSWORD not in str(caught.value)
    with server.client() as client:
        assert client.keys("rosq:*") == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_failover_where_all_speak_tls_only_loses_no_job_and_doubles_none(
    authority: Authority, queue_name: str, start_worker: Callable[..., Running], name: str
) -> None:
    """By address, and by a name, which sentinels and servers must be told to announce."""
    if name == "localhost" and server_version() < (7, 0):
        pytest.skip("can't be told to listen on IPv6 where there is one")
    with (
        running_watched(authority, name) as watched,
        Queue(RedisSettings.from_env(watched.env()), queue_name) as queue,
    ):
        # Given jobs that the replica has too, and a worker under way
        ledger = Ledger()
        queue.enqueue_many(first := _make_jobs(0, 60))
        with watched.master.client() as client:
            assert client.wait(1, 5000) == 1
        running = start_worker(queue, ledger, settings=_TIMES, policy=_POLICY)
        wait_until(lambda: len(ledger.fences) > 15, "the worker")

        # When the master dies
        watched.master.kill()
        with _putting(queue, later := _make_jobs(60, 80)) as producer:
            watched.wait_for_failover()
            producer.join(15)
            assert not producer.is_alive()

        # Then all come to their end at the new one, what was lost on the way put back by its producer as ever
        queue.enqueue_many([*first, *later])
        _assert_each_came_to_one_end(watched.replica, queue.keys, 80)
        running.stop()
        assert running.error is None
        assert set(ledger.fences) == {str(number) for number in range(80)}
        assert all(ran == sorted(set(ran)) for ran in ledger.fences.values()), "who runs again has a greater fence"


@contextlib.contextmanager
def _running_pair(
    sentinels: Authority, masters: Authority, trusted: Path, name: str = "127.0.0.1"
) -> Iterator[tuple[EmbeddedRedis, Sentinel]]:
    """A master and one sentinel that trust each other, whoever has signed their certificates."""
    with embedded_redis(tls=masters.equip(name, trusted), requirepass=PASSWORD) as master:
        sentinel = Sentinel(master, 1, tls=sentinels.equip(name, trusted))
        try:
            wait_until(sentinel.master_port, "the sentinel")
            yield master, sentinel
        finally:
            sentinel.close()


def _env(*sentinels: str, authority: Authority) -> dict[str, str]:
    told = {"REDIS_SENTINELS": ",".join(sentinels), "REDIS_SENTINEL_MASTER": MASTER}
    passwords = {"REDIS_SENTINEL_PASSWORD": PASSWORD, "REDIS_PASSWORD": PASSWORD}
    return {**told, **passwords, **authority.equip("client").env()}


@pytest.fixture
def both(authority: Authority, stranger: Authority, tmp_path: Path) -> Path:
    """A file with both authorities in it."""
    file = tmp_path / "both.pem"
    file.write_text(authority.ca_file.read_text() + stranger.ca_file.read_text())
    return file


@pytest.mark.parametrize("who", ["sentinels", "master"])
def test_sentinels_and_masters_that_nobody_we_trust_vouches_for_get_nothing(
    authority: Authority,
    stranger: Authority,
    both: Path,
    queue_name: str,
    start_worker: Callable[..., Running],
    who: str,
) -> None:
    signing = (stranger, authority) if who == "sentinels" else (authority, stranger)
    with _running_pair(*signing, trusted=both) as (master, sentinel):
        env = _env(f"127.0.0.1:{sentinel.port}", authority=authority)

        _assert_gets_nothing(master, env, queue_name, start_worker, "REDIS_TLS_CA_FILE")


def test_a_sentinel_that_cant_prove_who_it_is_costs_no_answer_and_decides_nothing(
    authority: Authority, stranger: Authority, both: Path, queue_name: str
) -> None:
    with _running_pair(authority, authority, both) as (master, sentinel):
        other = Sentinel(master, 1, tls=stranger.equip("127.0.0.1", both))
        try:
            wait_until(other.master_port, "the other sentinel")
            wrong, right = f"127.0.0.1:{other.port}", f"127.0.0.1:{sentinel.port}"
            with Queue(RedisSettings.from_env(_env(wrong, right, authority=authority)), queue_name) as queue:
                assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.CREATED

            # With the right one away it is an outage, which passes
            away = f"127.0.0.1:{free_port()}"
            with (
                Queue(RedisSettings.from_env(_env(wrong, away, authority=authority)), queue_name) as queue,
                pytest.raises(ServerUnreachable) as caught,
            ):
                queue.enqueue({}, job_id="2")
            assert not isinstance(caught.value, ServerUntrusted)
        finally:
            other.close()


def test_the_address_that_sentinels_tell_must_stand_in_the_masters_certificate_unless_names_arent_checked(
    authority: Authority, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    # Certificates have a name, and the sentinel, asked by it, tells the master's address
    with _running_pair(authority, authority, authority.ca_file, "localhost") as (master, sentinel):
        env = _env(f"localhost:{sentinel.port}", authority=authority)

        _assert_gets_nothing(master, env, queue_name, start_worker, r"not valid for '127\.0\.0\.1'")

        with Queue(RedisSettings.from_env({**env, "REDIS_TLS_CHECK_NAME": "0"}), queue_name) as queue:
            assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.CREATED


def test_every_script_and_view_works_on_a_cluster_that_speaks_tls_only(cluster: Cluster, queue_name: str) -> None:
    with cluster.owner(Keys(queue_name).meta).client() as admin:
        run_every_step(RedisSettings.from_env(cluster.env()), queue_name, admin)


def test_a_slot_that_moves_between_nodes_that_speak_tls_only_loses_no_job_and_doubles_none(
    cluster: Cluster, queue_name: str, start_worker: Callable[..., Running]
) -> None:
    with Queue(RedisSettings.from_env(cluster.env()), queue_name) as queue:
        # Given a worker under way, and a producer that doesn't stop
        ledger = Ledger()
        queue.enqueue_many(_make_jobs(0, 60))
        running = start_worker(queue, ledger, settings=_TIMES, policy=_POLICY)
        home = cluster.owner(queue.keys.meta)
        there = next(node for node in cluster.nodes if node is not home)
        with _putting(queue, _make_jobs(60, 120)) as producer:
            # When the slot goes to another node, and comes back
            for at, node in ((20, there), (70, home)):
                wait_until(lambda at=at: len(ledger.fences) > at, f"{at} jobs", 20)  # type: ignore[misc]
                cluster.move_slot(queue.keys.meta, node)
            producer.join(20)
            assert not producer.is_alive()

        # Then each job has run once, and come to its one end
        _assert_each_came_to_one_end(home, queue.keys, 120)
        running.stop()
        assert running.error is None
        assert {job_id: len(ran) for job_id, ran in ledger.fences.items()} == {str(n): 1 for n in range(120)}


def test_a_cluster_that_nobody_we_trust_vouches_for_gets_nothing(
    cluster: Cluster, stranger: Authority, queue_name: str
) -> None:
    env = {**cluster.env(), "REDIS_TLS_CA_FILE": str(stranger.ca_file)}

    with (
        Queue(RedisSettings.from_env(env), queue_name) as queue,
        pytest.raises(ServerUntrusted, match="REDIS_TLS_CA_FILE"),
    ):
        queue.enqueue({}, job_id="1")

    with cluster.owner(Keys(queue_name).meta).client() as admin:
        assert admin.keys(f"rosq:{{{queue_name}}}:*") == []


def test_nodes_are_followed_by_the_names_that_they_announce_and_not_by_addresses_that_no_certificate_has(
    authority: Authority,
) -> None:
    if server_version() < (7, 0):
        pytest.skip("a node can announce no name before 7.0")
    with running_cluster(authority, "localhost") as cluster:
        settings = RedisSettings.from_env(cluster.env())
        names = [f"spread-{number}" for number in range(6)]
        assert len({cluster.owner(Keys(name).meta).port for name in names}) == 3, "on all nodes, or it shows nothing"

        for name in names:
            with Queue(settings, name) as queue:
                assert queue.enqueue({}, job_id="1").outcome is EnqueueOutcome.CREATED
        # Looking for queues asks all nodes
        with cluster.owner(QUEUES).client() as client:
            client.delete(QUEUES)
        with Inspector(settings) as inspector:
            assert set(names) <= set(inspector.list_queues())

        for node in cluster.nodes:
            with node.client() as client:
                client.config_set("cluster-preferred-endpoint-type", "ip")
        for name in names:
            with Queue(settings, name) as queue, pytest.raises(ServerUntrusted, match=r"not valid for '127\.0\.0\.1'"):
                queue.enqueue({}, job_id="2")
        unchecked = RedisSettings.from_env({**cluster.env(), "REDIS_TLS_CHECK_NAME": "0"})
        with Queue(unchecked, names[0]) as queue:
            assert queue.enqueue({}, job_id="2").outcome is EnqueueOutcome.CREATED
