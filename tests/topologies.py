"""More than one server: a Cluster, and a master with a replica and sentinels. All real, on loopback, ended with the
test.

With an authority they speak TLS and nothing else, among each other too, and ask every client for a certificate.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from redis.crc import key_slot

from tests.servers import EmbeddedRedis, RedisServer, _die_with_parent, free_port, server_binary
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.certificates import Authority, TlsFiles

SLOTS = 16384
#: The password of every server here.
PASSWORD = "for-tests-only"
MASTER = "orders-master"
#: Seconds after which a failover that was asked for must be over or given up: sentinels try for three.
_ASK_AGAIN_S = 10.0
#: What servers call themselves unless they are told a name.
_LOOPBACK = "127.0.0.1"


def _bind_to(name: str) -> str:
    """What to listen on, so that whoever is told a name by servers reaches them; it may mean either loopback."""
    return _LOOPBACK if name == _LOOPBACK else f"{_LOOPBACK} -::1"


class Cluster:
    """Three masters, a third of the slots each; the password is asked for everywhere.

    Args:
        authority: Signs what they need for TLS; None means that they speak none.
        name: What their certificates are made out to, and what they call themselves.
    """

    def __init__(self, authority: Authority | None = None, name: str = _LOOPBACK) -> None:
        self._tls = None if authority is None else authority.equip(name)
        self._client_tls = None if authority is None else authority.equip("client")
        self._name = name
        self.nodes = [self._make_node() for _ in range(3)]

    def _make_node(self) -> EmbeddedRedis:
        named = {"cluster_announce_hostname": self._name, "cluster_preferred_endpoint_type": "hostname"}
        return EmbeddedRedis(
            port=free_port(),
            tls=self._tls,
            bind=_bind_to(self._name),
            cluster_enabled="yes",
            cluster_node_timeout="2000",
            cluster_require_full_coverage="no",
            repl_diskless_sync_delay="0",
            requirepass=PASSWORD,
            masterauth=PASSWORD,
            **({} if self._name == _LOOPBACK else named),
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
        tls = {} if self._client_tls is None else self._client_tls.env()
        return {"REDIS_CLUSTER_NODES": f"{self._name}:{self.nodes[0].port}", "REDIS_PASSWORD": PASSWORD, **tls}

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
def running_cluster(authority: Authority | None = None, name: str = _LOOPBACK) -> Iterator[Cluster]:
    """Run a cluster of three nodes, then end it."""
    cluster = Cluster(authority, name)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


class Sentinel:
    """One sentinel, which takes a server for dead after half a second.

    Args:
        tls: What it needs to speak TLS; None means that it speaks none.
        name: The host of the master; a name that isn't an address is passed on as it is.
    """

    def __init__(
        self, master: EmbeddedRedis, quorum: int, *, tls: TlsFiles | None = None, name: str = _LOOPBACK
    ) -> None:
        self.port = free_port()
        self._server = RedisServer(_LOOPBACK, self.port, password=PASSWORD, tls=tls)
        listening = f"port {self.port}\n"
        if tls is not None:
            listening = f"port 0\ntls-port {self.port}\n"
            listening += "".join(f"{key} {value}\n" for key, value in tls.server_config().items())
        if name != _LOOPBACK:
            # Before the line that has the name in it
            listening += "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n"
        self._folder = Path(tempfile.mkdtemp(prefix="rosq-test-sentinel-"))
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"{listening}bind {_bind_to(name)}\ndir {self._folder}\nrequirepass {PASSWORD}\n"
            f"sentinel sentinel-pass {PASSWORD}\n"
            f"sentinel monitor {MASTER} {name} {master.port} {quorum}\nsentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} 500\nsentinel failover-timeout {MASTER} 3000\n"
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [server_binary(), str(config), "--sentinel"],
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
            with self._server.client() as client:
                found: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        except redis.ConnectionError:
            return 0
        return int(found[1])

    def knows(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found the others."""
        with _raw_client(self._server) as client:
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
        with self._server.client() as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._folder)


class Watched:
    """A master with one replica, watched by three sentinels of which two must agree.

    Args:
        authority: Signs what they need for TLS; None means that they speak none.
        name: What their certificates are made out to, and what they call themselves.
    """

    def __init__(self, authority: Authority | None = None, name: str = _LOOPBACK) -> None:
        self._tls = None if authority is None else authority.equip(name)
        self._client_tls = None if authority is None else authority.equip("client")
        self._name = name
        options: Any = {"requirepass": PASSWORD, "masterauth": PASSWORD, "repl_diskless_sync_delay": "0"}
        options |= {"tls": self._tls, "bind": _bind_to(name)}
        if name != _LOOPBACK:
            options["replica_announce_ip"] = name
        self.servers = [EmbeddedRedis(**options), EmbeddedRedis(**options)]
        self.sentinels: list[Sentinel] = []
        #: When a failover was asked for.
        self._asked_s: float | None = None

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
            client.replicaof(self._name, str(self.master.port))
        self.sentinels = [Sentinel(self.master, 2, tls=self._tls, name=self._name) for _ in range(3)]
        wait_until(lambda: all(each.master_port() for each in self.sentinels), "the sentinels")
        wait_until(lambda: all(each.knows(1, 2) for each in self.sentinels), "the sentinels to meet", 15)
        wait_until(self._is_in_step, "the replica")

    def _is_in_step(self) -> bool:
        with self.replica.client() as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    def fail_over_by_hand(self) -> None:
        """Let the sentinels make the replica the master, as for maintenance."""
        self.sentinels[0].fail_over()
        self._asked_s = time.monotonic()

    def wait_for_failover(self) -> None:
        """Wait until every sentinel names the former replica."""
        # On a busy machine sentinels distrust their own clocks for half a minute at a time (TILT), and do nothing.
        wait_until(self._has_failed_over, "the failover", 60)

    def _has_failed_over(self) -> bool:
        if all(each.master_port() == self.replica.port for each in self.sentinels):
            return True
        is_given_up = self._asked_s is not None and time.monotonic() - self._asked_s > _ASK_AGAIN_S
        if is_given_up and self.sentinels[0].master_port() == self.master.port:
            with contextlib.suppress(redis.ResponseError):
                # What was asked for and took too long nobody begins again. Refused while one is under way.
                self.fail_over_by_hand()
        return False

    def env(self) -> dict[str, str]:
        """The variables that point a process at the master, by its sentinels."""
        return {
            "REDIS_SENTINELS": ",".join(f"{self._name}:{each.port}" for each in self.sentinels),
            "REDIS_SENTINEL_MASTER": MASTER,
            "REDIS_SENTINEL_PASSWORD": PASSWORD,
            "REDIS_PASSWORD": PASSWORD,
            **({} if self._client_tls is None else self._client_tls.env()),
        }

    def close(self) -> None:
        for sentinel in self.sentinels:
            sentinel.close()
        for server in self.servers:
            server.close()


@contextlib.contextmanager
def running_watched(authority: Authority | None = None, name: str = _LOOPBACK) -> Iterator[Watched]:
    """Run a master, a replica and three sentinels, then end them."""
    watched = Watched(authority, name)
    try:
        watched.start()
        yield watched
    finally:
        watched.close()
