"""More than one server: a Cluster, and a master with a replica and sentinels. All real, on loopback, ended with the
test."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.crc import key_slot

from tests.servers import EmbeddedRedis, RedisServer, _die_with_parent, _server_binary, free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOTS = 16384
#: The password of every server here.
PASSWORD = "for-tests-only"
MASTER = "orders-master"


def _cluster_port() -> int:
    """A free port whose bus port, ten thousand above, is free too."""
    while True:
        port = free_port()
        if port < 55_000:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port + 10_000))
                return port


class Cluster:
    """Three masters, a third of the slots each; the password is asked for everywhere."""

    def __init__(self) -> None:
        self.nodes = [self._make_node() for _ in range(3)]

    @staticmethod
    def _make_node() -> EmbeddedRedis:
        return EmbeddedRedis(
            port=_cluster_port(),
            cluster_enabled="yes",
            cluster_node_timeout="2000",
            cluster_require_full_coverage="no",
            repl_diskless_sync_delay="0",
            requirepass=PASSWORD,
            masterauth=PASSWORD,
        )

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                share = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
                client.execute_command("CLUSTER", "ADDSLOTS", *share)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        with self.nodes[0].client() as client:
            for node in self.nodes[1:]:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(self._is_complete(node) for node in self.nodes), "the cluster")

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def env(self) -> dict[str, str]:
        """The variables that point a process at it; the first node is enough to find the others."""
        return {"REDIS_CLUSTER_NODES": f"127.0.0.1:{self.nodes[0].port}", "REDIS_PASSWORD": PASSWORD}

    def owner(self, key: str) -> EmbeddedRedis:
        """The node that has a key's slot, as that node says itself."""
        found = self.owner_or_none(key)
        assert found is not None, f"no node has the slot of {key}"
        return found

    def owner_or_none(self, key: str) -> EmbeddedRedis | None:
        """The same; None while a slot changes hands."""
        slot = key_slot(key.encode())
        return next((node for node in self.nodes if slot in self._own_slots(node)), None)

    def add_replica(self, of: EmbeddedRedis) -> EmbeddedRedis:
        """Add a replica of a node, which takes its place when it dies; return it when it is in step."""
        replica = self._make_node()
        replica.start()
        self.nodes.append(replica)
        with of.client() as client:
            master_id = client.execute_command("CLUSTER", "MYID")
        with replica.client() as client:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", of.port)
            wait_until(lambda: str(master_id) in str(client.execute_command("CLUSTER", "NODES")), "the nodes to meet")
            client.execute_command("CLUSTER", "REPLICATE", master_id)
            wait_until(lambda: client.info("replication").get("master_link_status") == "up", "the replica")
        # Only who has heard of a replica votes for it.
        wait_until(lambda: all(self._knows_replica(node, replica) for node in self.nodes), "all to know of it", 15)
        return replica

    @staticmethod
    def _knows_replica(node: EmbeddedRedis, replica: EmbeddedRedis) -> bool:
        with _raw_client(node) as client:
            known: Any = client.execute_command("CLUSTER NODES")
        return any(f":{replica.port}@" in line and "slave" in line for line in str(known).splitlines())

    def move_slot(self, key: str, to: EmbeddedRedis, *, halfway: Callable[[], None] = lambda: None) -> None:
        """Move a key's slot to another node as `redis-cli --cluster reshard` does it, key by key.

        Args:
            halfway: Called when half of the keys have moved.
        """
        slot, source = key_slot(key.encode()), self.owner(key)
        with source.client() as giver, to.client() as taker:
            giver_id, taker_id = (client.execute_command("CLUSTER", "MYID") for client in (giver, taker))
            taker.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", giver_id)
            giver.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", taker_id)
            half, moved = int(giver.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)) // 2, 0
            while keys := giver.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
                migrate: list[Any] = ["MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "AUTH", PASSWORD, "KEYS", *keys]
                giver.execute_command(*migrate)
                if moved < half <= moved + len(keys):
                    halfway()
                moved += len(keys)
            for node in (to, source, *self.nodes):
                with node.client() as client:
                    client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", taker_id)

    def _is_complete(self, node: EmbeddedRedis) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER", "INFO")
            text = info if isinstance(info, str) else "\n".join(f"{key}:{value}" for key, value in info.items())
            return (
                "cluster_state:ok" in text and "cluster_known_nodes:3" in text and f"cluster_slots_ok:{SLOTS}" in text
            )

    def _own_slots(self, node: EmbeddedRedis) -> set[int]:
        with _raw_client(node) as client:
            ranges: Any = client.execute_command("CLUSTER SLOTS")
        return {slot for first, last, master, *_ in ranges if master[1] == node.port for slot in range(first, last + 1)}


def _raw_client(server: RedisServer) -> redis.Redis:
    """A client that leaves answers as they come."""
    client = server.client()
    client.response_callbacks.clear()
    return client


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster of three nodes, then end it."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


class Sentinel:
    """One sentinel, which takes a server for dead after half a second."""

    def __init__(self, master: EmbeddedRedis, quorum: int) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="rosq-test-sentinel-"))
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder}\nrequirepass {PASSWORD}\n"
            f"sentinel sentinel-pass {PASSWORD}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} {quorum}\nsentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} 500\nsentinel failover-timeout {MASTER} 3000\n"
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_server_binary(), str(config), "--sentinel"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
            )

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def master_port(self) -> int:
        """The port of the master as this sentinel sees it; 0 while it doesn't answer."""
        try:
            with redis.Redis(port=self.port, password=PASSWORD) as client:
                found: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        except redis.ConnectionError:
            return 0
        return int(found[1])

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found the others."""
        with _raw_client(RedisServer("127.0.0.1", self.port, password=PASSWORD)) as client:
            facts: Any = client.execute_command("SENTINEL", "MASTER", MASTER)
        return int(facts["num-slaves"]) == replicas and int(facts["num-other-sentinels"]) == sentinels

    def pause(self) -> None:
        """Let it hang: it takes connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def fail_over(self) -> None:
        """Make the replica the master although nothing is wrong."""
        with redis.Redis(port=self.port, password=PASSWORD) as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._folder)


class Watched:
    """A master with one replica, watched by three sentinels of which two must agree."""

    def __init__(self) -> None:
        options: Any = {"requirepass": PASSWORD, "masterauth": PASSWORD, "repl_diskless_sync_delay": "0"}
        self.servers = [EmbeddedRedis(**options), EmbeddedRedis(**options)]
        self.sentinels: list[Sentinel] = []

    @property
    def master(self) -> EmbeddedRedis:
        return self.servers[0]

    @property
    def replica(self) -> EmbeddedRedis:
        return self.servers[1]

    def start(self) -> None:
        for server in self.servers:
            server.start()
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", str(self.master.port))
        self.sentinels = [Sentinel(self.master, 2) for _ in range(3)]
        wait_until(lambda: all(each.master_port() for each in self.sentinels), "the sentinels")
        wait_until(lambda: all(each.knows(1, 2) for each in self.sentinels), "the sentinels to meet", 15)
        wait_until(self._is_in_step, "the replica")

    def _is_in_step(self) -> bool:
        with self.replica.client() as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    def fail_over_by_hand(self) -> None:
        """Let the sentinels make the replica the master, as for maintenance."""
        self.sentinels[0].fail_over()

    def wait_for_failover(self) -> None:
        """Wait until every sentinel names the former replica."""
        wait_until(lambda: all(each.master_port() == self.replica.port for each in self.sentinels), "the failover", 15)

    def env(self) -> dict[str, str]:
        """The variables that point a process at the master, by its sentinels."""
        return {
            "REDIS_SENTINELS": ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels),
            "REDIS_SENTINEL_MASTER": MASTER,
            "REDIS_SENTINEL_PASSWORD": PASSWORD,
            "REDIS_PASSWORD": PASSWORD,
        }

    def close(self) -> None:
        for sentinel in self.sentinels:
            sentinel.close()
        for server in self.servers:
            server.close()


@contextlib.contextmanager
def running_watched() -> Iterator[Watched]:
    """Run a master, a replica and three sentinels, then end them."""
    watched = Watched()
    try:
        watched.start()
        yield watched
    finally:
        watched.close()
